"""
The command line: one module a command, and nothing else in archivedb prints.

Exit codes: 0 done, or sound; 1 findings, or it could not be done; 2 wrong
usage; 3 the archive cannot be opened; 70 a bug in archivedb; 130 interrupted;
141 the reader of a pipe went away.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """
    Run the command that ``sys.argv`` asks for, and exit.

    Raises:
        SystemExit: Always, with the exit code.

    """
    # Ctrl-C may also come while Typer is being imported.
    try:
        from archivedb.cli._app import run
    except KeyboardInterrupt:
        sys.exit(130)
    run()
