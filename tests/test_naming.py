"""Names of payload files: in order of time, and proof against forgery."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archivedb.formats import uuids
from archivedb.store import naming

UUID = "0197c9a0-0000-7000-8000-0123456789ab"
GOOD = f"{UUID}-{'0a' * 16}.h5"


def test_uuids_increase() -> None:
    """The UUIDs of one process increase, however fast they are made."""
    made = [uuids.uuid7() for _ in range(10_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_uuids_increase_among_threads() -> None:
    """No two threads make the same, and each sees its own increase."""
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: [uuids.uuid7() for _ in range(500)], range(4)))
    for run in runs:
        assert run == sorted(run)
    assert len({one for run in runs for one in run}) == 2000


def test_uuids_are_of_version_7() -> None:
    """A UUID has the version, the variant and the time that RFC 9562 wants."""
    before = time.time_ns() // 1_000_000
    made = uuids.uuid7()
    parsed = uuid.UUID(made)
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    # Earlier tests may have run ahead of the clock by a few milliseconds.
    assert -1 <= uuids.uuid7_milliseconds(made) - before < 60_000


def test_uuids_follow_others() -> None:
    """A UUID can be made to follow one that a faster clock has made."""
    other = uuids.uuid7_milliseconds(uuids.uuid7()) + 5
    assert uuids.uuid7_milliseconds(uuids.uuid7(after=other)) > other


def test_parse() -> None:
    """A name's parts are those that it was made of."""
    found = naming.parse(GOOD)
    assert found == naming.FileName(UUID, "0a" * 16, ".h5")
    assert str(found) == GOOD
    assert found is not None
    assert found.relative == f"ab/{GOOD}"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "archive.json",
        f"../{GOOD}",
        f"ab/{GOOD}",
        f"{GOOD}\n",
        f"{GOOD}.tmp",
        GOOD.upper(),
        GOOD.replace("-7000-", "-4000-"),
        GOOD.replace("-8000-", "-c000-"),
        GOOD.removesuffix(".h5"),
        GOOD.replace(".h5", "."),
        GOOD.replace(".h5", "./x"),
        GOOD[1:],
        GOOD.replace("0a", "0g", 1),
        GOOD.replace("0197", "٠١٩٧"),
    ],
    ids=ascii,
)
def test_what_is_no_payload(name: str) -> None:
    """Any other name is nobody's payload."""
    assert naming.parse(name) is None


@given(st.text() | st.from_regex(naming._PATTERN))
def test_any_name(name: str) -> None:
    """A name that parses is written the same way again, below its directory."""
    found = naming.parse(name)
    if found is not None:
        assert str(found) == name
        directory, _, file = found.relative.partition("/")
        assert len(directory) == 2
        assert file == name
