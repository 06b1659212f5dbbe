"""
The rows of arrays: what one verified pread needs, part by part.

An array that was appended to has a row that counts its parts, and one for
each; so appending costs the same however many there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.dialects import sqlite

from archivedb.catalog import index, tables
from archivedb.catalog.prepared import Prepared
from archivedb.errors import CatalogEntryError
from archivedb.values import digest, json
from archivedb.values.leaves import part_path, stored_arrays

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from archivedb.catalog.index import PathIds
    from archivedb.catalog.writing import Place
    from archivedb.formats import envelope
    from archivedb.values.skeleton import Skeleton

_COLUMNS = (
    *("version_id", "path", "number", "payload_id", "dtype", "shape"),
    *("digest", "kind", "offset", "length", "blocks_offset", "proof", "facts"),
)
ADD = Prepared(sqlite.insert(tables.array).on_conflict_do_nothing(), _COLUMNS)

_array, _version = tables.array.c, tables.version.c
_NEWEST = Prepared(
    select(_version.id, _version.version, _version.digest, _version.appended)
    .join(tables.record, tables.record.c.newest_id == _version.id)
    .where(tables.record.c.id == bindparam("record"))
)
_AT = Prepared(
    select(*(_array[name] for name in _COLUMNS)).where(
        _array.version_id == bindparam("version"), _array.path == bindparam("path")
    )
)
_SET = Prepared(
    update(tables.array)
    .where(_array.version_id == bindparam("of"), _array.path == bindparam("at"))
    .values(
        number=bindparam("to_number"),
        shape=bindparam("to_shape"),
        digest=bindparam("to_digest"),
        kind="parts",
        offset=None,
        length=bindparam("to_length"),
        blocks_offset=None,
        proof=bindparam("to_proof"),
    )
)
_GROW = Prepared(
    update(tables.version)
    .where(_version.id == bindparam("of"))
    .values(
        digest=bindparam("to_digest"),
        size=_version.size + bindparam("more"),
        appended=_version.appended + 1,
    )
)
_INSERT = Prepared(insert(tables.array), _COLUMNS)


def proof(path: str, dtype: Any, shape: Any, hashed: str, kind: str) -> str:
    """Return what proves that an array's row says what its skeleton says."""
    return digest.digest(json.dumps([path, dtype, shape, hashed, kind]))


def both(one: str, other: str) -> str:
    """Return the digest over two: that of an array is over its parts'."""
    return digest.digest(f"{one}\n{other}".encode())


def grown_digest(before: str, path: str, part: str) -> str:
    """Return the digest of a version once a part was appended to one of its arrays."""
    return both(before, f"{path}\n{part}")


def array_rows(
    version: int, place: Place, content: envelope.Content, source: Skeleton
) -> Iterator[dict[str, Any]]:
    """
    Yield the rows of all arrays of a version.

    Args:
        version: Its id.
        place: Which payloads hold it.
        content: Where it lies in them.
        source: Its skeleton.

    """
    for path, node in stored_arrays(source):
        if "$parts" in node:
            yield _joined_row(version, place, path, node["$parts"])
            continue
        where = content.arrays[node["$array"]]
        payload = place.content_payload
        if where.file is not None:
            payload = place.shared[content.files[where.file]]
        row = _row(version, payload, path, node, where)
        yield {**row, "number": node["$array"]}


def _row(
    version: int, payload: int, path: str, node: Any, where: envelope.Place
) -> dict[str, Any]:
    kind, hashed = node.get("as", "array"), node["digest"]
    for text in (kind, hashed):
        if type(text) is not str:
            msg = f"the array at {path!r} has {text!r} where a text should be"
            raise CatalogEntryError(msg)
    return {
        "version_id": version,
        "path": path,
        "number": 0,
        "payload_id": payload,
        "dtype": json.dumps(node["dtype"]).decode(),
        "shape": json.dumps(node["shape"]).decode(),
        "digest": hashed,
        "kind": kind,
        "offset": where.offset,
        "length": where.length,
        "blocks_offset": where.blocks,
        "proof": proof(path, node["dtype"], node["shape"], hashed, kind),
        "facts": None,
    }


def _joined_row(
    version: int, place: Place, path: str, parts: list[Any]
) -> dict[str, Any]:
    hashed = parts[0]["digest"]
    for part in parts[1:]:
        hashed = both(hashed, part["digest"])
    dtype = parts[0]["dtype"]
    shape = [sum(part["shape"][0] for part in parts), *parts[0]["shape"][1:]]
    return {
        "version_id": version,
        "path": path,
        "number": len(parts),
        "payload_id": place.content_payload,
        "dtype": json.dumps(dtype).decode(),
        "shape": json.dumps(shape).decode(),
        "digest": hashed,
        "kind": "parts",
        "offset": None,
        "length": 0,
        "blocks_offset": None,
        "proof": proof(path, dtype, shape, hashed, "parts"),
        "facts": None,
    }


def append(
    connection: Connection,
    paths: PathIds,
    record: int,
    entry: envelope.Entry,
    place: Place,
) -> None:
    """
    Add rows to an array of a record's newest version.

    Raises:
        CatalogEntryError: There is no such array, or it is of another kind.

    """
    content, path, source = entry.content, entry.path, place.skeleton
    newest = _NEWEST.run(connection, {"record": record}).fetchone()
    if content is None or path is None or source is None or newest is None:
        msg = f"an append to {entry.name!r} that appends nothing"
        raise CatalogEntryError(msg)
    version, number, hashed, appended = newest
    key = {"version": version, "path": path}
    found = _AT.run(connection, key).fetchone()
    if found is None or number != entry.version:
        msg = f"an append to {entry.name!r}, which has no array {path!r}"
        raise CatalogEntryError(msg)
    old = dict(zip(_COLUMNS, found, strict=True))
    part = source.root
    shape = json.loads(old["shape"].encode(), "catalog's shape")
    dtype = json.loads(old["dtype"].encode(), "catalog's dtype")
    fits = dtype == part["dtype"] and shape[1:] == part["shape"][1:] and shape
    if not fits or old["kind"] not in ("array", "appended", "parts"):
        msg = f"an append to {entry.name!r} that does not fit its {path!r}"
        raise CatalogEntryError(msg)
    count = old["number"]
    if old["kind"] == "array":
        count, first = 1, part_path(path, 0)
        proven = proof(first, dtype, shape, old["digest"], "array")
        _INSERT.run(connection, {**old, "path": first, "proof": proven})
    row = _row(
        version, place.content_payload, part_path(path, count), part, content.arrays[0]
    )
    row["number"], row["kind"] = appended, "appended"
    known = place.facts[0]
    row["facts"] = None if known is None else json.dumps(known.tree())
    row["proof"] = proof(
        row["path"], part["dtype"], part["shape"], part["digest"], "appended"
    )
    _INSERT.run(connection, row)
    index.index_rows(connection, paths, record, path, part, list(shape), known)
    shape[0] += part["shape"][0]
    joined = both(old["digest"], part["digest"])
    _SET.run(
        connection,
        {
            "of": version,
            "at": path,
            "to_number": count + 1,
            "to_shape": json.dumps(shape).decode(),
            "to_digest": joined,
            "to_length": 0,
            "to_proof": proof(path, dtype, shape, joined, "parts"),
        },
    )
    grown = grown_digest(hashed, path, part["digest"])
    _GROW.run(connection, {"of": version, "to_digest": grown, "more": content.size})
