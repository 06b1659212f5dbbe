"""The examples in the docstrings of all public names are true."""

from __future__ import annotations

import collections.abc
import doctest
from pathlib import Path

import numpy as np
import pytest

import archivedb

WHERE = "/tmp/archivedb-doctest"  # noqa: S108 - replaced by a directory of the test's
NAMES = {name: getattr(archivedb, name) for name in archivedb.__all__}
OTHERS = {"Path": Path, "archivedb": archivedb, "collections": collections, "np": np}


@pytest.fixture
def _own_upgrades(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what the examples of `renamed` and `upgrade` register."""
    for table in ("_RENAMED", "_UPGRADES"):
        monkeypatch.setattr(f"archivedb.values.classes.{table}", {})


def run_example(name: str, docstring: str, place: Path) -> int:
    """Run a docstring's examples, and return how many there are."""
    text = docstring.replace(WHERE, str(place))
    test = doctest.DocTestParser().get_doctest(
        text, {**NAMES, **OTHERS, "__name__": "__main__"}, name, None, None
    )
    said: list[str] = []
    options = doctest.NORMALIZE_WHITESPACE
    doctest.DocTestRunner(optionflags=options).run(test, out=said.append)
    assert not said, "".join(said)
    return len(test.examples)


@pytest.mark.usefixtures("_own_upgrades")
@pytest.mark.parametrize("name", [name for name in NAMES if name != "errors"])
def test_public_name_has_a_true_example(name: str, tmp_path: Path) -> None:
    """Each public name shows how it is used, and that is what happens."""
    assert run_example(name, NAMES[name].__doc__, tmp_path)


def test_the_package_has_a_true_example(tmp_path: Path) -> None:
    """The first thing that `help(archivedb)` shows happens, too."""
    assert run_example("archivedb", archivedb.__doc__ or "", tmp_path)


def test_opening_has_a_true_example(tmp_path: Path) -> None:
    """`Archive.open` shows how a record is edited."""
    assert run_example("open", archivedb.Archive.open.__doc__ or "", tmp_path)
