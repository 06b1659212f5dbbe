"""A state machine that does to a storage what it does to a dict."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from archivedb.errors import EncodeError, KeyNotFoundError, NotAGroupError
from archivedb.testing import values
from archivedb.values.exact import same

if TYPE_CHECKING:
    from archivedb.testing.base import StorageCase

Model = dict[str, Any]

_KEYS = st.sampled_from(["a", "b", "c", "a/b", "", "$x"])
_PATHS = st.lists(_KEYS, min_size=1, max_size=3).map(tuple)
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.binary(max_size=3),
    st.builds(np.arange, st.integers(0, 4)),
    st.just([1, {"x": (2,)}]),
    st.sampled_from([{1, 2}, 1j, values.Colour.RED, range(3)]),
)
_VALUES = st.recursive(
    _LEAVES, lambda below: st.dictionaries(_KEYS, below, max_size=3), max_leaves=6
)


class _Refused(Exception):  # noqa: N818 - never leaves this module
    """The model does not allow it."""


def _group(model: Model, path: tuple[str, ...], *, make: bool) -> Model:
    """Return the group at a path."""
    for key in path:
        if key not in model and make:
            model[key] = {}
        if type(model.get(key)) is not dict:
            raise _Refused
        model = model[key]
    return model


class _Machine(RuleBasedStateMachine):
    case: StorageCase

    @initialize()
    def begin(self) -> None:
        self.storage = self.case.make_storage()
        self.model: Model = {}
        self.before: list[Model] = []

    def _both(self, change: Any, model: Any) -> None:
        """Change the storage as the model; both refuse, or neither does."""
        attempt = copy.deepcopy(self.model)
        try:
            model(attempt)
        except _Refused:
            with pytest.raises((KeyNotFoundError, NotAGroupError, EncodeError)):
                change()
        else:
            change()
            self.model = attempt

    @rule(path=_PATHS, value=_VALUES)
    def assign(self, path: tuple[str, ...], value: Any) -> None:
        def model(tree: Model) -> None:
            _group(tree, path[:-1], make=True)[path[-1]] = copy.deepcopy(value)

        self._both(lambda: self.storage.__setitem__(path, value), model)

    @rule(path=_PATHS)
    def delete(self, path: tuple[str, ...]) -> None:
        def model(tree: Model) -> None:
            group = _group(tree, path[:-1], make=False)
            if path[-1] not in group:
                raise _Refused
            del group[path[-1]]

        self._both(lambda: self.storage.__delitem__(path), model)

    @rule(path=_PATHS)
    def create_group(self, path: tuple[str, ...]) -> None:
        def model(tree: Model) -> None:
            _group(tree, path, make=True)

        self._both(lambda: self.storage.create_group(path), model)

    @rule(path=_PATHS, rows=st.integers(0, 3))
    def append(self, path: tuple[str, ...], rows: int) -> None:
        added = np.arange(rows)

        def model(tree: Model) -> None:
            group = _group(tree, path[:-1], make=True)
            old = group.get(path[-1], added[:0])
            if type(old) is not np.ndarray:
                raise _Refused
            group[path[-1]] = np.concatenate([old, added])

        self._both(lambda: self.storage.append(path, added), model)

    @rule(source=_PATHS, to=_PATHS)
    def copy_over(self, source: tuple[str, ...], to: tuple[str, ...]) -> None:
        def model(tree: Model) -> None:
            group = _group(tree, source[:-1], make=False)
            if source[-1] not in group:
                raise _Refused
            value = copy.deepcopy(group[source[-1]])
            _group(tree, to[:-1], make=True)[to[-1]] = value

        def change() -> None:
            self.storage[to] = self.storage[source]

        self._both(change, model)

    @precondition(lambda self: not self.before)
    @rule()
    def enter(self) -> None:
        self.storage.__enter__()
        self.before.append(copy.deepcopy(self.model))

    @precondition(lambda self: self.before)
    @rule(keep=st.booleans())
    def leave(self, *, keep: bool) -> None:
        before = self.before.pop()
        if keep:
            self.storage.__exit__(None, None, None)
        else:
            error = ValueError()
            self.storage.__exit__(ValueError, error, None)
            self.model = before

    @precondition(lambda self: not self.before)
    @rule()
    def reopen(self) -> None:
        self.storage = self.case.reopen(self.storage)

    @invariant()
    def equals_the_model(self) -> None:
        if not hasattr(self, "storage"):
            return
        todo: list[tuple[Any, Any]] = [(self.storage.load(), self.model)]
        assert same(*todo[0]), f"{todo[0][0]} is not {self.model}"
        while todo:
            found, expected = todo.pop()
            assert list(found) == list(expected)
            todo += [(found[k], v) for k, v in expected.items() if type(v) is dict]
        assert len(self.storage) == len(self.model)


def run(case: StorageCase, examples: int = 40) -> None:
    """Do many sequences of edits to storages of a test case."""

    class Machine(_Machine):
        pass

    Machine.case = case
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
