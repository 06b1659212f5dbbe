"""
The way back: a skeleton and its arrays become the Python value.

Each container is a generator that asks for what is in it, and one loop runs
them all, so no depth is too deep.  Containers are made first and filled
afterwards, so cycles close; a tuple that is needed before it is whole is begun
once more, with what is there by then.
"""

from __future__ import annotations

from types import GeneratorType
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb.errors import ArchiveError, DecodeError, RestoreError
from archivedb.values import classes, pickled, scalars, skeleton
from archivedb.values.adapters import adapter_named
from archivedb.values.arrays import joined, value_of
from archivedb.values.objects import Objects, Stub, pickle_stub, restore

if TYPE_CHECKING:
    from collections.abc import Callable

    from archivedb.values.arrays import Fetch
    from archivedb.values.dtypes import AnyArray, Bytes
    from archivedb.values.objects import Walk
    from archivedb.values.skeleton import Skeleton, Tree


def decode(source: Skeleton, node: Tree, fetch: Fetch, objects: Objects) -> Any:
    """
    Return the value of a node and all below it.

    Args:
        source: The skeleton that the node belongs to.
        node: Its root, or any part of it.
        fetch: Returns the checked bytes of a ``$array`` node, writable and the
            caller's own.
        objects: What becomes of objects.

    Raises:
        DecodeError: The skeleton is not of the documented form.
        RestoreError: An object's class is gone, or refuses its state.

    """
    with skeleton.well_formed("skeleton"):
        return _Reader(source, fetch, objects).run(node)


def decode_inline(tree: Tree) -> Any:
    """
    Return what `encode_inline` or `encode_key` encoded.

    Where what a value needs is not installed, a `Stub` stands.
    """
    source = skeleton.Skeleton.of(tree)
    return decode(source, source.root, _no_array, Objects(stub_missing=True))


_ELSEWHERE = frozenset({skeleton.NODE_TAG, skeleton.PATH_TAG})
"""The tags of what stands in another place."""


def _no_array(number: int, _node: Tree) -> Bytes:
    msg = f"array {number} stands where no array can be"
    raise DecodeError(msg)


def _adapting(kind: str, function: Callable[..., Any], *args: Any) -> Any:
    """Call an adapter; what it raises says that the state is not one of its own."""
    try:
        return function(*args)
    except ArchiveError:
        raise
    except Exception as error:
        msg = f"what is stored is no {kind}: {type(error).__name__}: {error}"
        raise DecodeError(msg) from error


def _no_state(state: Any) -> Any:
    raise TypeError(state)


class _Reader:
    """One walk over one skeleton."""

    def __init__(self, source: Skeleton, fetch: Fetch, objects: Objects) -> None:
        self._source = source
        self._fetch = fetch
        self._objects = objects
        self._allowed = self._stubbed = False
        # By the identity of nodes, which the skeleton keeps alive.
        self._built: dict[int, Any] = {}
        self._begun: set[int] = set()
        # How much there was when a tuple was begun last.
        self._entered: dict[int, int] = {}

    def run(self, node: Tree) -> Any:
        stack: list[tuple[Walk, Tree]] = []
        try:
            value = self._start(node)
            while True:
                if type(value) is GeneratorType:
                    stack.append((value, node))
                    value = None
                elif not stack:
                    return value
                try:
                    node = stack[-1][0].send(value)
                except StopIteration as stop:
                    stack.pop()
                    value = stop.value
                else:
                    value = self._start(node)
        except RestoreError as error:
            path = self._path_of([node, *(each for _, each in reversed(stack))])
            if not path:
                raise
            msg = f"{path}: {error}"
            raise RestoreError(msg) from error

    def _path_of(self, nodes: list[Tree]) -> str:
        """Return where the first of some nodes stands that is an object."""
        wanted = {id(node) for node in nodes if skeleton.is_executable(node)}
        found = [path for path, at in self._source.places() if id(at) in wanted]
        # The deepest of them is where it happened.
        return max(found, key=len, default="")

    def _start(self, node: Tree) -> Any:
        """Return the value of a node, or the generator that makes it."""
        if skeleton.tag_of(node) in _ELSEWHERE:
            node = self._source.resolve(node)
        kind = type(node)
        if kind is not list and kind is not dict:
            return node
        if self._source.shares and id(node) in self._built:
            return self._built[id(node)]
        tag = skeleton.tag_of(node)
        if id(node) in self._begun:
            if tag == "$tuple" and self._has_grown(node):
                return self._tuple(node)
            msg = "the skeleton has a value that would have to be made of itself"
            raise DecodeError(msg)
        if kind is list:
            return self._list(node)
        if tag is None:
            return self._dict(node)
        read = _TAGS.get(tag)
        if read is None:
            msg = f"the skeleton holds a {tag!r}, which this archivedb is too old for"
            raise DecodeError(msg)
        return read(self, node)

    def _has_grown(self, node: Tree) -> bool:
        """
        Return whether beginning a tuple once more can lead to its end.

        What is in it refers to it.  Its items that are there by now need not
        be made, so that it can be whole before those that wait for it; but if
        none has come since, there would be no end.
        """
        before, now = self._entered.get(id(node), -1), len(self._built)
        self._entered[id(node)] = now
        return now > before

    # Containers ---------------------------------------------------------

    def _list(self, node: list[Tree]) -> Walk:
        made: list[Any] = list(node)
        self._built[id(node)] = made
        for index, child in enumerate(node):
            if type(child) is dict or type(child) is list:
                made[index] = yield child
        return made

    def _dict(self, node: dict[str, Tree]) -> Walk:
        if self._source.escapes:
            made = {
                skeleton.read_key(written): child for written, child in node.items()
            }
        else:
            made = dict(node)
        self._built[id(node)] = made
        for key, child in made.items():
            kind = type(child)
            if kind is dict or kind is list:
                # The key is there already, so its order does not change.
                made[key] = yield child
        return made

    def _pairs(self, node: Tree) -> Walk:
        made: dict[Any, Any] = {}
        self._built[id(node)] = made
        for written, child in node["$dict"]:
            if type(written) is str:
                key: Any = written
            elif skeleton.is_object_key(written):
                key = yield written[skeleton.KEY_TAG]
            else:
                key = decode_inline(written)
            made[key] = None
            made[key] = yield child
        return made

    def _tuple(self, node: Tree) -> Walk:
        self._begun.add(id(node))
        items = []
        for child in node["$tuple"]:
            if type(child) is dict or type(child) is list:
                items.append((yield child))
            else:
                items.append(child)
        # Whoever needed it in between has made it, and that is the one.
        made = self._built.setdefault(id(node), tuple(items))
        self._begun.discard(id(node))
        return made

    def _array_of_objects(self, node: Tree) -> Walk:
        items = node["$objects"]
        flat = np.empty(len(items), object)
        made = flat.reshape(tuple(node["shape"]))
        self._built[id(node)] = made
        for index, child in enumerate(items):
            flat[index] = yield child
        return made

    # Objects ------------------------------------------------------------

    def _adapted(self, node: Tree) -> Walk:
        kind, state = node["$adapted"], node["state"]
        try:
            adapter = adapter_named(kind)
        except ArchiveError:
            if not (self._objects.stub or self._objects.stub_missing):
                raise
            return self._stub(node, Stub(str(kind), "adapter"))
        make, fill = adapter.make, adapter.fill
        if make is not None and fill is not None:
            made = self._built[id(node)] = _adapting(kind, make, state)
        else:
            self._begun.add(id(node))
        packed = yield state
        self._begun.discard(id(node))
        try:
            if make is not None and fill is not None:
                _adapting(kind, fill, made, packed)
            else:
                made = _adapting(kind, adapter.unpack or _no_state, packed)
        except DecodeError:
            # What it holds may be a stub, and so nothing that it could take.
            if not self._stubbed:
                raise
            made = Stub(str(kind), "adapter", packed)
        self._built[id(node)] = made
        return made

    def _stub(self, node: Tree, made: Stub) -> Walk:
        """Put in a stub, which is there before its state: that may lead back."""
        self._stubbed = True
        self._built[id(node)] = made
        state = (yield node["state"]) if "state" in node else None
        object.__setattr__(made, "state", state)
        return made

    def _object(self, node: Tree) -> Walk:
        if self._objects.stub:
            return self._stub(node, Stub(str(node["$object"]), str(node["by"])))
        self._require_allowed()
        self._begun.add(id(node))

        def made(value: Any) -> None:
            self._built[id(node)] = value

        value = yield from restore(node, made)
        self._begun.discard(id(node))
        self._built[id(node)] = value
        return value

    def _require_allowed(self) -> None:
        if not self._allowed:
            self._objects.require()
            self._allowed = True

    # Arrays -------------------------------------------------------------

    def _array(self, node: Tree) -> Any:
        number, stands_for = node["$array"], node.get("as", "array")
        if stands_for == "pickle" and self._objects.stub:
            self._stubbed = True
            made = pickle_stub(node)
        elif stands_for == "pickle":
            self._require_allowed()
            made = classes.present(self._unpickled(number, node))
        else:
            made = value_of(node, self._fetch(number, node))
        self._built[id(node)] = made
        return made

    def _unpickled(self, number: int, node: Tree) -> Any:
        known = pickled.remembered(node["digest"])
        if known is not None:
            return known
        made = pickled.loads(self._fetch(number, node).data)
        pickled.remember(node["digest"], made)
        return made

    def _parts(self, node: Tree) -> AnyArray:
        made = joined(node["$parts"], self._fetch)
        self._built[id(node)] = made
        return made


_TAGS: dict[str, Callable[[_Reader, Tree], Any]] = {
    "$int": lambda _, node: int(node["$int"], 16),
    "$float": lambda _, node: scalars.read_float(node["$float"]),
    "$complex": lambda _, node: complex(*map(decode_inline, node["$complex"])),
    "$str": lambda _, node: scalars.read_scalar(node),
    "$bytes": lambda _, node: scalars.read_scalar(node),
    "$dict": _Reader._pairs,  # noqa: SLF001 - this module's own class
    "$tuple": _Reader._tuple,  # noqa: SLF001
    "$objects": _Reader._array_of_objects,  # noqa: SLF001
    "$array": _Reader._array,  # noqa: SLF001
    "$parts": _Reader._parts,  # noqa: SLF001
    "$adapted": _Reader._adapted,  # noqa: SLF001
    "$object": _Reader._object,  # noqa: SLF001
    "$numpy": lambda _, node: scalars.read_numpy(node),
}
