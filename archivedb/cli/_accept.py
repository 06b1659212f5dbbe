"""Accepting an archive on the command line, and taking trust back."""

from __future__ import annotations

import os
import re
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from archivedb.cli import _output as output
from archivedb.cli._progress import progress
from archivedb.cli._where import address
from archivedb.errors import (
    ArchiveError,
    ArchiveNotFoundError,
    CatalogError,
    PayloadError,
    SigningError,
)
from archivedb.records import counted

if TYPE_CHECKING:
    from archivedb.records import Acceptance, Signer

_DIGITS = re.compile("[0-9a-fA-F]{8,64}")


def accept(where: str | None, *, yes: bool, json: bool) -> None:
    """
    Accept an archive, after showing what is in it.

    Raises:
        ArchiveError: There is none, or the answer is no.

    """
    from archivedb import Archive

    # Read only: a stranger's archive is looked at before anything is written.
    with Archive(address(where), readonly=True) as archive, ExitStack() as bar:

        def confirm(found: Acceptance) -> None:
            bar.close()
            _show(found)
            if found.signers and not yes:
                _ask()

        report = bar.enter_context(progress("looking at", "versions"))
        found = archive.accept(progress=report, confirm=confirm)
    if json:
        output.print_json(output.document(found))
    elif found.signers:
        output.line(f"accepted {found.address}: its {_objects(found.versions)} load")


def _show(found: Acceptance) -> None:
    if not found.signers:
        output.note(f"nothing in {found.address} runs code: it loads as it is")
    else:
        output.note(f"{found.address} holds objects, which run code when restored:")
    for signer in found.signers:
        names = ", ".join(signer.classes[:5])
        more = f" and {len(signer.classes) - 5:,} more" if signer.classes[5:] else ""
        output.note(f"    {_objects(signer.versions)} {_by(signer)}: {names}{more}")
    if found.unreadable:
        output.note(
            f"    {_objects(found.unreadable)} cannot be read, and so not be "
            "accepted: see `archivedb verify`"
        )


def _objects(number: int) -> str:
    return counted(number, "version")


def _by(signer: Signer) -> str:
    from archivedb.values.trusting import fingerprint

    if signer.key is None:
        return "that nobody signed"
    known = " that you trust" if signer.trusted else ""
    return f"signed by the key {fingerprint(signer.key)}{known}"


def _ask() -> None:
    """
    Ask whether to accept what was shown.

    Raises:
        ArchiveError: The answer is no, or there is nobody to ask.

    """
    if not sys.stdin.isatty():
        raise ArchiveError("nothing was accepted: without a terminal, say --yes")
    if not typer.confirm("accept it, and let its code run?", err=True):
        raise ArchiveError("nothing was accepted")


def remove(text: str, *, json: bool) -> None:
    """
    Take back the trust in a key or in an archive.

    Args:
        text: The first digits of a key, 8 at least, the file of one, an
            archive's path, or its uuid.
        json: Whether to print JSON.

    Raises:
        ArchiveError: It was not trusted, or it is not clear which is meant.

    """
    from archivedb.values import signing

    key = _key(text)
    if key is not None:
        if key == signing.own_key():
            raise ArchiveError("that is your own key, which you cannot distrust")
        removed = [{"key": key}] if signing.others().remove_key(key) else []
    else:
        removed = [{"archive": each} for each in _archives(text)]
    if not removed:
        raise ArchiveError(f"{text} was not trusted; see `archivedb trust list`")
    if json:
        output.print_json(removed)
    else:
        output.line(f"{text} is trusted no more")


def _key(text: str) -> str | None:
    """Return the key that a text means, or None if it means none."""
    from archivedb.values import signing, trusting

    if _DIGITS.fullmatch(text):
        known = {each.key for each in signing.others().keys()[0]}
        for each in signing.others().archives()[0]:
            known |= each.keys
        own = signing.own_key()
        known |= set() if own is None else {own}
        found = sorted(key for key in known if key.startswith(text.lower()))
        if len(found) > 1:
            raise ArchiveError(f"{text} may be {' or '.join(found)}: say more digits")
        if found:
            return found[0]
    if Path(text).is_file():
        try:
            return trusting.read_public_key(text).key
        except SigningError:  # an archive, then
            return None
    return None


def _archives(text: str) -> list[str]:
    """Return the accepted archives that a text means, none of them accepted now."""
    from archivedb import Archive
    from archivedb.values import signing

    others = signing.others()
    before = {each.archive: each for each in others.archives()[0]}
    try:
        with Archive(address(text), readonly=True) as archive:
            archive.revoke()
    except (ArchiveNotFoundError, CatalogError, PayloadError):
        pass  # gone, or damaged; but where it lay is known
    where = os.path.realpath(text)
    for accepted in before.values():
        if text == accepted.archive or where == accepted.address:
            others.remove_archive(accepted.archive)
    after = {each.archive for each in others.archives()[0]}
    return sorted(set(before) - after)
