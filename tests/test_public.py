"""What `import archivedb` gives, and how little it costs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import archivedb

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = ("sqlalchemy", "h5py", "numpy", "cryptography")


def fresh(program: str) -> Any:
    """Return what a program prints as JSON, in a process of its own."""
    result = subprocess.run(
        [sys.executable, "-c", f"import json, sys\n{program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(result.stdout)


def test_importing_is_cheap() -> None:
    """The import alone loads no library that takes long."""
    loaded = fresh("import archivedb; print(json.dumps(list(sys.modules)))")
    assert not {name.partition(".")[0] for name in loaded} & {
        *HEAVY,
        "alembic",
        "blake3",
        "cloudpickle",
        "orjson",
        "platformdirs",
        "rich",
        "typer",
    }


@pytest.mark.parametrize("name", ["ArchiveError", "errors", "Record"])
def test_light_names_stay_light(name: str) -> None:
    """Errors and records need none of them, either."""
    loaded = fresh(f"from archivedb import {name}; print(json.dumps([*sys.modules]))")
    assert not set(HEAVY) & set(loaded)


def test_public_names_are_all() -> None:
    """What a completion offers is exactly `__all__`, before and after use."""
    program = (
        "import archivedb\n"
        "before = [n for n in dir(archivedb) if not n.startswith('_')]\n"
        "archivedb.Archive\n"
        "after = [n for n in dir(archivedb) if not n.startswith('_')]\n"
        "print(json.dumps([before, after]))"
    )
    before, after = fresh(program)
    assert before == sorted(archivedb.__all__)
    assert after == sorted(archivedb.__all__)


def test_every_public_name_exists() -> None:
    """A star import gives each name, from the module that it says."""
    names = fresh(
        "from archivedb import *\n"
        "print(json.dumps([n for n in dir() if not n.startswith('_')]))"
    )
    assert set(names) == {*archivedb.__all__, "json", "sys"}
    assert sorted(archivedb.__all__) == archivedb.__all__
    for name in archivedb.__all__:
        assert getattr(archivedb, name).__doc__


def test_what_is_returned_is_public(tmp_path: Path) -> None:
    """Whoever annotates a function with it finds its name."""
    with archivedb.Archive(tmp_path / "runs.db") as archive:
        archive.save({"x": 1}, "run")
        paths, found = archive.paths(), archive.find()
        groups: Any = found.group_by("x")
        results = [
            paths,
            paths["x"],
            found,
            groups.agg(n="count"),
            archive.record("run"),
        ]
    names = [type(each).__name__ for each in results]
    assert names == ["Paths", "PathFacts", "RecordSet", "Summary", "Record"]
    for name, each in zip(names, results, strict=True):
        assert getattr(archivedb, name) is type(each)
        assert name in archivedb.__all__


def test_unknown_names() -> None:
    """Any other name is an `AttributeError`."""
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = archivedb.Nothing
    with pytest.raises(ImportError):
        from archivedb import Nothing  # type: ignore[attr-defined]  # noqa: F401
