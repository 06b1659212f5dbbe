"""``archivedb verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._progress import progress
from archivedb.cli._where import reading
from archivedb.records import readable_size

if TYPE_CHECKING:
    from archivedb.records import Report


def verify(
    *,
    db: options.Db = None,
    level: Annotated[
        Literal["quick", "full"],
        typer.Option(help="quick: files, sizes, the catalog; full: every byte too."),
    ] = "full",
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, metavar="N", help="Files read at a time."),
    ] = None,
    json: options.Json = False,
) -> None:
    """
    Prove that every byte is still what was saved; change nothing.

    Each finding says what to do next.  The exit code is 0 if all is sound,
    and 1 if there are findings.

    Examples:
        archivedb verify
        archivedb verify --level quick --json
    """
    with reading(db) as archive, progress("verifying", "bytes") as report:
        found = archive.verify(level, jobs=jobs, progress=report)
    if json:
        output.print_json({"ok": found.ok} | output.document(found))
    else:
        output.findings(found.findings)
        output.line(_verdict(found))
    if not found.ok:
        raise typer.Exit(1)


def _verdict(report: Report) -> str:
    count = len(report.findings)
    verdict = "sound" if report.ok else f"{count:,} finding{'' if count == 1 else 's'}"
    read = f"{readable_size(report.bytes)} read in {report.seconds:.1f} s"
    rate = report.bytes / report.seconds if report.seconds else 0
    if rate:
        read += f" ({readable_size(rate)}/s)"
    files = f"{report.payloads:,} payload{'' if report.payloads == 1 else 's'}"
    return f"{verdict}: {files}, {read}"
