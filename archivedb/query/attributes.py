"""What may be asked of an array beside its items: ``forces.shape[0]``."""

from __future__ import annotations

from archivedb.values.leaves import MAX, MEAN, MIN, SHAPE
from archivedb.values.paths import token_item

RANGES = {"min": MIN, "max": MAX, "mean": MEAN}
OF_ROW = ("dtype", "ndim")
NAMES = (*RANGES, *OF_ROW, "shape")


def attribute(steps: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """
    Return how else a path may be read: as what is known of an array.

    Returns:
        At most one pair: which view of the leaf, and the tokens that lead to
        it; nothing if the path can only be one of keys.

    """
    if len(steps) < 2:  # noqa: PLR2004 - an array and its attribute
        return ()
    *above, last = steps
    if last in RANGES:
        return (("value", (*above, RANGES[last])),)
    if last in OF_ROW:
        return ((last, tuple(above)),)
    if last == "shape":
        return (("shape", tuple(above)),)
    if above[-1:] == ["shape"] and len(above) > 1 and token_item(last) is not None:
        return (("value", (*above[:-1], SHAPE, last)),)
    return ()
