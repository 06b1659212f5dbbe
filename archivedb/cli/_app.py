"""The application: which commands there are, and how each run of one ends."""

from __future__ import annotations

import inspect
import keyword
import os
import re
import shlex
import sys
from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from archivedb.cli._errors import EXIT_CODES, report
from archivedb.cli._params import lighten

COMMANDS = (
    "init",
    "save",
    "load",
    "ls",
    "tree",
    "show",
    "find",
    "paths",
    "history",
    "diff",
    "tag",
    "untag",
    "annotate",
    "rename",
    "rm",
    "prune",
    "compact",
    "export",
    "import",
    "pull",
    "ingest",
    "trust",
    "verify",
    "salvage",
    "repair",
    "reindex",
    "gc",
    "backup",
    "du",
    "stats",
    "doctor",
    "migrate",
)
"""The order of the help page, which is that of a day's work."""

# `-energy > 3` and `-a<b`, which are no options with values.
_LIKE_AN_OPTION = re.compile(r"-[^-\s<>=!][^\s<>=!]*\s*[<>=!+*/]")

HELP = """
Keep every run's dict in checksummed files, and find it again.

The archive is --db, else the environment variable ARCHIVEDB, else the nearest
catalog in this directory and those above it: an archive.db, or the one *.db
that has its *.payloads beside it.
"""


def _help(docstring: str) -> str:
    """Return a docstring whose indented parts are not wrapped as prose is."""
    paragraphs = inspect.cleandoc(docstring).split("\n\n")
    return "\n\n".join(f"\b\n{text}" if "\n " in text else text for text in paragraphs)


class Command(TyperCommand):
    """One command, whose parameters are read without pydantic."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return its arguments and options."""
        return lighten(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """
        Read the words behind the command.

        Raises:
            Exception: A usage error, of a class that Typer keeps to itself.

        """
        typed = [*args]
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            questions = [word for word in typed if _LIKE_AN_OPTION.match(word)]
            if self.name == "find" and questions and hasattr(error, "message"):
                error.message += (
                    ". A question that begins with - stands behind --: "
                    f"archivedb find -- {shlex.quote(questions[0])}"
                )
            raise


class _Commands(MutableMapping[str, Any]):
    """
    The commands by name, each imported when it is first asked for.

    Importing all of them, and letting Typer read their signatures, costs as
    much as the work of a short one.
    """

    def __init__(self) -> None:
        self._built: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in COMMANDS:
            raise KeyError(name)
        if name not in self._built:
            # `import` is a word of Python's, and so no name of a function.
            own = f"{name}_" if keyword.iskeyword(name) else name
            module = import_module(f"archivedb.cli.{own}")
            single = typer.Typer(add_completion=False, rich_markup_mode=None)
            function = getattr(module, own)
            single.command(name, cls=Command, help=_help(function.__doc__))(function)
            self._built[name] = typer.main.get_command(single)
        return self._built[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._built[name] = command

    def __delitem__(self, name: str) -> None:
        del self._built[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class Group(TyperGroup):
    """The group of all commands: every error becomes a sentence here."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands()

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options that stand before the command."""
        return lighten(super().get_params(ctx))

    def invoke(self, ctx: Any) -> Any:
        """
        Run the command; turn what it raises into a sentence and an exit code.

        Raises:
            Exit: Something was raised that is not a usage error, which Typer
                reports itself.

        """
        try:
            result = super().invoke(ctx)
            # What is still buffered may meet a reader who has gone.
            sys.stdout.flush()
        except (typer.Exit, typer.Abort, EOFError):
            raise
        except (Exception, KeyboardInterrupt) as error:
            code = report(error)
            if code is None:
                raise
            raise typer.Exit(code) from error
        return result


app = typer.Typer(
    cls=Group,
    help=HELP,
    epilog=EXIT_CODES,
    no_args_is_help=True,
    # Rich help pages would double the start-up of every --help, and rewrap
    # the examples.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    from archivedb import __version__

    print(f"archivedb {__version__}")
    raise typer.Exit


@app.callback()
def _archivedb(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version and exit.",
        ),
    ] = False,
) -> None:
    pass


def run() -> None:
    """
    Run the command that ``sys.argv`` asks for, and exit.

    Raises:
        SystemExit: Always, with the exit code.

    """
    _prepare_streams()
    code: Any
    try:
        typer.main.get_command(app).main(prog_name="archivedb")
    except SystemExit as end:
        code = end.code
    except (Exception, KeyboardInterrupt) as error:
        # From outside of any command: while its words were read, or its help
        # was printed.
        code = report(error)
        if code is None:
            raise
    sys.exit(_flushed(code))


def _prepare_streams() -> None:
    """Make streams of those that the shell closed, and of all that show any text."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - until the end
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks is no reason to fail.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _flushed(code: Any) -> Any:
    """Write what is still buffered, and return the exit code."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # Let the interpreter flush into nothing on its way out.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
        return code or report(error)
    return code
