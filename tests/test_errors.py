"""The tree of errors is what its docstring draws, and survives a process pool."""

from __future__ import annotations

import builtins
import pickle
import re

import pytest

from archivedb import errors
from archivedb.errors import ArchiveError

CLASSES = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, ArchiveError)
]


def drawn() -> dict[str, tuple[str | None, str | None]]:
    """Return each class in the docstring's tree with its parent and its builtin."""
    assert errors.__doc__ is not None
    found: dict[str, tuple[str | None, str | None]] = {}
    stack: list[str] = []
    for line in errors.__doc__.splitlines():
        match = re.match(r"    ([│├└─ ]*)(\w+Error)\b(?: \((\w+)\))?", line)
        if match:
            depth = len(match[1]) // 3
            del stack[depth:]
            found[match[2]] = (stack[-1] if stack else None, match[3])
            stack.append(match[2])
    return found


def test_the_docstring_draws_the_tree() -> None:
    """The docstring names every class, its parent and the builtin that it also is."""
    tree = drawn()
    assert sorted(tree) == sorted(kind.__name__ for kind in CLASSES)
    for kind in CLASSES:
        parent, builtin = tree[kind.__name__]
        bases = [base.__name__ for base in kind.__bases__]
        assert bases == [name for name in (parent or "Exception", builtin) if name]


def test_each_leaf_is_a_builtin() -> None:
    """Code that has never heard of archivedb catches every leaf."""
    parents = {base for kind in CLASSES for base in kind.__bases__}
    for kind in set(CLASSES) - parents:
        assert any(
            base is not Exception and vars(builtins).get(base.__name__) is base
            for base in kind.__mro__[1:-3]
        ), kind


@pytest.mark.parametrize("kind", CLASSES)
def test_errors_survive_pickling(kind: type[ArchiveError]) -> None:
    """A worker's error arrives with its class and its message."""
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        error = kind("what happened; what to run")
        found = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301 - our own
        assert type(found) is kind
        assert str(found) == "what happened; what to run"
        assert found.args == error.args


@pytest.mark.parametrize("kind", CLASSES)
def test_messages_are_sentences(kind: type[ArchiveError]) -> None:
    """The text is the message itself, never its repr, and never empty."""
    assert str(kind("it's gone")) == "it's gone"
    assert str(kind()) == kind.__name__
    assert kind.__doc__
