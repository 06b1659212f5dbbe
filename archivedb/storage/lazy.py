"""Arrays that are read when they are sliced, and no more of them than asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb.errors import EncodeError, NotAGroupError
from archivedb.formats.base import corrupt
from archivedb.values import digest, dtypes, paths
from archivedb.values.arrays import array_of
from archivedb.values.skeleton import tag_of, well_formed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archivedb.formats.base import Source
    from archivedb.formats.envelope import Place
    from archivedb.storage.document import Document, State
    from archivedb.values.dtypes import AnyArray
    from archivedb.values.editing import Steps
    from archivedb.values.skeleton import Tree


def parts_of(node: Tree) -> list[Tree]:
    """Return the ``$array`` nodes whose rows make an array; none if it is none."""
    tag = tag_of(node)
    if tag == "$parts":
        return list(node[tag])
    whole = tag == "$array" and node.get("as", "array") in ("array", "list")
    return [node] if whole else []


class LazyArray:
    """
    An array of which only the rows that are asked for are read, and checked.

    ``array[100:200]`` reads what lies between; ``array[:]`` and
    ``numpy.asarray(array)`` read it all.  What is read is the caller's own.
    It shows the array as it is now, also after rows were appended to it.

    Args:
        document: What holds the array.
        steps: Where it stands there.

    """

    def __init__(self, document: Document, steps: Steps) -> None:
        self._document = document
        self._steps = steps
        self._parts()

    def _parts(self) -> tuple[State, list[Tree]]:
        state = self._document.state()
        node = state.skeleton.resolve(state.skeleton.at(self._steps))
        with well_formed("skeleton"):
            parts = parts_of(node)
        if not parts:
            msg = f"{paths.join(self._steps)!r} is no array"
            raise NotAGroupError(msg)
        return state, parts

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return _shape(self._parts()[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its items."""
        return dtypes.tree_dtype(self._parts()[1][0]["dtype"])

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many items it has."""
        count = 1
        for length in self.shape:
            count *= length
        return count

    @property
    def nbytes(self) -> int:
        """How many bytes its items take."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        """Return how many rows it has."""
        shape = self.shape
        if not shape:
            msg = "an array without axes has no length"
            raise TypeError(msg)
        return shape[0]

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows, one after another."""
        for row in range(len(self)):
            yield self[row]

    def __getitem__(self, index: Any) -> Any:
        """
        Return part of the array, as numpy does for the same index.

        Raises:
            IndexError: There is no such part.
            PayloadCorruptError: Its bytes are not those that were saved.

        """
        state, parts = self._parts()
        shape = _shape(parts)
        start, stop, within = _bounds(index, shape)
        return self._rows(state, parts, start, stop)[within]

    def __array__(
        self,
        dtype: Any = None,
        copy: bool | None = None,  # noqa: FBT001 - numpy's
    ) -> AnyArray:
        """Return the whole array."""
        if copy is False:
            msg = "what is read is a copy"
            raise ValueError(msg)
        whole: AnyArray = self[...]
        return whole if dtype is None else whole.astype(dtype)

    def _rows(self, state: State, parts: list[Tree], start: int, stop: int) -> AnyArray:
        first = parts[0]
        if len(parts) == 1:
            if not first["shape"]:
                raw = self._document.fetch(state, first["$array"], first)
                return array_of(first, raw)
            return self._document.rows(state, first, start, stop)
        dtype = dtypes.tree_dtype(first["dtype"])
        # Not np.empty, which does not keep every dtype as it is.
        shape = stop - start, *first["shape"][1:]
        out: AnyArray = np.ndarray(shape, dtype)
        above = 0
        for part in parts:
            length = part["shape"][0]
            low, high = max(start - above, 0), min(stop - above, length)
            if low < high:
                rows = self._document.rows(state, part, low, high)
                out[low + above - start : high + above - start] = rows
            above += length
        return out

    def __reduce__(self) -> Any:
        """Refuse to be pickled, copied or stored: it is a view of something."""
        path = paths.join(self._steps)
        msg = f"{path!r} is not read yet: store its rows, by [:]"
        raise EncodeError(msg)

    def __repr__(self) -> str:
        """Return dtype and shape; nothing is read for it."""
        path = paths.join(self._steps)
        return f"<LazyArray {path!r}, {self.dtype} {self.shape}>"


def _shape(parts: list[Tree]) -> tuple[int, ...]:
    first = parts[0]["shape"]
    if len(parts) == 1:
        return tuple(first)
    return (sum(part["shape"][0] for part in parts), *first[1:])


def _bounds(index: Any, shape: tuple[int, ...]) -> tuple[int, int, Any]:
    """Return which rows an index needs, and the index into those."""
    if not shape:
        return 0, 0, index
    items = list(index) if isinstance(index, tuple) else [index]
    axis = next((at for at, item in enumerate(items) if item is not None), None)
    whole = 0, shape[0], index
    if axis is None or items[axis] is Ellipsis:
        return whole
    item = items[axis]
    if isinstance(item, (int, np.integer)) and not isinstance(item, bool):
        row = int(item) + (shape[0] if item < 0 else 0)
        if not 0 <= row < shape[0]:
            msg = f"index {item} is out of bounds for {shape[0]} rows"
            raise IndexError(msg)
        start, stop, items[axis] = row, row + 1, 0
    elif isinstance(item, slice):
        rows = range(*item.indices(shape[0]))
        if not rows:
            start, stop, items[axis] = 0, 0, slice(0, 0)
        else:
            start, stop = min(rows[0], rows[-1]), max(rows[0], rows[-1]) + 1
            # A negative step begins with the last row that is read.
            items[axis] = slice(None, None, rows.step)
    else:
        return whole
    return start, stop, tuple(items)


def read_rows(
    source: Source, place: Place, node: Tree, start: int, stop: int
) -> AnyArray | None:
    """
    Return some rows of an array in a file, reading only the blocks they lie in.

    Args:
        source: The file.
        place: Where the array lies in it.
        node: Its ``$array`` node, of a checked skeleton.
        start: The first row.
        stop: The row behind the last.

    Returns:
        The rows, or None if the array has no blocks of its own, and must be
        read whole.

    Raises:
        PayloadCorruptError: Bytes differ from their digest.

    """
    if place.offset is None or place.blocks is None:
        return None
    stored = source.read(place.blocks, digest.blocks_bytes(place.length))
    if digest.digest(stored.data) != node["digest"]:
        raise corrupt(source, f"the list of blocks of array {node['$array']}")
    with well_formed(f"skeleton in {source.name}"):
        width = _row_bytes(node)
        low, high = start * width, stop * width
    step, size = digest.BLOCK, digest.DIGEST_BYTES
    begin, end = low // step * step, min(-(-high // step) * step, place.length)
    if begin >= end:
        begin = end = low
    raw = source.read(place.offset + begin, end - begin)
    first = begin // step
    count = -(-(end - begin) // step)
    expected = stored[first * size : (first + count) * size].tobytes()
    if count and digest.blocks(raw.data) != expected:
        raise corrupt(source, f"array {node['$array']}", f" near its MiB {first}")
    dtype = dtypes.tree_dtype(node["dtype"])
    shape = stop - start, *node["shape"][1:]
    # A copy: the blocks would be kept in memory for one row of them.
    return dtypes.bytes_array(raw[low - begin : high - begin].copy(), dtype, shape)


def _row_bytes(node: Tree) -> int:
    width = dtypes.tree_dtype(node["dtype"]).itemsize
    for length in node["shape"][1:]:
        width *= length
    return int(width)
