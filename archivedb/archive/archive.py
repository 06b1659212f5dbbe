"""The archive, as users hold it."""

from __future__ import annotations

import html
import os
from typing import TYPE_CHECKING, Any, Self

from archivedb.archive import loading, plain, resolving, rows
from archivedb.archive.address import locate
from archivedb.archive.comparing.diff import Comparing
from archivedb.archive.core import Core
from archivedb.archive.finding.recordset import RecordSet, query_of
from archivedb.archive.finding.surveying import Surveying
from archivedb.archive.folder import Folder
from archivedb.archive.groups import Groups
from archivedb.archive.packing.unpacking import Unpacking
from archivedb.archive.running.runs import Runs
from archivedb.archive.taking import ingest
from archivedb.archive.taking.intake import Intake
from archivedb.archive.upkeep import Upkeep
from archivedb.archive.writing import saving
from archivedb.archive.writing.changes import Changes
from archivedb.archive.writing.changing import count_below, name_of, name_to_save
from archivedb.catalog import hierarchy, history, reading
from archivedb.errors import (
    ArchiveExistsError,
    KeyNotFoundError,
    RecordNotFoundError,
    StorageError,
)
from archivedb.formats import require_mode
from archivedb.records import Change, Deletion, Node, Record, counted
from archivedb.storage.generic import loaded
from archivedb.values import outline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


DURABILITIES = ("full", "relaxed")


class Archive(Groups, Changes, Comparing, Intake, Runs, Surveying, Unpacking, Upkeep):
    """
    An archive of named dicts: a SQLite catalog and immutable payload files.

    It is created by the first write, or by indexing payloads that lie there
    without a catalog; never by reading an empty place.  Any number of threads
    and processes may use one archive at once; it survives a fork, and pickles
    as its address.

    Args:
        db: A file; a directory, whose ``archive.db`` is meant; a SQLAlchemy
            URL of a SQLite file.
        payloads: Where the payloads lie, if not in ``<db>.payloads``.
        mode: The mode of saves that name none: ``"hdf5"``, ``"json"`` or
            ``"cloudpickle"``.
        readonly: Never write; works on a read-only directory, too.
        durability: ``"full"``, or ``"relaxed"`` to skip waiting for the disk:
            a power loss may then take what was saved last.
        spool: ``True`` saves into the store alone, without locks and without
            the catalog: what a cluster's nodes do.  If left out, it is where
            the catalog would lie on a network file system.
        trust: ``True`` restores objects that nobody trusted has signed.
        provenance: Whether saves record user, host, versions, git and argv.
        migrate: Whether an older catalog is upgraded, after a backup.

    Raises:
        CatalogError: The catalog cannot be used.
        CatalogOutdatedError: It is older; say ``migrate=True``.
        CatalogNewerError: It is newer than this archivedb.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> record = archive.save({"energy": -3.7}, "al/fcc/run-1")
        >>> archive.load("al/fcc/run-1")
        {'energy': -3.7}

    """

    def __init__(  # noqa: PLR0913 - the options of an archive
        self,
        db: str | os.PathLike[str],
        *,
        payloads: str | os.PathLike[str] | None = None,
        mode: str = "hdf5",
        readonly: bool = False,
        durability: str = "full",
        spool: bool | None = None,
        trust: bool | None = None,
        provenance: bool = True,
        migrate: bool = False,
    ) -> None:
        if durability not in DURABILITIES:
            msg = f"durability is one of {', '.join(DURABILITIES)}, not {durability!r}"
            raise ValueError(msg)
        require_mode(mode)
        self._address = locate(db, payloads)
        self._options = {
            "payloads": str(self._address.payloads),
            "mode": mode,
            "readonly": readonly,
            "durability": durability,
            "spool": spool,
            "trust": trust,
            "provenance": provenance,
            "migrate": migrate,
        }
        self._mode, self._provenance = mode, provenance
        self._core = Core(
            self._address,
            readonly=readonly,
            durable=durability == "full",
            trust=bool(trust),
            migrate=migrate,
            spool=spool,
        )
        if not readonly and not self._core.spools:
            ingest.at_opening(self._core)
            plain.adopt(self._core)

    # Saving -------------------------------------------------------------

    def save(  # noqa: PLR0913 - the options of a save
        self,
        data: Any,
        name: str | Record,
        *,
        mode: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        on_exists: str = "version",
    ) -> Record:
        """
        Save a dict as a record; when this returns, it is on the disk.

        Saving what equals the newest version (same data, metadata and tags)
        writes nothing and returns that version.

        Args:
            data: The dict, or a group, or any other value.
            name: The record's name: ``"al/fcc/run-1"``.
            mode: How the payload is encoded; the archive's if left out.
            metadata: Facts by which the record shall be found.
            tags: Words by which it shall be found.
            on_exists: If the record exists, add a ``"version"``, raise an
                ``"error"``, or ``"skip"`` and return the newest.

        Raises:
            EncodeError: Part of the data cannot be stored exactly; says which.
            InvalidNameError: The text cannot be a name.
            NameConflictError: The name would be record and folder at once.
            RecordExistsError: It exists, and ``on_exists="error"``.
            StoreError: The file system refused; nothing was saved.

        """
        text = name_to_save(self._core, name)
        said = saving.facts(metadata, tags, gather=self._provenance)
        return saving.save(
            self._core,
            loaded(data),
            text,
            mode=self._mode if mode is None else mode,
            said=said,
            on_exists=on_exists,
        )

    def create(self) -> None:
        """
        Make an empty archive, as the first save would.

        Raises:
            ArchiveExistsError: There is one already.

        """
        if not self._core.create():
            msg = f"there is an archive at {self._address} already"
            raise ArchiveExistsError(msg)

    def delete(self, name: str | Record, *, recursive: bool = False) -> Deletion:
        """
        Delete a record with all its versions, or a folder with all below it.

        Args:
            name: The record or folder.
            recursive: Allows a folder.

        Returns:
            What was deleted, and how many bytes that freed.

        Raises:
            RecordNotFoundError: There is neither record nor folder.

        """
        text = name_of(self._core, name)
        self._core.require_writable()
        number = 0 if recursive else count_below(self._core, text)
        if number:
            msg = (
                f"{text!r} is a folder of {counted(number, 'record')}; "
                f"delete({text!r}, recursive=True) deletes them all"
            )
            raise RecordNotFoundError(msg)

        def chosen(connection: Any) -> list[str]:
            return [text, *hierarchy.names(connection, text)] if recursive else [text]

        folder = text if recursive else None
        return saving.delete(self._core, chosen, text, folder=folder)

    # Loading ------------------------------------------------------------

    def load(
        self,
        name: str | Record,
        *,
        version: int | None = None,
        only: Iterable[str | tuple[Any, ...]] | None = None,
        objects: str = "restore",
    ) -> Any:
        """
        Load a dict exactly as it was saved, every byte checked.

        Args:
            name: The record.
            version: Which version; the newest if left out.
            only: Paths, of which alone a dict is returned, nested as they are;
                nothing else is read.
            objects: ``"stub"`` puts a `Stub` in the place of every object
                whose class would have to be imported, and runs nothing.

        Raises:
            RecordNotFoundError: There is no such record or version.
            KeyNotFoundError: One of the paths is not in it.
            PayloadCorruptError: Its bytes are not those that were saved.
            PayloadMissingError: Its file is gone.
            UntrustedPayloadError: It holds objects that a stranger has signed.
            RestoreError: An object's class is gone.

        """
        row = self._row(name, version)
        wanted = None if only is None else loading.wanted(only)
        return loading.load(self._core, row, objects, wanted)

    def _row(self, name: str | Record, version: int | None) -> reading.VersionRow:
        self._core.require_existing()
        return loading.find_row(self._core, name, version)

    def __getitem__(self, path: str | tuple[Any, ...] | Record) -> Any:
        """
        Return what stands at a path: ``archive["al/fcc/run-1/outputs/forces"]``.

        A folder for a folder, a group for a dict, and the object itself for
        everything else.  An array is resolved through the catalog, and read
        and checked alone.

        Raises:
            KeyNotFoundError: Nothing stands there.

        """
        self._core.require_existing()
        if not isinstance(path, (str, tuple, Record)):
            msg = f"a path is text or a tuple of keys, not {path!r}"
            raise KeyNotFoundError(msg)
        if isinstance(path, Record):
            row = self._row(path, None)
            return resolving.read_path(self._core, row, (), pinned=True)
        array = resolving.read_array(self._core, path)
        if array is not None:
            return array
        place = resolving.find_place(self._core, path)
        if place is not None:
            gather = self._provenance
            return resolving.read_path(self._core, *place, gather=gather)
        folder = path if isinstance(path, str) else "/".join(map(str, path))
        with self._core.reading() as connection:
            if folder and hierarchy.is_folder(connection, folder):
                return Folder(self, folder)
        msg = f"there is no record or folder {folder!r}; see `archivedb ls`"
        raise KeyNotFoundError(msg)

    def __contains__(self, path: object) -> bool:
        """Return whether a record, a folder or anything in a record is there."""
        if not isinstance(path, (str, tuple, Record)) or not self._core.exists:
            return False
        if isinstance(path, Record):
            with self._core.reading() as connection:
                row = reading.by_record(connection, path.uuid, path.version)
            return row is not None
        place = resolving.find_place(self._core, path)
        if place is None:
            folder = path if isinstance(path, str) else "/".join(map(str, path))
            with self._core.reading() as connection:
                return bool(folder) and hierarchy.is_folder(connection, folder)
        row, inside = place
        try:
            with loading.reader_of(self._core, row) as reader:
                reader.skeleton.at(inside)
        except StorageError:
            return False
        return True

    # Looking ------------------------------------------------------------

    @property
    def exists(self) -> bool:
        """Whether there is an archive at this address by now."""
        return self._core.exists

    @property
    def address(self) -> str:
        """The catalog's file."""
        return str(self._address)

    def record(self, name: str | Record, *, version: int | None = None) -> Record:
        """
        Return everything about a record but its data.

        Raises:
            RecordNotFoundError: There is no such record or version.

        """
        return rows.record_of(self._row(name, version))

    def versions(self, name: str | Record) -> list[Record]:
        """
        Return every version of a record, oldest first.

        Raises:
            RecordNotFoundError: There is no such record.

        """
        row = self._row(name, None)
        with self._core.reading() as connection:
            return [
                rows.record_of(each)
                for each in reading.all_versions(connection, row.name)
            ]

    def history(self, name: str | Record) -> list[Change]:
        """
        Return every change of a record, oldest first.

        Raises:
            RecordNotFoundError: There is no such record.

        """
        row = self._row(name, None)
        with self._core.reading() as connection:
            return [rows.change_of(c) for c in history.changes(connection, row.name)]

    def outline(
        self, name: str | Record, *, version: int | None = None
    ) -> tuple[Node, ...]:
        """
        Return a record's groups, dtypes, shapes and small values, line by line.

        No array is read and nothing is restored.

        Raises:
            RecordNotFoundError: There is no such record or version.

        """
        with loading.reader_of(self._core, self._row(name, version)) as reader:
            source = reader.skeleton
            return tuple(outline.outline(source, source.root))

    def find(
        self,
        question: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        /,
        **equal: Any,
    ) -> RecordSet:
        """
        Find records by what they say: by metadata, and by any value inside them.

        ``archive["al"].find()`` looks below a folder only.

        Args:
            question: A condition: ``"outputs.energy < -3.7 and 'done' in tags"``.
                A path means the metadata, and the data where the metadata has
                none; see the page on finding for the whole language.
            parameters: Values by the names under which they stand in it.
            equal: Path → value that it equals; ``**{"inputs/xc": "PBE"}`` for a
                path; ``tags`` is a word, or several, that the record must all
                have.

        Returns:
            The newest version of each, newest first; asked for when used.

        Raises:
            QueryError: The question cannot be understood, or a value cannot be
                compared; when used, if no record has a path that it asks for.

        Example:
            >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
            >>> _ = archive.save({"inputs": {"a": 4.05}, "energy": -3.7}, "al/run-1")
            >>> archive.find("energy < most and inputs.a > 4", {"most": -3}).one().name
            'al/run-1'

        """
        return RecordSet(
            self._core, query_of(question, parameters, equal), self._provenance
        )

    def names(self, under: str = "") -> Iterator[str]:
        """Yield the names of all records, or of those below a folder, in order."""
        if self._core.exists:
            with self._core.reading() as connection:
                found = hierarchy.names(connection, under)
            yield from found

    def count(self, under: str = "") -> int:
        """Return how many records there are, or lie below a folder."""
        if not self._core.exists:
            return 0
        with self._core.reading() as connection:
            return hierarchy.count(connection, under)

    def listing(self, folder: str = "") -> tuple[list[tuple[str, int]], list[Record]]:
        """
        Return what is directly in a folder.

        Returns:
            The subfolders, each with the number of records below it, and the
            records, by name.

        Raises:
            RecordNotFoundError: There is no such folder.

        """
        self._core.require_existing()
        with self._core.reading() as connection:
            if folder and not hierarchy.is_folder(connection, folder):
                msg = f"there is no record or folder {folder!r}; see `archivedb ls`"
                raise RecordNotFoundError(msg)
            folders = hierarchy.subfolders(connection, folder)
            found = reading.direct(connection, folder)
        return folders, [rows.record_of(row) for row in found]

    def __iter__(self) -> Iterator[str]:
        """Yield the names of all records, in order."""
        return self.names()

    def __len__(self) -> int:
        """Return how many records there are."""
        return self.count()

    def __bool__(self) -> bool:
        """Return True: an empty archive is an archive."""
        return True

    # Being an object ----------------------------------------------------

    def close(self) -> None:
        """Close the catalog; the next use opens it again."""
        self._core.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the catalog."""
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the address: a worker opens the archive for itself."""
        plain = self._address.plain
        # The slash says that it is a directory, also while there is none.
        where = str(self._address) if plain is None else f"{plain}{os.sep}"
        return _reopen, (where, self._options)

    def __repr__(self) -> str:
        """Return the address, and how many records there are."""
        if self._core.spools:
            return f"<Archive {self.address!r}, which spools>"
        number = counted(len(self), "record") if self.exists else "not created yet"
        return f"<Archive {self.address!r}, {number}>"

    def _repr_html_(self) -> str:
        title = html.escape(repr(self))
        if self._core.spools:
            return f"<pre>{title}</pre>"
        return f"<pre>{title}</pre>{self.find().limit(10)._repr_html_()}"

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)


def _reopen(db: str, options: dict[str, Any]) -> Archive:
    return Archive(db, **options)
