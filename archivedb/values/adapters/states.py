"""How the adapters of libraries look at states, and prove those they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archivedb.errors import DecodeError, EncodeError

if TYPE_CHECKING:
    from collections.abc import Callable


def expect(value: Any, *classes: type) -> Any:
    """
    Return a part of a state that is an instance of one of these classes.

    `checks.require` wants exactly one of them; here any kind of index will do.

    Raises:
        DecodeError: It is not.

    """
    if not isinstance(value, classes):
        names = " or ".join(cls.__name__ for cls in classes)
        msg = f"a {type(value).__name__} stands where a {names} belongs"
        raise DecodeError(msg)
    return value


def proven(
    pack: Callable[[Any], Any],
    unpack: Callable[[Any], Any],
    same: Callable[[Any, Any], bool],
) -> Callable[[Any], Any]:
    """
    Return a `pack` that proves its state by building the value from it again.

    Only for small values, whose classes have corners that no rule foresees.
    """

    def pack_proven(value: Any) -> Any:
        state = pack(value)
        try:
            exact = same(value, unpack(state))
        except Exception as error:
            msg = f"{value!r:.80} cannot be built again from its parts: {error}"
            raise EncodeError(msg) from error
        if not exact:
            msg = f"{value!r:.80} would not come back as it is"
            raise EncodeError(msg)
        return state

    return pack_proven
