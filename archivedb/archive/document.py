"""A record as a document: its groups are read, and edited, in place."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb.archive.loading import reader_of, untrusted
from archivedb.archive.writing import editing
from archivedb.catalog import reading
from archivedb.errors import PayloadMissingError, ReadOnlyError, RecordNotFoundError
from archivedb.formats.base import checked_array
from archivedb.storage.document import Document, State
from archivedb.storage.lazy import read_rows
from archivedb.values import dtypes, skeleton
from archivedb.values.executable import class_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archivedb.archive.core import Core
    from archivedb.archive.writing.editing import Held
    from archivedb.formats.base import Reader, Source
    from archivedb.values.arrays import Fetch
    from archivedb.values.dtypes import AnyArray, Bytes
    from archivedb.values.editing import Op
    from archivedb.values.skeleton import Tree


@dataclass(frozen=True, slots=True, eq=False)
class _Origin:
    """The version that a state shows, and what has read it."""

    row: reading.VersionRow
    reader: Reader


class RecordDocument(Document):
    """
    The newest version of a record, whichever that is; or a certain one.

    An edit is applied to the newest version at that moment, so two who edit
    one record keep each other's keys.

    Args:
        core: The open archive.
        row: The version that was found.
        pinned: Whether that version is meant, and not the newest.
        mmap: Whether arrays are given as memory maps, which nobody verifies.
        gather: Whether edits record provenance.

    """

    def __init__(
        self,
        core: Core,
        row: reading.VersionRow,
        *,
        pinned: bool = False,
        mmap: bool = False,
        gather: bool = True,
    ) -> None:
        super().__init__()
        self._core = core
        self._uuid, self._path = row.uuid, row.name
        self._pinned = row.version if pinned else None
        self.maps = mmap
        self._gather = gather
        self._known: State | None = None

    @property
    def name(self) -> str:
        """The last part of the record's name."""
        return self._path.rpartition("/")[2]

    @property
    def path(self) -> str:
        """The record's name."""
        return self._path

    def holds_group(self) -> bool:
        """Return whether the record is a dict, and can be a group."""
        source = self.state().skeleton
        return skeleton.is_group(source.resolve(source.root))

    # Reading ------------------------------------------------------------

    def _row(self) -> reading.VersionRow:
        self._core.require_existing()
        with self._core.reading() as connection:
            if self._pinned is not None:
                row = reading.by_record(connection, self._uuid, self._pinned)
            else:
                row = reading.newest_of(connection, self._uuid)
        if row is None:
            msg = f"{self._path!r} was deleted"
            raise RecordNotFoundError(msg)
        self._path = row.name  # which may be another by now
        return row

    def _state(self) -> State:
        row, known = self._row(), self._known
        if known is not None:
            was = known.origin.row
            if was.is_version(row) and was.appended == row.appended:
                return known
        with reader_of(self._core, row) as reader:
            found = State(
                reader.skeleton, editing.held(reader, row), _Origin(row, reader)
            )
        self._known = found
        return found

    def read(self, state: State, node: Tree) -> Any:
        """Return the value of a node and all below it."""
        if self.maps:
            mapped = self._mapped(state, node)
            if mapped is not None:
                return mapped
        return super().read(state, node)

    @contextmanager
    def _fetching(self, state: State) -> Iterator[Fetch]:
        with ExitStack() as opened:
            sources: dict[str, Source] = {}

            def fetch(number: int, part: Tree) -> Bytes:
                held = state.arrays[number]
                if not isinstance(held, editing.Held) or held.place.offset is None:
                    return self.fetch(state, number, part)
                if held.file not in sources:
                    source = opened.enter_context(self._open(held.file))
                    sources[held.file] = source
                return self._checked(sources[held.file], held, part)

            yield fetch

    def _open(self, file: str) -> Any:
        try:
            return self._core.store.open(file)
        except PayloadMissingError:
            self._row()  # an error that says so, if it was deleted meanwhile
            raise

    def _checked(self, source: Source, held: Held, node: Tree) -> Bytes:
        def name() -> str:
            return f"an array of {self._path!r}"

        return checked_array(source, held.place, node["digest"], name)

    def _fetch(self, state: State, number: Any, node: Tree) -> Bytes:
        held: Held = number
        if held.place.offset is None:
            # Inline in what was read already.
            reader: Reader = state.origin.reader
            return reader.fetch(held.number, node)
        with self._open(held.file) as source:
            return self._checked(source, held, node)

    def _rows(
        self, state: State, number: Any, node: Tree, start: int, stop: int
    ) -> AnyArray:
        held: Held = number
        if held.place.offset is not None:
            with self._open(held.file) as source:
                rows = read_rows(source, held.place, node, start, stop)
            if rows is not None:
                return rows
        return super()._rows(state, number, node, start, stop)

    def _mapped(self, state: State, node: Tree) -> AnyArray | None:
        """Return an array as a map of its file, where it lies there as it is."""
        if "$array" not in node or node.get("as", "array") != "array":
            return None
        held = state.arrays[node["$array"]]
        if not isinstance(held, editing.Held) or not held.place.length:
            return None
        if held.place.offset is None:
            return None
        with self._open(held.file) as source:
            if held.place.offset + held.place.length > source.size:
                return None  # reading it says what is wrong
            return np.memmap(
                self._core.store.resolve(held.file),
                dtypes.tree_dtype(node["dtype"]),
                "r",
                held.place.offset,
                tuple(node["shape"]),
            )

    def _require_trusted(self, state: State) -> None:
        row = state.origin.row
        if not class_names(state.skeleton):
            return  # what is restored was set by this user just now
        if not self._core.trusts(row.content):
            raise untrusted(row.content, state.skeleton, row.name)

    # Changing -----------------------------------------------------------

    def _commit(self, ops: Sequence[Op]) -> None:
        if self._pinned is not None:
            msg = (
                f"this is version {self._pinned} of {self._path!r}, and stays what "
                f"it is; edit the newest: archive.open({self._path!r})"
            )
            raise ReadOnlyError(msg)
        state = self._state()
        added = editing.edit(
            self._core,
            state.origin.row,
            ops,
            extends=editing.only_extends(state.skeleton, ops),
            gather=self._gather,
        )
        if added is not None:
            self._follow(added, ops[0])

    def _follow(self, added: editing.Appended, op: Op) -> None:
        """Show what was appended without reading everything again."""
        row, known = added.row, self._known
        if known is None:
            return
        was, arrays = known.origin.row, known.arrays
        if not was.is_version(row) or was.appended + 1 != row.appended:
            return
        assert isinstance(arrays, list)  # noqa: S101 - as `_state` has made it
        if not editing.extend(known.skeleton, arrays, op, added):
            self._known = None
            return
        self._known = State(known.skeleton, arrays, _Origin(row, known.origin.reader))
