"""An adapter of another package, found by its entry point."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import fresh

THIRD_PARTY = Path(__file__).parents[2] / "support" / "thirdparty"

SAVE = """
import sys
from archivedb import Archive
sys.path.insert(0, sys.argv[1])
from dirstore import Celsius
with Archive("runs.db", mode=sys.argv[2]) as archive:
    hot = Celsius(451.0)
    archive.save({"hot": hot, "again": [hot]}, "run")
    print(archive.outline("run")[0].text)
"""
LOAD = """
import sys
from archivedb import Archive
sys.path.insert(0, sys.argv[1])
with Archive("runs.db") as archive:
    assert "dirstore" not in sys.modules
    back = archive.load("run")
    hot = back["hot"]
    print(type(hot).__name__, hot.degrees, back["again"][0] is hot)
"""
MISSING = """
from archivedb import Archive
from archivedb.errors import RestoreError
with Archive("runs.db") as archive:
    try:
        archive.load("run")
    except RestoreError as error:
        print(error)
    print(archive.load("run", objects="stub")["hot"].state)
"""


@pytest.mark.parametrize("mode", ["hdf5", "json", "cloudpickle"])
def test_an_entry_point(tmp_path: Path, mode: str) -> None:
    """It is imported when the first value needs it, and told of where it is missing."""

    def run(code: str) -> str:
        done = fresh.run(
            *("-W", "error", "-c", code, THIRD_PARTY, mode), directory=tmp_path
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run(SAVE) == "dirstore.Celsius 451.0 (adapter)\n"
    assert run(LOAD) == "Celsius 451.0 True\n"
    told, state = run(MISSING).splitlines()
    assert "dirstore.Celsius" in told
    assert 'objects="stub"' in told
    assert state == "451.0"
