"""The wheel, installed into an empty environment, is all that is needed."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

from archivedb.catalog import schema

CHECKOUT = Path(__file__).resolve().parents[2]

USE = """
import sys
from pathlib import Path
import archivedb
from archivedb import Archive
from archivedb.catalog import schema

assert Path(archivedb.__file__).is_relative_to(sys.prefix), archivedb.__file__
assert schema.migrations_dir().is_relative_to(sys.prefix)
with Archive("runs.db", migrate=True) as archive:
    archive.save({"a": [1.0, 2.0], "f": len}, "x")
    archive.save({"a": 1}, "x", mode="json")
    assert archive.load("x", version=1) == {"a": [1.0, 2.0], "f": len}
    assert archive.verify().ok
assert Archive.migrate_catalog("runs.db").after == schema.HEAD

# From nothing, by the scripts that the wheel carries.
from alembic import command
from alembic.config import Config
engine = schema.migration_engine(Path("scripts.db").absolute(), create=True)
with engine.begin() as connection:
    config = Config()
    config.set_main_option("script_location", str(schema.migrations_dir()))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
with engine.begin() as connection:
    schema.require_current(connection)
engine.dispose()
"""


def run(
    *command: str | Path, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command that must succeed, without the checkout on any path."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of a copy, so that nothing is left in the checkout."""
    copy = tmp_path_factory.mktemp("copy")
    for name in ("archivedb", "migrations"):
        shutil.copytree(
            CHECKOUT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("pyproject.toml", "LICENSE", "README.md"):
        shutil.copy(CHECKOUT / name, copy)
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", cwd=copy)
    (built,) = (copy / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of an environment into which it was installed."""
    place = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", place, cwd=place)
    python = place / "bin" / "python"
    options = ("--no-deps", "--no-index", "--quiet", "--disable-pip-version-check")
    pip = (sys.executable, "-m", "pip", "--python", python, "install", *options)
    run(*pip, wheel, cwd=place)
    # The dependencies come from here; as a plain .pth line, after the
    # environment's own, and without the .pth files that lie there.
    found = run(
        python,
        "-c",
        "import sysconfig; print(sysconfig.get_path('purelib'))",
        cwd=place,
    )
    here = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (Path(found.stdout.strip()) / "dependencies.pth").write_text("\n".join(here) + "\n")
    return python


def test_it_holds_code_and_migrations_only(wheel: Path) -> None:
    """Nothing but the package, its scripts and the metadata is shipped."""
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.split("/")[0].partition("-")[0] for name in names} == {"archivedb"}
    assert "archivedb/migrations/env.py" in names
    assert "archivedb/migrations/versions/0001_first.py" in names
    others = [name for name in names if not name.startswith("archivedb/testing/")]
    assert not [name for name in others if "test" in name]
    assert not [name for name in names if name.endswith(".pyc")]


def test_it_works_from_anywhere(python: Path, tmp_path: Path) -> None:
    """It saves, loads, verifies and migrates, and the checkout is not needed."""
    run(python, "-W", "error", "-c", USE, cwd=tmp_path)

    assert (tmp_path / "runs.db").is_file()


def test_its_command_runs(python: Path, tmp_path: Path) -> None:
    """The command is installed, and lists what Python saved."""
    command = python.parent / "archivedb"
    assert "verify" in run(command, "--help", cwd=tmp_path, COLUMNS="100").stdout
    code = "from archivedb import Archive; Archive('runs.db').save({'a': 1}, 'al/x')"
    run(python, "-c", code, cwd=tmp_path)
    assert "al" in run(command, "ls", cwd=tmp_path, ARCHIVEDB="runs.db").stdout
    migrated = run(command, "migrate", cwd=tmp_path, ARCHIVEDB="runs.db")
    assert schema.HEAD in migrated.stdout


def test_every_import_is_a_dependency() -> None:
    """What archivedb imports, at the top or inside a function, is declared."""
    # The environment above borrows the developer's packages, so that it would
    # not miss one that pyproject.toml forgot.
    imported = set()
    package = CHECKOUT / "archivedb"
    for path in package.rglob("*.py"):
        # An adapter is imported where its library is there already.
        own = {path.stem.partition("_")[0]} if path.parent.name == "adapters" else set()
        if own == {"xarray"}:
            own |= {"pandas"}  # which it brings along
        if path.is_relative_to(package / "testing"):
            own = {"hypothesis", "pytest"}
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found = {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found = {node.module.partition(".")[0]}
            else:
                continue
            imported |= found - own
    third_party = imported - set(sys.stdlib_module_names) - {"archivedb"}
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    declared = {
        re.split(r"[<>=!~ ]", line)[0].lower() for line in project["dependencies"]
    }
    assert set(project["optional-dependencies"]["testing"]) == {
        "hypothesis>=6.100",
        "pytest>=8.3",
    }
    # Extras, which say so where they are missing.
    declared |= {"pandas", "xarray"} & set(project["optional-dependencies"])
    # Typer brings click, whose exceptions it raises.
    assert third_party - {"click"} <= declared
