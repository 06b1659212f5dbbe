"""What an adapter is: how values of one class become plain ones, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Adapter:
    """
    How values of exactly one class are stored, without running any code of theirs.

    Reading back needs no signature, so `unpack` must be safe to call with
    whatever a stranger has written: it may raise anything, but run nothing
    that the state names.

    Args:
        kind: What the skeleton calls the class: its top-level package and its
            name, ``"pandas.DataFrame"``; for built-in classes the name alone.
        cls: The class; values of its subclasses are not meant.
        pack: Returns the value's state: a dict with text keys, a list, an
            ndarray, or one of None, bool, int, float, complex, str, bytes.
            What is inside a dict, a list or an object array may be any value.
        unpack: Returns the value of a state that `pack` made.
        make: For containers that may contain themselves, instead of `unpack`:
            returns an empty value.  It is given the state's JSON, of which
            only scalars can be used.
        fill: With `make`: puts a state into the empty value.

    Example:
        >>> from fractions import Fraction
        >>> adapter = Adapter(
        ...     "fractions.Fraction", Fraction,
        ...     lambda value: [value.numerator, value.denominator],
        ...     lambda state: Fraction(*state),
        ... )
        >>> adapter.unpack(adapter.pack(Fraction(2, 6)))
        Fraction(1, 3)

    """

    kind: str
    cls: type
    pack: Callable[[Any], Any]
    unpack: Callable[[Any], Any] | None = None
    make: Callable[[Any], Any] | None = None
    fill: Callable[[Any, Any], None] | None = None
