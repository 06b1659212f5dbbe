"""How much is to be verified, as people say it: ``"5%"``, ``"30d"``, ``"1h"``."""

from __future__ import annotations

import math
import re
from datetime import timedelta

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")


def seconds(span: str | float | timedelta | None, what: str) -> float | None:
    """
    Return how many seconds a span of time is.

    >>> seconds("1.5h", "max_duration")
    5400.0

    Args:
        span: A number and one of s, m, h, d, w; or seconds, or a timedelta.
        what: Which argument it is, for errors.

    Raises:
        ValueError: It is no span of time.

    """
    if span is None:
        return None
    found = math.nan
    if isinstance(span, timedelta):
        found = span.total_seconds()
    elif isinstance(span, str):
        match = _SPAN.fullmatch(span.strip())
        if match is not None:
            found = float(match[1]) * _UNITS[match[2]]
    elif type(span) in (int, float):
        found = float(span)
    if not 0 <= found < math.inf:
        msg = f"{what} is a span of time like '90s', '30m', '1h', '30d', not {span!r}"
        raise ValueError(msg)
    return found


def fraction(sample: str | float | None) -> float | None:
    """
    Return which part of all a sample is.

    >>> fraction("5%")
    0.05

    Raises:
        ValueError: It is neither a percentage nor a number above 0, up to 1.

    """
    if sample is None:
        return None
    found = math.nan
    if isinstance(sample, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", sample)
        if match is not None:
            found = float(match[1]) / 100
    elif type(sample) in (int, float):
        found = float(sample)
    if not 0 < found <= 1:
        msg = f"sample is a percentage like '5%', or a part like 0.05, not {sample!r}"
        raise ValueError(msg)
    return found
