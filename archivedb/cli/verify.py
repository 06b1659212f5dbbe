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
        Literal["quick", "full", "deep"],
        typer.Option(
            help="quick: files, sizes, the catalog; full: every byte too; "
            "deep: decode it all and compare the catalog with it."
        ),
    ] = "full",
    sample: Annotated[
        str | None,
        typer.Option(metavar="5%", help="Only so much, the longest unchecked first."),
    ] = None,
    max_age: Annotated[
        str | None,
        typer.Option(metavar="30d", help="Only what was not checked for so long."),
    ] = None,
    max_duration: Annotated[
        str | None,
        typer.Option(metavar="1h", help="Stop after this time; the next run goes on."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, metavar="N", help="Files read at a time."),
    ] = None,
    json: options.Json = False,
) -> None:
    """
    Prove that every byte is still what was saved; change no data.

    Each finding says what to do next; docs/findings.md says more.  What was
    checked, and when, is noted in the catalog.  The exit code is 0 if all is
    sound, 1 if there are findings, and 130 if it was interrupted.

    Examples:
        archivedb verify
        archivedb verify --level quick --json
        archivedb verify --level deep --sample 5% --max-age 30d --max-duration 1h
    """
    try:
        with reading(db) as archive, progress("verifying", "bytes") as report:
            found = archive.verify(
                level,
                sample=sample,
                max_age=max_age,
                max_duration=max_duration,
                jobs=jobs,
                progress=report,
            )
    except ValueError as error:
        if type(error) is not ValueError:  # those of archivedb say more
            raise
        raise typer.BadParameter(str(error)) from None
    except KeyboardInterrupt as stop:
        if stop.args:
            output.note(str(stop))
        raise
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
    if report.payloads != report.known:
        files = f"{report.payloads:,} of {report.known:,} payloads"
        oldest = "some never checked"
        if report.oldest is not None:
            oldest = f"oldest check {output.when(report.oldest)}"
        read += f"; {oldest}"
    late = "" if report.finished else "; the time was up: the next run goes on"
    return f"{verdict}: {files}, {read}{late}"
