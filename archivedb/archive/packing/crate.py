"""
What an export says of itself, for people and programs without archivedb.

RO-Crate 1.2, JSON-LD in which every entity stands by itself and refers to
others by their ids: https://www.researchobject.org/ro-crate/specification/1.2/
"""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

from archivedb.archive.rows import moment
from archivedb.values import digest, json
from archivedb.values.decode import decode_inline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from archivedb.catalog.reading import VersionRow
    from archivedb.formats.envelope import Entry
    from archivedb.records import Stubbed

METADATA = "ro-crate-metadata.json"
CONTEXT = "https://w3id.org/ro/crate/1.2/context"
PROFILE = "https://w3id.org/ro/crate/1.2"
NO_LICENSE = "No license was given: ask the authors before you use it."

ENCODINGS = {
    ".h5": "application/x-hdf5",
    ".json": "application/json",
    ".zip": "application/zip",
}

_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")
_PERSON = re.compile(r"(?P<name>[^<>]*?)\s*<(?P<id>[^<>\s]+)>\s*")


class Crate:
    """
    The entities of an export, written one by one.

    Args:
        out: A file, in which they are collected.

    """

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._parts: list[str] = []
        self._facts: set[str] = set()
        self._number = 0

    def _write(self, entity: dict[str, Any]) -> None:
        self._out.write(b",\n" + json.dumps(entity))

    def record(  # noqa: PLR0913 - what is said of it
        self,
        row: VersionRow,
        entry: Entry,
        path: str,
        *,
        size: int,
        hashed: str,
        stubs: list[Stubbed],
    ) -> None:
        """Describe the payload of a record, which lies at a path."""
        self._number += 1
        described = f"Version {row.version} of a record of archivedb, mode {row.mode}."
        if stubs:
            classes = sorted({each.class_name for each in stubs})
            described += (
                f" Holds {len(stubs)} objects that are loaded as stubs until their "
                f"signer is trusted: {', '.join(classes[:20])}."
            )
        suffix = f".{path.rpartition('.')[2]}"
        properties = [
            *self._properties(f"#record-{self._number}", _flat(entry.metadata)),
            *self._shared(_flat(entry.provenance)),
        ]
        entity: dict[str, Any] = {
            "@id": quote(path),
            "@type": "File",
            "name": entry.name,
            "description": described,
            "identifier": f"urn:uuid:{row.uuid}",
            "version": str(row.version),
            "dateCreated": moment(row.saved_at).isoformat(),
            "contentSize": str(size),
            "sha256": hashed,
            "encodingFormat": ENCODINGS.get(suffix, "application/octet-stream"),
        }
        if entry.tags:
            entity["keywords"] = list(entry.tags)
        if properties:
            entity["additionalProperty"] = [{"@id": each} for each in properties]
        self._parts.append(entity["@id"])
        self._write(entity)

    def _properties(
        self, above: str, facts: Iterable[tuple[str, Any]]
    ) -> Iterator[str]:
        for name, value in facts:
            made = f"{above}/{quote(name)}"
            self._write(_property(made, name, value))
            yield made

    def _shared(self, facts: Iterable[tuple[str, Any]]) -> Iterator[str]:
        """Describe provenance, which hundreds of records have in common, once."""
        for name, value in facts:
            key = digest.digest(json.dumps([name, value]))[7:23]
            made = f"#provenance-{key}"
            if key not in self._facts:
                self._facts.add(key)
                self._write(_property(made, f"provenance.{name}", value))
            yield made

    def file(
        self, path: str, kind: str, described: str, *, size: int, hashed: str
    ) -> None:
        """Describe a file that is no payload."""
        self._parts.append(path)
        self._write(
            {
                "@id": path,
                "@type": "File",
                "name": path,
                "description": described,
                "contentSize": str(size),
                "sha256": hashed,
                "encodingFormat": kind,
            }
        )

    def head(
        self,
        name: str,
        described: str,
        published: str,
        *,
        license: str | None,  # noqa: A002 - the word of the standard
        authors: Iterable[str],
    ) -> bytes:
        """Return the beginning of the document, up to the entities."""
        more = [*map(_person, range(1, 1 << 30), authors)] if authors else []
        root: dict[str, Any] = {
            "@id": "./",
            "@type": "Dataset",
            "name": name,
            "description": described,
            "datePublished": published,
            "license": NO_LICENSE,
        }
        if more:
            root["author"] = [{"@id": each["@id"]} for each in more]
        if license is not None:
            entity = _license(license)
            root["license"] = license if entity is None else {"@id": entity["@id"]}
            more += [] if entity is None else [entity]
        root["hasPart"] = [{"@id": each} for each in self._parts]
        descriptor = {
            "@id": METADATA,
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": {"@id": PROFILE},
        }
        graph = b",\n".join(map(json.dumps, [descriptor, root, *more]))
        return b'{"@context": ' + json.dumps(CONTEXT) + b', "@graph": [\n' + graph


END = b"\n]}\n"


def _property(made: str, name: str, value: Any) -> dict[str, Any]:
    return {"@id": made, "@type": "PropertyValue", "name": name, "value": value}


def _person(number: int, said: str) -> dict[str, Any]:
    """Return an author: ``"Name"``, or ``"Name <their ORCID, page or address>"``."""
    match = _PERSON.fullmatch(said)
    if match is None:
        return {"@id": f"#author-{number}", "@type": "Person", "name": said}
    found = match["id"]
    person = {"@id": f"#author-{number}", "@type": "Person", "name": match["name"]}
    if re.fullmatch(r"(\d{4}-){3}\d{3}[\dX]", found):
        found = f"https://orcid.org/{found}"
    if "://" in found:
        return {**person, "@id": found}
    return {**person, "email": found}


def _license(said: str) -> dict[str, Any] | None:
    """Return a license as an entity, or None where it is a text of its own."""
    if "://" in said:
        return {"@id": said, "@type": "CreativeWork", "name": said}
    if _SPDX.fullmatch(said):
        made = f"https://spdx.org/licenses/{said}"
        return {"@id": made, "@type": "CreativeWork", "name": said, "identifier": made}
    return None


def _flat(tree: Any) -> Iterator[tuple[str, Any]]:
    """Yield what facts say, by dotted names; of what is no plain value, its text."""
    todo = [("", decode_inline(tree))]
    while todo:
        name, value = todo.pop(0)
        if isinstance(value, dict) and all(type(key) is str for key in value):
            if name == "packages":
                # Dozens, of which nobody searches one.
                text = ", ".join(f"{key} {found}" for key, found in value.items())
                yield name, text
                continue
            todo[:0] = [
                (f"{name}.{key}" if name else key, child)
                for key, child in value.items()
            ]
        elif isinstance(value, list):
            yield name, [_plain(item) for item in value]
        else:
            yield name, _plain(value)


def _plain(value: Any) -> Any:
    if value is None:
        return "None"
    if type(value) is str or type(value) is bool:
        return value
    if type(value) is int and abs(value) < 1 << 53:
        return value
    if type(value) is float and value - value == 0:  # neither nan nor infinite
        return value
    isoformat = getattr(value, "isoformat", None)
    return str(value if isoformat is None else isoformat())
