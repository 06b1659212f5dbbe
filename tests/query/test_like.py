"""`like` in Python means what it means in SQLite, and never takes for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Text, bindparam, create_engine, select
from sqlalchemy.pool import StaticPool

from archivedb import Archive
from archivedb.catalog.dialect import like
from archivedb.errors import QueryError
from archivedb.query.calls import MAX_LIKE
from archivedb.query.evaluate import _is_like
from archivedb.query.parse import parse
from tests.support.payloads import within

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

# Few characters, so that many a text matches; each that GLOB, LIKE or a
# regular expression may take for something else, and some of several bytes.
CHARACTERS = "aab**??[]^-!\\%_.A\u00e9e\u0301\U0001f600\n "
texts = st.text(CHARACTERS, max_size=12)


@pytest.fixture(scope="module")
def sqlite() -> Iterator[Connection]:
    """Return a connection to a database in memory."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[Archive]:
    """Return an archive that waits for nothing."""
    with Archive(tmp_path / "a.db", durability="relaxed", provenance=False) as opened:
        yield opened


def in_sql(connection: Connection, text: str, pattern: str) -> bool:
    """Return what the index answers."""
    column = bindparam("text", text, Text())
    found = connection.execute(select(like(column, pattern, connection.dialect)))
    return bool(found.scalar_one())


@settings(max_examples=300)
@given(text=texts, pattern=texts)
def test_any_pattern(sqlite: Connection, text: str, pattern: str) -> None:
    """Patterns that have nothing to do with the text."""
    assert _is_like(text, pattern) is in_sql(sqlite, text, pattern)


@settings(max_examples=300)
@given(data=st.data(), text=texts)
def test_patterns_that_fit(sqlite: Connection, data: st.DataObject, text: str) -> None:
    """Patterns made of the text: parts of it left out for a ``*`` or a ``?``."""
    pieces = []
    for character in text:
        choices = [character, "?", "*", f"{character}*", "", "**", "*?"]
        pieces.append(data.draw(st.sampled_from(choices)))
    pattern = "".join(pieces)

    assert _is_like(text, pattern) is in_sql(sqlite, text, pattern)


@pytest.mark.parametrize(
    ("text", "pattern", "fits"),
    [
        ("", "", True),
        ("", "*", True),
        ("", "?", False),
        ("a", "", False),
        ("a", "A", False),
        ("ab", "a*b", True),
        ("a", "a*a", False),
        ("aa", "a*a", True),
        ("aba", "a*b*a", True),
        ("aab", "*a?", True),
        ("abab", "*ab", True),
        ("a", "*a*a*", False),
        ("aba", "*ab*ba*", False),
        ("a\nb", "a?b", True),
        ("\U0001f600", "?", True),
        ("[ab]", "[ab]", True),
        ("a", "[ab]", False),
        ("a", "[^b]", False),
        ("]", "]", True),
        ("[", "[", True),
        ("a\\", "a\\", True),
        ("a*", "a\\*", False),
    ],
)
def test_what_patterns_mean(
    sqlite: Connection,
    text: str,
    pattern: str,
    fits: bool,  # noqa: FBT001 - expected
) -> None:
    """A bracket is a bracket, and a backslash escapes nothing."""
    assert _is_like(text, pattern) is fits
    assert in_sql(sqlite, text, pattern) is fits


@pytest.mark.parametrize(
    "pattern", ["*a" * 40 + "*b", "*?" * 40 + "*b", "*a?" * 40 + "*b", "*" * 5000 + "b"]
)
def test_no_pattern_takes_for_ever(sqlite: Connection, pattern: str) -> None:
    """A text of thousands of characters is left after one walk along it."""
    with within(2):
        assert not _is_like("a" * 3000, pattern)
        assert _is_like("a" * 3000 + "b", pattern)
        assert not in_sql(sqlite, "a" * 1000, pattern)


def test_long_patterns_are_refused(fast: Archive) -> None:
    """SQLite takes some 50,000 bytes; what is longer is a mistake, and no bug."""
    fast.save({"t": "a" * 900, "long": "\U0001f600" * MAX_LIKE}, "it")

    for path, pattern, found in (
        ("t", "*" * MAX_LIKE, 1),
        ("t", "[" * MAX_LIKE, 0),
        ("t", "\U0001f600" * MAX_LIKE, 0),
        ("long", "\U0001f600" * MAX_LIKE, 1),
        ("name", "[" * MAX_LIKE, 0),
    ):
        assert fast.find(f"like({path}, p)", {"p": pattern}).count() == found
    with pytest.raises(QueryError, match="longer than 10,000 characters"):
        fast.find("like(t, p)", {"p": "*" * (MAX_LIKE + 1)})
    with pytest.raises(QueryError, match="longer than 1,000 characters"):
        parse(f"matches(t, '{'a' * 1001}')")
