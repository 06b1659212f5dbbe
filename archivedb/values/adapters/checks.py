"""What adapters ask of a state before they believe it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from archivedb.errors import DecodeError, EncodeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet


def require(value: Any, *kinds: type) -> Any:
    """
    Return a part of a state if it is exactly of one of these classes.

    Raises:
        DecodeError: It is of another class.

    """
    if type(value) not in kinds:
        names = " or ".join(kind.__name__ for kind in kinds)
        msg = f"a {type(value).__name__} stands where a {names} belongs"
        raise DecodeError(msg)
    return value


def require_that(condition: object, what: str) -> None:
    """
    Go on only if a condition holds.

    Raises:
        DecodeError: It does not; says what.

    """
    if not condition:
        raise DecodeError(what)


def require_keys(
    state: Any, needed: AbstractSet[str], others: AbstractSet[str] = frozenset()
) -> Any:
    """
    Return a state if it is a dict with the needed keys, and at most some others.

    Raises:
        DecodeError: It is none, lacks a key or has one too many.

    """
    keys = set(require(state, dict))
    if not needed <= keys <= needed | others:
        msg = f"a state has the keys {sorted(map(str, keys))!r:.200}"
        raise DecodeError(msg)
    return state


@contextmanager
def packing() -> Iterator[None]:
    """
    Say that a value cannot be stored, where its state could not be read.

    Raises:
        EncodeError: What was done inside raised a `DecodeError`.

    """
    try:
        yield
    except DecodeError as error:
        raise EncodeError(str(error)) from error


def require_attributes(value: Any, known: AbstractSet[str] = frozenset()) -> None:
    """
    Go on only if an object has no attributes beside those that are stored.

    Raises:
        EncodeError: It has; its class does not expect any.

    """
    more = sorted(map(str, set(getattr(value, "__dict__", ())) - known))
    if more:
        msg = (
            f"the attributes {', '.join(more):.200} were set on a "
            f"{type(value).__name__}, which has no place for them; "
            "store them beside it"
        )
        raise EncodeError(msg)


class NotAdaptedError(EncodeError):
    """An adapter's class, but a value that another route may know how to store."""
