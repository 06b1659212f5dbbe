"""
Finding a version through the catalog, and reading what it holds.

No byte is interpreted before a digest covering it was checked, and nothing is
unpickled unless someone trusted has signed it.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from archivedb.catalog import hierarchy, reading
from archivedb.catalog.arrays import grown_digest
from archivedb.errors import (
    CatalogDamagedError,
    EncodeError,
    InvalidNameError,
    PayloadCorruptError,
    PayloadMissingError,
    RecordNotFoundError,
    RestoreError,
    UntrustedPayloadError,
)
from archivedb.formats import get_format
from archivedb.formats.envelope import Place
from archivedb.records import Record
from archivedb.values import classes, pickled, skeleton
from archivedb.values.decode import decode
from archivedb.values.executable import class_names
from archivedb.values.objects import Objects
from archivedb.values.paths import is_utf8
from archivedb.values.paths import parts as parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from archivedb.archive.core import Core
    from archivedb.formats.base import Reader
    from archivedb.formats.envelope import Content
    from archivedb.store.files import PayloadFile
    from archivedb.values.skeleton import Skeleton, Tree

OBJECTS = ("restore", "stub")


def find_row(core: Core, name: str | Record, version: int | None) -> reading.VersionRow:
    """
    Return the row of a record's version, the newest if none is named.

    Raises:
        RecordNotFoundError: There is no such record, or no such version.

    """
    if not isinstance(name, (str, Record)):
        msg = f"a record's name is text, not {type(name).__name__}"
        raise InvalidNameError(msg)
    if not isinstance(name, Record) and not is_utf8(name):
        msg = f"no record is named {name!r}: it is not valid UTF-8"
        raise RecordNotFoundError(msg)
    if version is not None and type(version) is not int:
        msg = f"a version is a number, not {version!r}"
        raise RecordNotFoundError(msg)
    if version is not None and not 0 < version < 1 << 63:
        msg = f"versions are counted from 1: there is no {version}"
        raise RecordNotFoundError(msg)
    with core.reading() as connection:
        if isinstance(name, Record):
            number = name.version if version is None else version
            row = reading.by_record(connection, name.uuid, number)
            name = name.name
        elif version is None:
            row = reading.newest(connection, name)
        else:
            row = reading.one(connection, name, version)
        if row is not None:
            return row
        known = reading.newest(connection, name)
        below = hierarchy.is_folder(connection, name)
    if known is not None:
        wanted = "not this one" if version is None else f"no version {version}"
        msg = f"{name!r} has {wanted}; its newest is version {known.version}"
    elif below:
        msg = f"{name!r} is a folder, not a record; list it with `archivedb ls {name}`"
    else:
        msg = f"no record named {name!r}; list them with `archivedb ls`"
    raise RecordNotFoundError(msg)


@contextmanager
def reader_of(core: Core, row: reading.VersionRow) -> Iterator[Reader]:
    """Open the content of a version; its skeleton is checked."""
    content = row.content
    with ExitStack() as opened:
        source = opened.enter_context(_open(core, row))
        files: dict[str, PayloadFile] = {}

        def other(file: str) -> PayloadFile:
            if file not in files:
                files[file] = opened.enter_context(core.store.open(file))
            return files[file]

        try:
            parts = _parts(core, row)
            _require_whole(row, parts)
            if parts:
                content = _with_parts(content, parts)
            reader = get_format(content.mode).reader(source, content, other)
            _append(reader.skeleton, parts, len(row.content.arrays))
            yield reader
        except PayloadCorruptError as error:
            msg = f"{row.name!r} version {row.version}: {error}"
            raise PayloadCorruptError(msg) from error


def _parts(core: Core, row: reading.VersionRow) -> list[reading.AppendedRow]:
    """Return the parts that a version's arrays had got when its row was read."""
    if not row.appended:
        return []
    with core.reading() as connection:
        # Others may have appended since.
        return reading.appended(connection, row.id)[: row.appended]


def _require_whole(row: reading.VersionRow, parts: list[reading.AppendedRow]) -> None:
    """Raise unless these are all the parts, in the order in which they came."""
    hashed = row.content.digest
    for part in parts:
        hashed = grown_digest(hashed, part.path, part.digest)
    if hashed != row.digest:
        msg = (
            f"the catalog's rows of {row.name!r} version {row.version} were altered: "
            "they are not those of its payloads; run `archivedb reindex`"
        )
        raise CatalogDamagedError(msg)


def _with_parts(content: Content, parts: list[reading.AppendedRow]) -> Content:
    """Return where everything lies, what was appended included."""
    files = {file: number for number, file in enumerate(content.files)}
    facts = content.facts or (None,) * len(content.arrays)
    places = []
    for part in parts:
        number = files.setdefault(part.file, len(files))
        places.append(Place(part.offset, part.length, part.blocks, number))
    return replace(
        content,
        arrays=(*content.arrays, *places),
        files=tuple(files),
        facts=(*facts, *(part.facts for part in parts)),
    )


def _append(source: Skeleton, parts: list[reading.AppendedRow], first: int) -> None:
    """Add to a version's skeleton the parts that its arrays have got since."""
    for number, part in enumerate(parts, first):
        node = {
            "$array": number,
            "dtype": part.dtype,
            "shape": part.shape,
            "digest": part.digest,
        }
        with skeleton.well_formed("catalog's array"):
            skeleton.extend_array(source, tuple(parts_of(part.path)), node)


def _open(core: Core, row: reading.VersionRow) -> PayloadFile:
    try:
        return core.store.open(row.file)
    except PayloadMissingError:
        with core.reading() as connection:
            there = reading.by_record(connection, row.uuid, row.version)
        if there is None:
            msg = f"{row.name!r} was deleted while it was looked up"
            raise RecordNotFoundError(msg) from None
        raise


def wanted(only: Iterable[str | tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """
    Return the steps of the paths that alone are to be loaded.

    Raises:
        EncodeError: It is one path, and not several; or one of them is none.

    """
    if isinstance(only, (str, bytes)):
        msg = f"only=[{only!r}]: several paths are asked for, not one text"
        raise EncodeError(msg)
    found = []
    for path in only:
        if not isinstance(path, (str, tuple)):
            msg = f"a path is text or a tuple of keys, not {path!r:.60}"
            raise EncodeError(msg)
        found.append(tuple(parts_of(path)))
    return found


def load(
    core: Core,
    row: reading.VersionRow,
    objects: str,
    only: list[tuple[Any, ...]] | None = None,
) -> Any:
    """
    Return the value of a version, the whole or some of it.

    Args:
        core: The open archive.
        row: The version.
        objects: ``"restore"``, or ``"stub"`` to put a stub in the place of
            every object whose class would have to be imported.
        only: The steps of the paths that are wanted; everything if left out.

    """
    if objects not in OBJECTS:
        msg = f"objects is one of {', '.join(OBJECTS)}, not {objects!r}"
        raise ValueError(msg)
    with reader_of(core, row) as reader:
        source = reader.skeleton

        def value_of(node: Tree) -> Any:
            return read_value(
                reader,
                row.content,
                node,
                name=row.name,
                trusts=core.trusts,
                objects=objects,
            )

        if only is None:
            return value_of(source.root)
        # What several paths lead to is read once, and is one object.
        part = source.part(only)
        return value_of(part)


def read_value(  # noqa: PLR0913 - what a reading consists of
    reader: Reader,
    content: Content,
    node: Tree,
    *,
    name: str,
    trusts: Callable[[Content], bool],
    objects: str = "restore",
) -> Any:
    """
    Return the value of a node and all below it.

    Args:
        reader: The open content.
        content: Where it lies, and who vouches for it.
        node: A node of the reader's skeleton.
        name: What to call it in messages.
        trusts: Says whether what it would run may run; asked only then.
        objects: As for `load`.

    """
    source = reader.skeleton

    def require_trusted() -> None:
        if not trusts(content):
            raise untrusted(content, source, name)

    # Functions and classes stored by value know what they share with the rest
    # only in the pickle of the whole; all else is as exact in its parts.
    if source.has_functions and objects == "restore" and node is source.root:
        require_trusted()
        if not _needs_parts(source):
            with suppress(RestoreError):
                whole = reader.pickle()
                if whole is not None:
                    return pickled.loads(whole[0].data, whole[1])
    restored = Objects(stub=objects == "stub", require=require_trusted)
    return decode(source, node, reader.fetch, restored)


def _needs_parts(source: Skeleton) -> bool:
    """Return whether a pickle may not be what the present code would make."""
    # Whoever stores itself, or was renamed or upgraded, is known by its parts.
    return classes.has_upgrades() or source.has_storables


def untrusted(content: Content, source: Skeleton, name: str) -> UntrustedPayloadError:
    """Return the error for content that nobody trusted has signed."""
    classes = class_names(source)
    inside = ", ".join(classes[:5])
    key = content.signer()
    signer = "not signed" if key is None else f"signed by the unknown key {key[:16]}…"
    msg = (
        f"{name!r} holds {inside}, which runs code when it is restored, and is "
        f"{signer}; if you trust whoever made it, run `archivedb trust add "
        "colleague.pub` with the key that they sent you, or `archivedb trust PATH` "
        "to accept what lies in this archive now, or open it with trust=True; "
        'objects="stub" loads everything but the objects'
    )
    return UntrustedPayloadError(msg)
