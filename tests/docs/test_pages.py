"""Every code block in README.md and docs/ runs, and prints what the page shows."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.support import fresh

ROOT = Path(__file__).resolve().parents[2]
RUNNER = Path(__file__).with_name("runner.py")
PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in ROOT.glob("docs/*.md"))]


def run_page(page: Path, place: Path, *options: str, cold: bool = False) -> str:
    """Run a page's blocks in a directory, and return what the runner says."""
    place.mkdir(exist_ok=True)
    tools = Path(sys.executable).parent
    commands = Path(fresh.executable("archivedb")).parent
    assert Path(fresh.executable()).parent == commands
    environment = os.environ | {
        "PATH": os.pathsep.join(map(str, [commands, tools, os.environ["PATH"]])),
        "ARCHIVEDB_KEY": str(place.parent / "keys" / "signing.key"),
        "PYTHONWARNINGS": "error",
    }
    for name in ("ARCHIVEDB", "ARCHIVEDB_DEBUG", "NO_COLOR", "FORCE_COLOR"):
        environment.pop(name, None)
    done = (fresh.run_cold if cold else fresh.run)(
        *(RUNNER, page, *options), directory=place, environment=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.long
@pytest.mark.parametrize("page", [page for page in PAGES if "format" not in page])
def test_page_runs(page: str, tmp_path: Path) -> None:
    """Each block of a page runs and prints what the page shows."""
    assert "blocks ran" in run_page(ROOT / page, tmp_path / "work")


def test_format_is_readable_without_archivedb(tmp_path: Path) -> None:
    """The Python blocks of format.md read every payload without archivedb."""
    page = ROOT / "docs/format.md"
    options = ("--without", "archivedb")
    # In a new interpreter, which has not imported it.
    assert "blocks ran" in run_page(page, tmp_path / "work", *options, cold=True)


@pytest.mark.parametrize("tool", ["h5dump", "jq", "unzip"])
def test_tool_reads_payloads(tool: str) -> None:
    """format.md shows each tool, which ran above if it is on this machine."""
    assert f"<!-- needs: {tool} -->" in (ROOT / "docs/format.md").read_text()
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed: its block of format.md did not run")


def test_runner_notices_other_output(tmp_path: Path) -> None:
    """A page that shows what its code does not print is an error."""
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(2)\n```\n\n```text\n3\n```\n")
    with pytest.raises(AssertionError, match="but it prints"):
        run_page(page, tmp_path / "work")


def test_runner_notices_unknown_blocks(tmp_path: Path) -> None:
    """A block that is not run must say why."""
    page = tmp_path / "page.md"
    page.write_text("```json\n{}\n```\n")
    with pytest.raises(AssertionError, match="why not run"):
        run_page(page, tmp_path / "work")


@pytest.mark.parametrize("page", PAGES)
def test_page_links_lead_somewhere(page: str) -> None:
    """Relative links of a page name files that are there."""
    path = ROOT / page
    for target in re.findall(r"\]\(([^)#\s]+)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_nothing_installs_another_projects_archivedb() -> None:
    """The name on the public index belongs to another project."""
    for page in PAGES:
        assert "pip install archivedb" not in (ROOT / page).read_text()
