"""Names of payload files: in order, parsed strictly, and never outside."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archivedb.errors import CatalogError
from archivedb.formats import uuids
from archivedb.store import naming
from archivedb.store.directory import PayloadStore

UUID = "01a20888-913a-70dc-8c31-de17c5ebe091"
NAME = f"{UUID}-{'0a' * 16}.h5"


def test_uuids_increase(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of one process are in order, even while the clock goes back."""
    made = [uuids.uuid7() for _ in range(5000)]
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now - 3600 * 10**9)
    made += [uuids.uuid7() for _ in range(100)]

    assert made == sorted(set(made))


def test_uuids_are_of_version_7() -> None:
    """The time is in the first 48 bits, as RFC 9562 has it."""
    before = time.time_ns() // 1_000_000
    made = uuids.uuid7()

    assert made[14] == "7"
    assert made[19] in "89ab"
    assert uuids.uuid7_milliseconds(made) >= before
    later = uuids.uuid7_milliseconds(made) + 10_000
    assert uuids.uuid7_milliseconds(uuids.uuid7(later)) > later


def test_threads_share_the_order() -> None:
    """No two threads are ever given the same."""
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda: made.extend(uuids.uuid7() for _ in range(500)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(made)) == 2000


def test_a_name_is_parsed_as_it_is_written() -> None:
    """A file's name has a uuid, the digits of its bytes, and a suffix."""
    parsed = naming.parse(NAME)

    assert parsed is not None
    assert (parsed.uuid, parsed.digits, parsed.suffix) == (UUID, "0a" * 16, ".h5")
    assert str(parsed) == NAME
    assert parsed.relative == f"91/{NAME}"


BAD = [
    *("", ".", "..", "x", NAME.upper(), f" {NAME}", f"{NAME}\n", f"./{NAME}"),
    *(NAME[:-3], NAME[:-4], f"{NAME}/x", NAME.replace("-7", "-4"), f"../{NAME}"),
    *(NAME.replace("0a", "xx"), f"{NAME}.tmp", f".{NAME}", NAME.replace("0", "\u0660")),
]


@pytest.mark.parametrize("name", BAD)
def test_anything_else_is_no_name(name: str, tmp_path: Path) -> None:
    """What is not exactly a payload's name is never resolved to a file."""
    assert naming.parse(name) is None
    with pytest.raises(CatalogError):
        PayloadStore(tmp_path).resolve(f"91/{name}")


@pytest.mark.parametrize("shard", ["", "..", "92", "91/..", "91/91", ".", "9", "/91"])
def test_a_payload_is_in_its_own_directory(shard: str, tmp_path: Path) -> None:
    """A name that is right in the wrong place is refused as well."""
    with pytest.raises(CatalogError):
        PayloadStore(tmp_path).resolve(f"{shard}/{NAME}")


@given(st.text())
def test_no_text_leads_out_of_the_store(text: str) -> None:
    """Whatever a catalog says, the file lies below the store, or is refused."""
    root = Path("/some/store")
    try:
        path = PayloadStore(root).resolve(text)
    except CatalogError:
        return
    assert path.is_relative_to(root)
    assert ".." not in path.parts
