"""
What a tree of groups is a view of: a skeleton, its arrays, and edits of both.

A `Document` is a file, a record or a piece of memory.  It says what its newest
state is and makes edits durable; this module collects the edits of a ``with``
block, and shows them to those who read inside of it.
"""

from __future__ import annotations

import operator
import threading
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb.errors import EncodeError, KeyNotFoundError, NotAGroupError
from archivedb.values import dtypes, paths
from archivedb.values.arrays import KeptArray, StoredArray, array_of
from archivedb.values.decode import decode
from archivedb.values.editing import Append, Assign, Editing
from archivedb.values.objects import Objects
from archivedb.values.skeleton import Skeleton

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archivedb.values.arrays import Fetch
    from archivedb.values.dtypes import AnyArray, Bytes
    from archivedb.values.editing import Op, Steps
    from archivedb.values.encode import Encoded
    from archivedb.values.skeleton import Tree


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """
    What a document holds at some time.

    Attributes:
        skeleton: The checked skeleton.
        arrays: What its ``$array`` nodes refer to, by number: whatever the
            document reads them by, or arrays that are in memory.
        origin: Whatever else the document needs to read it.

    """

    skeleton: Skeleton
    arrays: Sequence[Any]
    origin: Any = None


def nothing() -> State:
    """Return the state of an empty dict."""
    return State(Skeleton(b"{}"), ())


class Document(ABC):
    """
    A skeleton with arrays that can be read, and be changed by edits.

    Subclasses say what there is (`_state`), read an array (`_fetch`, and
    `_rows` if part of one can be had for less), make edits durable (`_commit`)
    and decide whether objects may be restored (`_require_trusted`).

    One thread at a time edits; others wait, also for the end of its session,
    and until then see nothing of it.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._session: _Session | None = None

    # What subclasses say ------------------------------------------------

    maps = False
    """Whether arrays are given as maps of where they lie, which nobody verifies."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What the outermost group is called."""

    @property
    def path(self) -> str:
        """The path of the outermost group; empty unless it is part of more."""
        return ""

    @abstractmethod
    def _state(self) -> State:
        """Return the newest state; that of an empty dict if there is none yet."""

    @abstractmethod
    def _commit(self, ops: Sequence[Op]) -> None:
        """
        Apply edits to the newest state, all or none, and make it durable.

        What the edits raise has to be raised before anything is changed.
        """

    @abstractmethod
    def _fetch(self, state: State, array: Any, node: Tree) -> Bytes:
        """
        Return the checked bytes of an array, writable and the caller's own.

        Args:
            state: A state that `_state` has returned.
            array: One of its arrays.
            node: A ``$array`` node that refers to it; by another number, if
                edits have moved it.

        """

    def _rows(
        self, state: State, array: Any, node: Tree, start: int, stop: int
    ) -> AnyArray:
        """Return some rows of an array, checked, the caller's own; see `_fetch`."""
        rows: AnyArray = array_of(node, self._fetch(state, array, node))[start:stop]
        return rows

    @abstractmethod
    def _require_trusted(self, state: State) -> None:
        """Raise unless this user trusts what restoring objects would run."""

    # Reading ------------------------------------------------------------

    def state(self) -> State:
        """Return what there is now; inside of a session, with its edits."""
        session = self._own_session()
        return self._state() if session is None else session.state()

    def _own_session(self) -> _Session | None:
        """Return the session that this thread has begun, if it has."""
        session = self._session
        mine = session is not None and session.thread == threading.get_ident()
        return session if mine else None

    def spell(self, steps: Sequence[Any]) -> Steps:
        """
        Return the tokens of a path that may lead to something new.

        Raises:
            EncodeError: A step is no text, and nothing is there.

        """
        session = self._own_session()
        if session is not None and all(type(step) is str for step in steps):
            return session.editing.spell(tuple(steps))
        source = self.state().skeleton
        node = source.root
        known: list[str] = []
        for at, step in enumerate(steps):
            try:
                node, tokens = source.walk((step,), node)
            except (KeyNotFoundError, NotAGroupError):
                return (*known, *map(_new_token, steps[at:]))
            known += tokens
        return tuple(known)

    def read(self, state: State, node: Tree) -> Any:
        """
        Return the value of a node and all below it.

        Raises:
            UntrustedPayloadError: It holds objects that nobody trusted signed.

        """
        objects = Objects(require=lambda: self.require_trusted(state))
        with self._fetching(state) as fetch:
            return decode(state.skeleton, node, fetch, objects)

    @contextmanager
    def _fetching(self, state: State) -> Iterator[Fetch]:
        """Give what fetches the arrays of one reading; it may keep files open."""
        yield lambda number, node: self.fetch(state, number, node)

    def fetch(self, state: State, number: int, node: Tree) -> Bytes:
        """Return the checked bytes of an array, writable and the caller's own."""
        array = state.arrays[number]
        if isinstance(array, StoredArray):
            return np.frombuffer(bytearray(array.raw), np.uint8)
        return self._fetch(self._base(state), array, node)

    def rows(self, state: State, node: Tree, start: int, stop: int) -> AnyArray:
        """Return some rows of a ``$array`` node, checked, the caller's own."""
        array = state.arrays[node["$array"]]
        if isinstance(array, StoredArray):
            # A view of the memory: only what is asked for is copied.
            held = np.frombuffer(array.raw, np.uint8)
            return array_of(node, held)[start:stop].copy()
        return self._rows(self._base(state), array, node, start, stop)

    def require_trusted(self, state: State) -> None:
        """Raise unless the objects in a state may be restored."""
        self._require_trusted(self._base(state))

    def _base(self, state: State) -> State:
        """Return the state that a session began with, or the state itself."""
        return state.origin if isinstance(state.origin, State) else state

    # Changing -----------------------------------------------------------

    @property
    def in_session(self) -> bool:
        """Whether the edits of this thread are collected at present."""
        return self._own_session() is not None

    def change(self, op: Op) -> None:
        """
        Make an edit: durable when this returns, or collected by the session.

        Raises:
            KeyNotFoundError: There is nothing to be removed.
            NotAGroupError: The path goes on below a leaf.
            EncodeError: Rows do not fit the array.

        """
        with self._lock:
            if self._session is None:
                self._commit([op])
            else:
                self._session.change(owned(op))

    def begin(self) -> None:
        """Begin a session, or a part of the one that is open."""
        self._lock.acquire()
        try:
            if self._session is None:
                self._session = _Session(self._state())
            self._session.marks.append(len(self._session.ops))
        except BaseException:
            self._lock.release()
            raise

    def end(self, *, keep: bool) -> None:
        """
        End what was begun last.

        Args:
            keep: Whether its edits count; those of the outermost are made
                durable, together.

        """
        session = self._session
        assert session is not None  # noqa: S101 - begin comes first
        try:
            mark = session.marks.pop()
            if session.marks:
                if not keep:
                    session.back_to(mark)
                return
            self._session = None
            if keep and session.ops:
                self._commit(session.ops)
        finally:
            self._lock.release()


class _Session:
    """
    Edits that are collected.

    Args:
        base: The state that they begin with.

    """

    def __init__(self, base: State) -> None:
        self.thread = threading.get_ident()
        self.ops: list[Op] = []
        self.marks: list[int] = []
        self.editing = Editing(base.skeleton, base.arrays)
        self._base = base
        self._shown: State | None = base

    def change(self, op: Op) -> None:
        """Make an edit, or raise and change nothing."""
        self.editing.do(op)
        self.ops.append(op)
        self._shown = None

    def state(self) -> State:
        """Return the state with the edits."""
        if self._shown is None:
            edited = self.editing.finish()
            source = Skeleton(edited.skeleton)
            self._shown = State(source, edited.arrays, self._base)
        return self._shown

    def back_to(self, count: int) -> None:
        """Forget all edits but the first."""
        if count == len(self.ops):
            return
        kept, self.ops = self.ops[:count], []
        self.editing = Editing(self._base.skeleton, self._base.arrays)
        self._shown = self._base
        for op in kept:
            self.change(op)


def _new_token(step: Any) -> str:
    if type(step) is not str:
        msg = f"a key of a group is text, not {type(step).__name__}: {step!r:.60}"
        raise EncodeError(msg)
    return paths.key_token(paths.token_key(step))


def owned(op: Op) -> Op:
    """
    Return an edit whose arrays nobody else can change.

    `encode` has copied small ones already.

    Raises:
        EncodeError: Another thread changed one since it was encoded.

    """
    if isinstance(op, Assign):
        return replace(op, value=_owned(op.value))
    if isinstance(op, Append):
        return replace(op, rows=_owned(op.rows))
    return op


def _owned(value: Encoded) -> Encoded:
    copied = tuple(map(_copied, value.arrays))
    if all(map(operator.is_, copied, value.arrays)):
        return value
    made = replace(value, arrays=copied)
    made.require_unchanged()
    return made


def _copied(array: StoredArray | KeptArray) -> StoredArray | KeptArray:
    if isinstance(array, KeptArray) or array.blocks is None:
        return array
    held = np.frombuffer(bytearray(array.raw), np.uint8)
    values = dtypes.bytes_array(held, array.values.dtype, array.values.shape)
    address = held.__array_interface__["data"][0]
    return replace(array, values=values, raw=held.data, address=address)
