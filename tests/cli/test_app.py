"""What every command has in common: help, errors, exit codes, start-up."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from archivedb.cli._app import COMMANDS
from archivedb.errors import CatalogError
from tests.support import fresh

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    Run = Callable[..., Result]
    Shell = Callable[..., subprocess.CompletedProcess[str]]

HEAVY = ("h5py", "alembic", "pandas", "xarray", "cryptography", "cloudpickle")
HEAVY += ("pydantic", "rich")


def test_help_of_the_application_documents_the_exit_codes(run: Run) -> None:
    """``archivedb --help`` names every command and exit code."""
    text = run("--help").stdout
    assert all(f"\n  {name} " in text for name in COMMANDS)
    assert all(f" {code}  " in text for code in (0, 1, 2, 3, 70, 130))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command_has_an_example(run: Run, name: str) -> None:
    """The help of a command shows how it is called, on lines of their own."""
    text = run(name, "--help").stdout
    example = text.partition("Example")[2].partition("Options:")[0]
    assert f"\n      archivedb {name}" in example or f"| archivedb {name}" in example
    assert "--db" in text
    assert "--json" in text


def test_version(run: Run) -> None:
    """``--version`` prints one line."""
    assert run("--version").stdout.startswith("archivedb ")


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such-command",),
        ("ls", "--no-such-option"),
        ("load",),
        ("load", "x", "--version", "0"),
        ("load", "x", "--version", "one"),
        ("verify", "--level", "deepest"),
        ("verify", "--jobs", "0"),
        ("find", "n=1", "n=2"),
        ("find", "--json", "--csv"),
        ("find", "--count", "--explain"),
        ("find", "--limit", "-1"),
        ("tag", "cu"),
        ("tag", "-t", "x"),
        ("annotate", "cu"),
        ("annotate", "cu", "a"),
        ("rename", "cu"),
        ("load", "cu", "al/fcc/run-1", "-o", "x.json"),
        ("load", "-", "-"),
        ("load", "cu", "-0"),
        ("save", "-", "x", "-m", "project"),
        ("save", "-", "x", "-m", "a=1", "-m", "a=2"),
        ("save", "data.txt", "x"),
        ("save", "-", "x", "--on-exists", "replace"),
        ("load", "x", "-o", "x.txt"),
    ],
)
def test_wrong_usage_is_2(run: Run, arguments: tuple[str, ...]) -> None:
    """Wrong usage says what is wrong, on stderr, and ends with 2."""
    result = run(*arguments, code=2)
    assert result.stdout == ""
    assert "Error: " in result.stderr


@pytest.mark.usefixtures("archive")
def test_unknown_mode_is_wrong_usage(run: Run) -> None:
    """A mode that nobody registered is wrong usage, too."""
    result = run("save", "-", "x", "--mode", "yaml", code=2, stdin="{}")
    assert "yaml" in result.stderr


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "none"),
        ("load", "none"),
        ("load", "al"),
        ("load", "al/fcc/run-1/outputs/none"),
        ("load", "al/fcc/run-1/outputs/energy/deeper"),
        ("load", "al/fcc/run-1", "--version", "9"),
        ("tree", "none"),
        ("history", "none"),
        ("rm", "none"),
        ("rm", "al"),
        ("ls", "none"),
        ("ls", "-r", "none"),
        ("ls", "-lr", "none"),
        ("ls", "--json", "none"),
        ("ls", "cu/x"),
        ("ls", "-r", "cu/x"),
        ("ls", "a//b"),
        ("save", "none.json", "x"),
        ("tag", "none", "-t", "x"),
        ("tag", "cu", "none", "-t", "x"),
        ("tag", "al", "-t", "x"),
        ("untag", "none", "-t", "x"),
        ("annotate", "none", "a=1"),
        ("rename", "none", "x"),
        ("rename", "al", "x"),
        ("rename", "cu", "al"),
        ("rename", "cu", "al/fcc/run-1"),
        ("find", "--under", "none"),
    ],
)
def test_what_cannot_be_done_is_1(run: Run, arguments: tuple[str, ...]) -> None:
    """What is not there is one sentence on stderr, and exit code 1."""
    result = run(*arguments, code=1)
    assert result.stdout == ""
    assert result.stderr.startswith("archivedb: ")
    assert result.stderr.count("\n") == 1


READING = [
    ("load", "x"),
    ("ls",),
    ("ls", "-r"),
    ("tree",),
    ("show", "x"),
    ("find",),
    ("paths",),
    ("history", "x"),
    ("tag", "x", "-t", "y"),
    ("untag", "x", "-t", "y"),
    ("annotate", "x", "y=1"),
    ("rename", "x", "y"),
    ("rm", "x"),
    ("verify",),
    ("reindex",),
    ("migrate",),
]


@pytest.mark.parametrize("arguments", READING)
def test_no_archive_is_3(run: Run, arguments: tuple[str, ...]) -> None:
    """Without an archive every command but two says how to create one."""
    result = run(*arguments, code=3)
    assert "archivedb init" in result.stderr
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("arguments", READING)
def test_named_archive_that_is_not_there_is_3(
    run: Run, arguments: tuple[str, ...]
) -> None:
    """An address where nothing is stays empty when it is read."""
    result = run(*arguments, "--db", "none.db", code=3)
    assert "none.db" in result.stderr
    assert list(Path().iterdir()) == []


def test_file_that_is_no_catalog_is_3(run: Run) -> None:
    """A file that is something else cannot be opened, and stays as it is."""
    Path("other.db").write_text("this is no catalog, whatever its name is\n" * 100)
    result = run("ls", "--db", "other.db", code=3)
    assert "other.db" in result.stderr
    assert Path("other.db").read_text().startswith("this is no catalog")


def _raising(error: BaseException) -> Callable[..., Any]:
    def raise_it(*_args: Any, **_options: Any) -> None:
        raise error

    return raise_it


@pytest.mark.usefixtures("archive")
def test_a_bug_is_70(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody expected is a sentence that says so."""
    monkeypatch.setattr("archivedb.Archive.names", _raising(ZeroDivisionError("odd")))
    result = run("ls", "-r", code=70)
    assert result.stderr.startswith("archivedb: this is a bug in archivedb: ")
    assert "ZeroDivisionError: odd" in result.stderr
    assert "ARCHIVEDB_DEBUG=1" in result.stderr


@pytest.mark.usefixtures("archive")
def test_debugging_shows_the_traceback() -> None:
    """``ARCHIVEDB_DEBUG=1`` lets an unexpected error through."""
    script = (
        "import sys, archivedb\n"
        "from archivedb.cli import main\n"
        "def bad(*a, **k): raise ZeroDivisionError('odd')\n"
        "archivedb.Archive.names = bad\n"
        "sys.argv = ['archivedb', 'ls', '-r']\n"
        "main()\n"
    )
    for debug, expected in (("1", True), ("0", False)):
        environment = os.environ | {"ARCHIVEDB_DEBUG": debug}
        done = fresh.run("-c", script, environment=environment)
        assert ("Traceback" in done.stderr) is expected
        assert done.returncode == (1 if expected else 70)


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (CatalogError("it is broken"), 3, "it is broken"),
        (PermissionError(13, "Permission denied", "x.h5"), 1, "x.h5: Permission"),
        (OSError(28, "No space left on device"), 1, "No space left"),
        (MemoryError(), 1, "memory"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (BrokenPipeError(32, "Broken pipe"), 141, ""),
    ],
)
def test_each_kind_of_error_has_its_exit_code(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    said: str,
) -> None:
    """Whatever a command meets ends in a sentence and a documented code."""
    monkeypatch.setattr("archivedb.Archive.names", _raising(error))
    result = run("ls", "-r", code=code)
    assert said in result.stderr
    assert bool(result.stderr) is bool(said)


@pytest.mark.usefixtures("archive")
def test_messages_hold_no_control_characters(run: Run) -> None:
    """A name cannot send commands to the terminal by way of an error."""
    result = run("show", "a\x1b[2J", code=1)
    assert "\x1b" not in result.stderr
    assert "\\x1b" in result.stderr


LIGHT = [
    ("ls",),
    ("ls", "-r"),
    ("tree",),
    ("show", "cu"),
    ("history", "cu"),
    ("find",),
    ("find", "n > 0", "project=al", "--order-by", "-n", "-n", "5", "-c", "name,n"),
    ("find", "--csv", "--tag", "good", "--under", "al", "--offset", "1"),
    ("find", "--json", "-c", "name"),
    ("paths",),
]


@pytest.mark.usefixtures("archive")
def test_start_up_is_light() -> None:
    """Commands that only look at the catalog import nothing heavy."""
    script = (
        "import sys\n"
        "from archivedb.cli import main\n"
        f"for arguments in {LIGHT!r}:\n"
        "  sys.argv = ['archivedb', *arguments]\n"
        "  try: main()\n"
        "  except SystemExit as end: assert not end.code, (arguments, end.code)\n"
        f"  heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "  assert not heavy, (arguments, heavy)\n"
        "print('all are light')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "all are light"


def test_exit_codes_of_processes(shell: Shell, archive: str) -> None:
    """The process ends with the code that was decided, and no traceback."""
    for arguments, code in (
        (["ls"], 0),
        (["show", "none"], 1),
        (["ls", "--oops"], 2),
        (["ls", "--db", "none.db"], 3),
        (["ls", "--db", archive], 0),
    ):
        done = shell(*arguments, cold=code == 1)
        assert done.returncode == code
        assert "Traceback" not in done.stderr


def test_archive_from_the_environment(
    shell: Shell, archive: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``ARCHIVEDB`` names the archive, and ``--db`` overrides it."""
    monkeypatch.chdir(tmp_path)
    assert shell("ls", ARCHIVEDB=archive).stdout == "al/\ncu\n"
    assert shell("ls", "--db", "none.db", ARCHIVEDB=archive).returncode == 3


@pytest.mark.usefixtures("archive")
def test_a_reader_that_leaves_is_quiet() -> None:
    """``archivedb ls -r | head -1`` says nothing on stderr."""
    command = f"{shlex.quote(fresh.executable('archivedb'))} load cu"
    done = subprocess.run(  # noqa: S602 - a pipe is what is tested
        f"{command} | true", shell=True, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    script = "sleep 0.5; exec 0<&-"
    done = subprocess.run(  # noqa: S602 - as above
        f"({command}; echo $? >code) | ({script})",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert Path("code").read_text().strip() in ("0", "141")


@pytest.mark.usefixtures("archive")
def test_interrupted_is_130() -> None:
    """Ctrl-C ends a command with one word and 130."""
    script = (
        "import sys, time, archivedb\n"
        "from archivedb.cli import main\n"
        "def slow(*a, **k):\n"
        "    open('begun', 'w').close()\n"
        "    time.sleep(30)\n"
        "archivedb.Archive.names = slow\n"
        "sys.argv = ['archivedb', 'ls', '-r']\n"
        "main()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 30
        while not Path("begun").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == "archivedb: interrupted\n"


@pytest.mark.usefixtures("archive")
def test_a_terminal_without_unicode(shell: Shell) -> None:
    """Names and values are escaped where they cannot be shown."""
    # An interpreter chooses the encoding when it starts.
    assert shell("save", "-", "größe", stdin='{"Å": "µ"}').returncode == 0
    done = shell("ls", cold=True, PYTHONIOENCODING="ascii")
    assert done.stdout == "al/\ncu\ngr\\xf6\\xdfe\n"
    done = shell("load", "größe", cold=True, PYTHONIOENCODING="ascii")
    assert json.loads(done.stdout) == {"Å": "µ"}


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("ls >&-", 0, ""),
        ("ls 2>&-", 0, ""),
        ("ls <&-", 0, ""),
        ("show none >&- 2>&-", 1, ""),
        ("save - x <&-", 1, "not JSON"),
        ("ls >/dev/full", 1, "No space left"),
        ("load cu >/dev/full", 1, "No space left"),
        ("--help >/dev/full", 1, "No space left"),
    ],
)
def test_streams_that_are_closed_or_full(command: str, code: int, said: str) -> None:
    """A stream that the shell closed, or a full disk, is no traceback."""
    if "/dev/full" in command and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    done = subprocess.run(  # noqa: S602 - redirections are what is tested
        f"{shlex.quote(sys.executable)} -m archivedb {command}",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert said in done.stderr
    assert bool(done.stderr) is bool(said)
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize(
    "arguments",
    [
        ("show",),
        ("load",),
        ("ls",),
        ("rm",),
        ("find",),
        ("find", "--under"),
    ],
)
def test_bytes_that_are_no_text(arguments: tuple[str, ...]) -> None:
    """A name that is not UTF-8 is wrong usage."""
    done = subprocess.run(
        [sys.executable, "-m", "archivedb", *arguments, b"a=\xff"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "not valid UTF-8" in done.stderr


def test_an_empty_address(run: Run) -> None:
    """An address that is empty is said to be, and nothing is searched for."""
    assert "--db" in run("ls", "--db", "", code=3).stderr
