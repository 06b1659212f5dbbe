"""Times: every one in a question is an instant, and text without a zone is UTC."""

from __future__ import annotations

import datetime as dt

EXAMPLE = '"2026-11-01" or "2026-11-01T12:00"'


def instant(text: str) -> dt.datetime | None:
    """
    Return the instant that a text in ISO 8601 says, or None if it is none.

    >>> instant("2026-11-01").isoformat()
    '2026-11-01T00:00:00+00:00'
    """
    try:
        return utc(dt.datetime.fromisoformat(text.strip()))
    except (ValueError, OverflowError):
        return None


def day(text: str) -> dt.datetime | None:
    """Return the first instant of a day in ISO 8601, or None if it is none."""
    try:
        return utc(dt.date.fromisoformat(text.strip()))
    except ValueError:
        return None


def utc(time: dt.date) -> dt.datetime:
    """
    Return a date or time as an instant, without classes of other libraries.

    Raises:
        OverflowError: It lies before year 1 or behind year 9999 in UTC.

    """
    if not isinstance(time, dt.datetime):
        return dt.datetime(time.year, time.month, time.day, tzinfo=dt.UTC)
    plain = dt.datetime.combine(
        dt.date(time.year, time.month, time.day),
        dt.time(time.hour, time.minute, time.second, time.microsecond),
        tzinfo=time.tzinfo or dt.UTC,
    ).replace(fold=time.fold)
    return plain.astimezone(dt.UTC)


def now() -> dt.datetime:
    """Return this instant."""
    return dt.datetime.now(dt.UTC)


def today() -> dt.datetime:
    """Return the first instant of this day, in UTC."""
    return utc(now().date())
