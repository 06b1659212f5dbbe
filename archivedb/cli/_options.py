"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from archivedb.cli._complete import (
    complete_folder,
    complete_name,
    complete_tag,
)


def check_text(text: str) -> str:
    """Refuse bytes that are no text: no name in an archive has such."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise typer.BadParameter(f"{text!r} is not valid UTF-8") from None
    return text


def check_optional(text: str | None) -> str | None:
    """Refuse bytes that are no text, where there may be nothing."""
    return None if text is None else check_text(text)


def check_texts(texts: Any) -> Any:
    """Refuse bytes that are no text in any of several."""
    for text in texts or ():
        check_text(text)
    return texts


Db = Annotated[
    str | None,
    typer.Option(
        "--db",
        envvar="ARCHIVEDB",
        show_envvar=True,
        metavar="ARCHIVE",
        help="The archive: a file, a directory with an archive.db, or a URL.",
    ),
]

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="The record's name.",
        autocompletion=complete_name,
        callback=check_text,
    ),
]

Path = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="The record's name, and a path inside it if wanted.",
        autocompletion=complete_name,
        callback=check_text,
    ),
]

STDIN_HELP = "- reads names from standard input, one a line."

Names = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME",
        help=f"The records' names; {STDIN_HELP}",
        autocompletion=complete_name,
        callback=check_texts,
    ),
]

Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME",
        help=f"A record's name, and a path inside it if wanted; {STDIN_HELP}",
        autocompletion=complete_name,
        callback=check_texts,
    ),
]

Null = Annotated[
    bool,
    typer.Option("--null", "-0", help="Names end with a zero byte, not with a line."),
]

Tags = Annotated[
    list[str],
    typer.Option(
        "--tag",
        "-t",
        metavar="TAG",
        help="The word. Repeat it.",
        autocompletion=complete_tag,
        callback=check_texts,
    ),
]

WantedTags = Annotated[
    list[str] | None,
    typer.Option(
        "--tag",
        "-t",
        metavar="TAG",
        help="A word that they have.",
        autocompletion=complete_tag,
        callback=check_texts,
    ),
]

Under = Annotated[
    str,
    typer.Option(
        "--under",
        metavar="FOLDER",
        help="Only what lies below this folder.",
        autocompletion=complete_folder,
        callback=check_text,
    ),
]

Place = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A record, a path inside one, or a folder; all if left out.",
        autocompletion=complete_name,
        callback=check_text,
    ),
]

Holder = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A record or a folder; all if left out.",
        autocompletion=complete_name,
        callback=check_text,
    ),
]

Folder = Annotated[
    str,
    typer.Argument(
        metavar="FOLDER",
        help="Only what lies below this folder.",
        autocompletion=complete_folder,
        callback=check_text,
    ),
]

Version = Annotated[
    int | None,
    typer.Option("--version", min=1, metavar="N", help="This version, not the newest."),
]


def folder_of(text: str) -> str:
    """Return a folder as the archive names it: people end one with a slash."""
    return text.rstrip("/")
