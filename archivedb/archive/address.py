"""Where an archive's catalog and payloads lie."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from archivedb.errors import CatalogError, StoreError
from archivedb.store.directory import PayloadStore

CATALOG_NAME = "archive.db"
PAYLOADS_SUFFIX = ".payloads"


@dataclass(frozen=True, slots=True)
class Address:
    """
    The two places of an archive.

    Attributes:
        catalog: The catalog's file.
        payloads: The payload store's directory.
        plain: The directory, where the archive was opened as one: a payload
            that `archivedb.save` wrote there belongs to it.

    """

    catalog: Path
    payloads: Path
    plain: Path | None

    @property
    def backup_marker(self) -> Path:
        """The file that says that the archive is the backup of another, and whose."""
        return self.catalog.with_name("backup.json")

    def __str__(self) -> str:
        """Return the catalog's file, as people would type it."""
        return str(self.catalog)


def locate(
    db: str | os.PathLike[str], payloads: str | os.PathLike[str] | None
) -> Address:
    """
    Return the address that a user's words mean.

    Args:
        db: A file; a directory, whose ``archive.db`` is meant; a SQLAlchemy
            URL of a SQLite file.
        payloads: Where the payloads lie, if not beside the catalog.

    Raises:
        CatalogError: The URL is of another database, or of none.

    """
    text = os.fsdecode(db)
    if "://" in text:
        text = _url_file(text)
    # Through links: the payloads lie beside the file itself.
    path = user_path(text)
    plain = None
    try:
        is_directory = path.is_dir()
    except OSError as error:
        msg = f"cannot look at {path}: {error.strerror}"
        raise StoreError(msg) from error
    if is_directory or text.endswith(os.sep):
        plain, path = path, path / CATALOG_NAME
    store = (
        user_path(payloads)
        if payloads
        else path.with_name(path.name.removesuffix(path.suffix) + PAYLOADS_SUFFIX)
    )
    return Address(path, store, plain)


def require_only_catalog(store: PayloadStore, address: Address) -> None:
    """
    Raise if payloads have another catalog: with two, each would miss changes.

    The copy of an archive, made beside it under a name of its own, still names
    the original's catalog; where that has its payloads, these are the copy's.

    Raises:
        CatalogError: They have.

    """
    other, mine = store.catalog(), address.catalog
    if other is None or other == mine or not other.is_file():
        return
    if mine.is_file() and other.samefile(mine):
        return
    theirs = PayloadStore(locate(other, None).payloads)
    if theirs.catalog() == other and not theirs.root.samefile(store.root):
        return
    msg = (
        f"the catalog of {address.payloads} is {other}, not {mine}; open that one, "
        "or copy the payloads, too, and name the copy with payloads="
    )
    raise CatalogError(msg)


def user_path(path: str | os.PathLike[str]) -> Path:
    """
    Return a path that a user named, absolute, links followed.

    Raises:
        StoreError: No file can have this name.

    """
    try:
        text = os.fsdecode(path)
        found = Path(text).resolve()
        found.exists()
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        # pathlib calls links that lead in a circle a RuntimeError.
        msg = f"{path!r} is no path of a file: {error}"
        raise StoreError(msg) from error
    return found


def _url_file(text: str) -> str:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
    except ArgumentError as error:
        msg = f"{text!r} is no SQLAlchemy URL: {error}"
        raise CatalogError(msg) from error
    if url.get_backend_name() != "sqlite":
        msg = (
            f"the catalog {url.render_as_string()!r} is not SQLite; "
            "this version of archivedb keeps its catalogs in SQLite files"
        )
        raise CatalogError(msg)
    if not url.database or url.database == ":memory:":
        msg = "an archive needs a file: sqlite:///runs.db"
        raise CatalogError(msg)
    return url.database
