"""The demo tells the truth: what it printed was so, and README shows it."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SWEEP = ROOT / "demo/sweep.py"
DAMAGED = "emt/Cu/a-3.61"


def run_demo(place: Path) -> subprocess.CompletedProcess[str]:
    """Run the demo for a directory."""
    environment = os.environ | {"ARCHIVEDB_KEY": str(place.parent / "keys/signing.key")}
    environment.pop("ARCHIVEDB", None)
    return subprocess.run(
        [sys.executable, "-W", "error", str(SWEEP), place.name],
        cwd=place.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.long
def test_demo_tells_the_truth(tmp_path: Path) -> None:
    """Every claim of the demo holds, and README shows what it prints."""
    # One test, since the demo takes seconds and each worker would run its own.
    place = tmp_path / "demo archive"
    done = run_demo(place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    check_archive(place)
    check_story(done.stdout)
    check_readme(done.stdout)


def check_archive(place: Path) -> None:
    """Look for a record of each of the 91 runs, in three modes, and of the 7 fits."""
    with closing(sqlite3.connect(place / "sweep.db")) as catalog:
        query = "SELECT mode, count(*) FROM version GROUP BY mode ORDER BY mode"
        found = dict(catalog.execute(query))
    assert found == {"cloudpickle": 30, "hdf5": 31, "json": 37}
    # One for all the tags, and one for all the fits.
    for suffix, number in (("zip", 30), ("h5", 31), ("json", 30 + 2)):
        assert len(list(place.glob(f"sweep.payloads/??/*.{suffix}"))) == number


def check_story(printed: str) -> None:
    """Look for what the commands printed, and for the demo's own checks."""
    # One record is found, and the array in which a bit was flipped.
    found = re.findall(r"(?m)^corrupt: (\S+) version 1 ", printed)
    assert found == [f"{DAMAGED}/outputs/forces"]
    assert "\n1 finding: 93 payloads" in printed
    refusal = printed.partition(f"$ archivedb load {DAMAGED}\n")[2].splitlines()[0]
    assert re.fullmatch(
        r"archivedb: 'emt/Cu/a-3\.61' version 1: the array at 'outputs/forces' "
        r"in \S+\.h5 is damaged: .+",
        refusal,
    )
    # Before the damage, and once it is mended.
    assert len(re.findall(r"(?m)^sound: 93 payloads", printed)) == 2
    assert "indexed 93 payloads: 98 records, 98 versions" in printed
    assert re.search(r"all \d+ rows of the catalog are as before", printed)
    assert printed.count("Checked: ") == 12
    assert "NOT TRUE" not in printed
    # Paths and payloads' names may be longer than a line.
    own = [x for x in printed.splitlines() if not re.search(r"[0-9a-f]{32}|^\$ ", x)]
    assert max(map(len, own)) <= 88


def check_readme(printed: str) -> None:
    """Compare the excerpt in README.md, in which … stands for any text."""
    page = (ROOT / "README.md").read_text()
    excerpt = page.partition("<!-- not run: what `make demo` prints -->\n```text\n")[2]
    lines = excerpt.partition("\n```")[0].splitlines()
    assert len(lines) > 5
    for line in lines:
        wanted = ".+?".join(map(re.escape, line.split("…")))
        assert line == "…" or re.search(rf"(?m)^{wanted}$", printed), line


def test_demo_deletes_nothing_else(tmp_path: Path) -> None:
    """A directory with something else in it is left alone."""
    place = tmp_path / "demo"
    place.mkdir()
    for name in ("sweep.db", "thesis.tex"):
        (place / name).write_text("years of work")
    done = run_demo(place)
    assert done.returncode == 1
    assert "thesis.tex" in done.stderr
    assert sorted(path.name for path in place.iterdir()) == ["sweep.db", "thesis.tex"]
