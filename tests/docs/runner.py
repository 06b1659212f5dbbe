"""
Run every code block of a document, and compare what it prints with the page.

Usage: python runner.py DOCUMENT [--without MODULE]

Blocks run in the order of the page, in the current directory:

``python``   all in one namespace; a ``text`` block right after shows what it
             prints, and without one it prints nothing.
``console``  lines that begin with ``$`` are commands, those after ``>`` go on,
             and all others are what a terminal shows.  Commands exit with 0.

A ``…`` stands for any text, alone on a line for any lines.  Times, sizes, ids,
digests and the last digits of long numbers may be others than on the page.
Whatever else is fenced needs a marker on the line above, and a reason:
``<!-- not run: it needs the network -->``, or for a tool that not everybody has
``<!-- needs: jq -->``.
"""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_FENCE = re.compile(r"^```(\w*)\s*$")
_MARKER = re.compile(r"^<!-- (not run|needs): (.+) -->$")
_VARYING = (
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(\+00:00)?", "TIME"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
    (r"\b[0-9a-f]{32,128}\b", "HEX"),
    (r"\b[0-9a-f]{2}/UUID", "UUID"),
    (r"\b[\d.,]+ ([kMG]?B|bytes)\b", "SIZE"),
    (r"\b\d+\.\d+ s\b", "SECONDS"),
    (r"(\.\d{6})\d{4,}", r"\1"),
    # Columns are as wide as what they hold.
    (r"─+", "─"),
    (r"(?<=\S) {2,}", "  "),
    (r"(?m)[ \t]+$", ""),
)
COLUMNS = 88


@dataclass
class Block:
    """A fenced block: where it begins, its language, its text, its marker."""

    line: int
    language: str
    text: str
    marker: str | None
    reason: str


def blocks(page: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    lines = page.splitlines()
    at = 0
    while at < len(lines):
        opening = _FENCE.match(lines[at])
        if opening is None:
            at += 1
            continue
        end = lines.index("```", at + 1)
        marker = _MARKER.match(lines[at - 1]) if at else None
        yield Block(
            at + 1,
            opening[1],
            "\n".join(lines[at + 1 : end]),
            marker and marker[1],
            marker[2] if marker else "",
        )
        at = end + 1


def settled(text: str) -> str:
    """Return text without what is another each time."""
    for varying, word in _VARYING:
        text = re.sub(varying, word, text)
    return text


def pattern(shown: str) -> re.Pattern[str]:
    """Return what output must match to be what a page shows."""
    parts = []
    for line in shown.splitlines():
        if line.strip() == "…":
            parts.append(r"(?:.*\n)*")
        else:
            parts.append(r".+?".join(map(re.escape, line.rstrip().split("…"))) + r"\n")
    return re.compile("".join(parts))


def compare(where: str, shown: str, printed: str) -> None:
    """Exit unless what was printed is what the page shows."""
    lines = settled(printed).splitlines()
    if not pattern(settled(shown.rstrip())).fullmatch("".join(f"{x}\n" for x in lines)):
        sys.exit(f"{where} shows\n{shown}\n\nbut it prints\n{printed}")


def run_python(where: str, code: str, namespace: dict[str, Any]) -> str:
    """Run a block of Python and return what it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, where, "exec"), namespace)  # noqa: S102 - our own pages
    return out.getvalue()


def run_command(where: str, command: str) -> str:
    """Run a command on a terminal of its own and return what that shows."""
    terminal, inside = pty.openpty()
    with subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=inside,
        stderr=subprocess.PIPE,
        env=os.environ | {"TERM": "dumb", "COLUMNS": str(COLUMNS), "LINES": "50"},
        text=True,
    ) as process:
        os.close(inside)
        shown = b""
        # Linux says EIO when the other side of a terminal is closed.
        with contextlib.suppress(OSError):
            while chunk := os.read(terminal, 1 << 16):
                shown += chunk
        os.close(terminal)
        assert process.stderr is not None
        errors = process.stderr.read()
    text = shown.decode().replace("\r\n", "\n") + errors
    if process.returncode:
        sys.exit(f"{where}: `{command}` exits with {process.returncode}:\n{text}")
    return text


def run_console(where: str, text: str) -> None:
    """Run the commands of a console block, and compare what each shows."""
    commands: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], []))
        elif line.startswith("> ") and commands and not commands[-1][1]:
            command, shown = commands.pop()
            commands.append((f"{command}\n{line[2:]}", shown))
        elif commands:
            commands[-1][1].append(line)
        else:
            sys.exit(f"{where}: a console block begins with `$ `")
    for command, shown in commands:
        compare(f"{where}, `{command}`", "\n".join(shown), run_command(where, command))


def run(path: Path) -> int:
    """Run a page and return how many of its blocks ran."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    ran = 0
    waiting: tuple[str, str] | None = None
    for block in blocks(path.read_text()):
        where = f"{path.name}:{block.line}"
        if waiting is not None:
            shown = block.text if block.language == "text" and not block.marker else ""
            compare(waiting[0], shown, waiting[1])
            if shown:
                waiting = None
                continue
            waiting = None
        if block.marker == "not run":
            continue
        if block.marker == "needs" and shutil.which(block.reason) is None:
            sys.stdout.write(f"{where} needs {block.reason}, which is not here\n")
            continue
        ran += 1
        if block.language == "python":
            waiting = (where, run_python(where, block.text, namespace))
        elif block.language == "console":
            run_console(where, block.text)
        else:
            sys.exit(f"{where}: what is this {block.language} block, and why not run?")
    if waiting is not None:
        compare(waiting[0], "", waiting[1])
    return ran


def main() -> None:
    """Run the page that the command line names."""
    page, *options = sys.argv[1:]
    if options[:1] == ["--without"]:
        # Importing it fails from here on, as where it is not installed.
        sys.modules[options[1]] = None  # type: ignore[assignment]
    sys.stdout.write(f"{run(Path(page))} blocks ran\n")


if __name__ == "__main__":
    main()
