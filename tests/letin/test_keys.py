"""Signing keys that others could have read, replaced or redirected."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from archivedb.errors import SigningError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from archivedb import Archive

SOMEBODY = 65534


def _readable(key: Path, _: Path) -> None:
    key.chmod(0o604)


def _of_the_group(key: Path, _: Path) -> None:
    key.chmod(0o660)


def _somebodys(key: Path, _: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give a file away")
    os.chown(key, SOMEBODY, -1)


def _link(key: Path, other: Path) -> None:
    key.rename(other)
    key.symlink_to(other)


def _link_nowhere(key: Path, other: Path) -> None:
    key.unlink()
    key.symlink_to(other)


def _device(key: Path, _: Path) -> None:
    key.unlink()
    key.symlink_to("/dev/zero")


def _directory(key: Path, _: Path) -> None:
    key.unlink()
    key.mkdir(mode=0o700)


def _pipe(key: Path, _: Path) -> None:
    key.unlink()
    os.mkfifo(key, 0o600)


def _garbage(key: Path, _: Path) -> None:
    key.write_bytes(b"\0" * 1_000_000)


NEXT = "chmod 600|ARCHIVEDB_KEY|is not a signing key"


@pytest.mark.parametrize(
    "harm",
    [
        *(_readable, _of_the_group, _somebodys, _link, _link_nowhere, _device),
        *(_directory, _pipe, _garbage),
    ],
)
def test_a_key_that_is_not_ones_own_alone(
    archive: Archive,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    harm: Callable[[Path, Path], None],
) -> None:
    """It signs nothing and vouches for nothing; what needs no key goes on."""
    key = tmp_path / "keys" / harm.__name__ / "key"
    monkeypatch.setenv("ARCHIVEDB_KEY", str(key))
    archive.save({"f": len}, "x")
    # In a process that has not read it yet.
    monkeypatch.setattr("archivedb.values.signing._keys", {})
    harm(key, tmp_path / "other")
    for use in (
        lambda: archive.save({"f": len}, "y"),
        lambda: archive.load("x"),
        lambda: archive["x/f"],
    ):
        with pytest.raises(SigningError, match=NEXT):
            use()
    archive.save({"n": 1}, "plain")
    assert archive.load("plain") == {"n": 1}
    assert list(archive) == ["plain", "x"]
    assert not (tmp_path / "other").exists() or harm is _link
