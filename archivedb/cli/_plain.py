"""
Any Python value as a tree of what JSON has.

What JSON has, stands for itself; integers of any size do too.  Tuples, sets
and numpy arrays come out as lists, numpy scalars as numbers, the rows of a
structured array as objects.  What JSON has no word for is an object with one
key that begins with ``$``, as in archivedb's own files:

======================== ======================================================
``{"$float": "nan"}``    nan, inf or -inf
``{"$complex": [1, 2]}`` a complex number
``{"$bytes": base64}``   bytes
``{"$str": base64}``     text with lone surrogates, as surrogatepass UTF-8
``{"$dict": [[k, v]]}``  a dict with keys that are not all text
``{"$ref": path}``       a dict or list that holds itself: where it begins
``{"$object": class}``   anything else, with its ``repr`` beside it
======================== ======================================================

A key of the user's that begins with ``$`` gets one ``$`` more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from archivedb.plugins import name_of
from archivedb.values.objects import Stub
from archivedb.values.paths import is_utf8
from archivedb.values.scalars import bytes_tree, complex_tree, float_tree, text_tree
from archivedb.values.skeleton import written_key

Tree = Any
"""JSON as Python has it; a shared dict or list is shared in it, too."""

LONG_REPR = 2000


def plain(value: Any) -> Tree:
    """
    Return a value as a tree of nothing but what JSON has.

    One stack and no recursion, so that depth is no limit; a dict or list that
    occurs twice is converted once.
    """
    walk = _Walk()
    return walk.run(value)


class _Walk:
    """One walk over one value."""

    def __init__(self) -> None:
        self._todo: list[tuple[Any, Any, Any]] = []
        # Holding each object keeps its id from being taken by another.
        self._made: dict[int, tuple[Any, Tree]] = {}

    def run(self, value: Any) -> Tree:
        """Return the tree of a value."""
        root: list[Tree] = [None]
        self._todo.append((value, root, 0))
        while self._todo:
            item, holder, slot = self._todo.pop()
            holder[slot] = self._tree(item)
        return root[0]

    def _tree(self, value: Any) -> Tree:
        kind = type(value)
        if value is None or kind is bool or kind is int:
            return value
        if kind is float:
            return float_tree(value)
        if kind is str:
            return text_tree(value)
        known = self._made.get(id(value))
        if known is not None:
            return known[1]
        # numpy's float64 and str_ are also Python's, so they come first.
        module = kind.__module__.partition(".")[0]
        tree = self._numpy(value) if module == "numpy" else self._other(value)
        if isinstance(tree, dict | list):
            self._made[id(value)] = (value, tree)
        return tree

    def _other(self, value: Any) -> Tree:
        if isinstance(value, Mapping):
            return self._mapping(value)
        if isinstance(value, list | tuple):
            return self._items(list(value))
        if isinstance(value, set | frozenset):
            return self._items(_ordered(value))
        if isinstance(value, Stub):
            return self._stub(value)
        for kind, tree in _SCALARS.items():
            if isinstance(value, kind):
                return tree(value)
        return _object(value)

    def _stub(self, stub: Stub) -> Tree:
        tree: dict[str, Tree] = {"$object": stub.class_name, "by": stub.route}
        if stub.size:
            tree["size"] = stub.size
        else:
            tree["state"] = None
            self._todo.append((stub.state, tree, "state"))
        return tree

    def _mapping(self, value: Mapping[Any, Any]) -> Tree:
        items = list(value.items())
        if all(type(key) is str and is_utf8(key) for key, _ in items):
            tree: dict[str, Tree] = dict.fromkeys(written_key(key) for key, _ in items)
            self._todo += [(item, tree, written_key(key)) for key, item in items]
            return tree
        pairs: list[Tree] = [[None, None] for _ in items]
        for pair, (key, item) in zip(pairs, items, strict=True):
            self._todo += [(key, pair, 0), (item, pair, 1)]
        return {"$dict": pairs}

    def _items(self, items: list[Any]) -> Tree:
        tree: list[Tree] = [None] * len(items)
        self._todo += [(item, tree, index) for index, item in enumerate(items)]
        return tree

    def _numpy(self, value: Any) -> Tree:
        import numpy as np

        if isinstance(value, np.ma.MaskedArray):
            return self._masked(value)
        if isinstance(value, np.ndarray):
            return self._array(np.asarray(value))
        if isinstance(value, np.void):
            names = value.dtype.names
            return (
                self._mapping({name: value[name] for name in names})
                if names
                else bytes_tree(value.tobytes())
            )
        if isinstance(value, np.datetime64 | np.timedelta64):
            return str(value)
        item = value.item() if isinstance(value, np.generic) else value
        # A long double has no Python number, and gives itself back.
        return _object(value) if type(item) is type(value) else self._tree(item)

    def _masked(self, value: Any) -> Tree:
        import numpy as np

        if value.dtype.names or value.ndim == 0:
            return _object(value)
        # What is masked is null.
        shown = np.array(value.data, object)
        shown[np.ma.getmaskarray(value)] = None
        return self._array(shown)

    def _array(self, value: Any) -> Tree:
        import numpy as np

        dtype = value.dtype
        is_double = dtype.kind == "f" and dtype.itemsize <= 8  # noqa: PLR2004 - bytes
        if dtype.kind in "biu" or (is_double and bool(np.isfinite(value).all())):
            return value.tolist()
        if dtype.kind in "Mm":
            return value.astype(str).tolist()
        if value.ndim == 0:
            return self._tree(value[()])
        # tolist() would turn the rows of a structured array into tuples.
        return self._items(list(value) if dtype.kind == "V" else value.tolist())


def _ordered(items: AbstractSet[Any]) -> list[Any]:
    """Return a set in an order that is the same every time, if it has one."""
    try:
        return sorted(items)
    except TypeError:
        return sorted(items, key=repr)


_SCALARS: dict[type, Callable[[Any], Tree]] = {
    int: int,
    float: lambda value: float_tree(float(value)),
    complex: complex_tree,
    str: lambda value: text_tree(str.__str__(value)),
    bytes: bytes_tree,
    bytearray: bytes_tree,
    memoryview: bytes_tree,
}
"""The builtins, for the sake of their subclasses."""


def _object(value: Any) -> Tree:
    kind = type(value)
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - any __repr__ may raise anything
        text = f"<its repr raised {type(error).__name__}>"
    if len(text) > LONG_REPR:
        text = text[:LONG_REPR] + "…"
    return {
        "$object": name_of(kind),
        "repr": text.encode(errors="backslashreplace").decode(),
    }
