"""``archivedb doctor``."""

from __future__ import annotations

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._where import address


def doctor(*, db: options.Db = None, json: options.Json = False) -> None:
    """
    Say what is well and what is not: the archive, its places, this machine.

    It changes nothing, and looks at an archive that cannot be opened, too.

    The exit code is 1 if there is a problem; warnings are none.

    Examples:
        archivedb doctor
        archivedb doctor --json
    """
    from archivedb import Archive

    found = Archive.doctor_catalog(address(db))
    if json:
        output.print_json({"ok": found.ok} | output.document(found))
    else:
        for each in found.symptoms:
            output.line(f"{each.state:<7}  {each.subject}: {each.detail}")
            if each.advice:
                output.line(f"         {each.advice}")
    if not found.ok:
        raise typer.Exit(1)
