"""How the demo talks: chapters, plain words, claims that it checks, commands."""

from __future__ import annotations

import io
import shlex
import sys
from contextlib import redirect_stderr, redirect_stdout
from itertools import count
from unittest.mock import patch

from rich.console import Console

from archivedb.cli import main as archivedb

_console = Console(highlight=False, markup=False, soft_wrap=True)
_chapters = count(1)


def chapter(title: str) -> None:
    """Begin a part of the story."""
    _console.print(f"\n{next(_chapters)}. {title}", style="bold")


def say(text: str) -> None:
    """Print plain words."""
    _console.print(text)


def expect(claim: str, *, true: bool) -> None:
    """Say that something is so, or stop the demo because it is not."""
    if not true:
        say(f"NOT TRUE: {claim}")
        sys.exit(1)
    say(f"Checked: {claim}")


def show(*words: str) -> None:
    """Show a command as one types it."""
    line = shlex.join(words).replace("'|'", "|")
    _console.print(f"$ {line}", style="cyan")


def command(*words: str, code: int = 0) -> None:
    """
    Run archivedb's command line, and check the code with which it exits.

    In this process, which has imported everything already; its errors among
    the rest, where a reader of a pipe looks for them.
    """
    show("archivedb", *words)
    with redirect_stderr(sys.stdout):
        found = _run(*words)
    _expect_code(found, code)


def piped(*words: str) -> None:
    """Run it as into a pipe, where it prints one name a line."""
    show("archivedb", *words, "|", "cat")
    pipe = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with redirect_stdout(pipe):
        found = _run(*words)
    pipe.seek(0)
    sys.stdout.write(pipe.read())
    _expect_code(found, 0)


def _run(*words: str) -> object:
    with patch.object(sys, "argv", ["archivedb", *words]):
        try:
            archivedb()
        except SystemExit as ending:
            return ending.code or 0
    return 0


def _expect_code(found: object, code: int) -> None:
    if found != code:
        say(f"NOT TRUE: the command exits with {code}; it exited with {found}")
        sys.exit(1)
