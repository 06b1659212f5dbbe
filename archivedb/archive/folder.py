"""A folder of records: the part of an archive below a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archivedb.errors import NameConflictError
from archivedb.records import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from archivedb.archive.archive import Archive
    from archivedb.archive.finding.recordset import RecordSet
    from archivedb.records import Record


class Folder:
    """
    The records below a name, as an archive of their own.

    Names are relative to the folder.

    Args:
        archive: The archive.
        path: The folder's name.

    Raises:
        NameConflictError: When it is assigned to, deleted or cleared.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> record = archive.save({"energy": -3.7}, "al/fcc/run-1")
        >>> folder = archive["al/fcc"]
        >>> folder["run-1/energy"], list(folder), folder.find().count()
        (-3.7, ['run-1'], 1)

    """

    def __init__(self, archive: Archive, path: str) -> None:
        self._archive = archive
        self.path = path

    @property
    def name(self) -> str:
        """The last part of the folder's name."""
        return self.path.rpartition("/")[2]

    def __getitem__(self, path: str | tuple[Any, ...]) -> Any:
        """Return what `Archive.__getitem__` returns for the whole path."""
        if isinstance(path, tuple):
            return self._archive[(*self.path.split("/"), *path)]
        return self._archive[f"{self.path}/{path}"]

    def __setitem__(self, path: str | tuple[Any, ...], value: Any) -> None:
        """Do what `Archive.__setitem__` does for the whole path."""
        self._archive[(*self.path.split("/"), *_steps(path))] = value

    def __delitem__(self, path: str | tuple[Any, ...]) -> None:
        """Do what `Archive.__delitem__` does for the whole path."""
        del self._archive[(*self.path.split("/"), *_steps(path))]

    def clear(self) -> None:
        """Refuse: a folder is not emptied by accident."""
        msg = (
            f"{self.path!r} is a folder of {counted(len(self), 'record')}; "
            f"delete({self.path!r}, recursive=True) deletes them all"
        )
        raise NameConflictError(msg)

    def __contains__(self, path: object) -> bool:
        """Return whether there is a record, a folder or more at a path."""
        return isinstance(path, str) and f"{self.path}/{path}" in self._archive

    def __iter__(self) -> Iterator[str]:
        """Yield the names of all records below, relative to the folder."""
        for name in self._archive.names(self.path):
            yield name.removeprefix(f"{self.path}/")

    def __len__(self) -> int:
        """Return how many records lie below."""
        return self._archive.count(self.path)

    def save(self, data: Any, name: str, **options: Any) -> Record:
        """Save below the folder; see `Archive.save`."""
        return self._archive.save(data, f"{self.path}/{name}", **options)

    def find(
        self,
        question: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        /,
        **equal: Any,
    ) -> RecordSet:
        """Find below the folder; see `Archive.find`."""
        return self._archive.find(question, parameters, **equal).below(self.path)

    def __repr__(self) -> str:
        """Return how many records lie below, and the first of them."""
        names = list(self)
        shown = "".join(f"\n  {name}" for name in names[:10])
        more = f"\n  … {len(names) - 10} more" if len(names) > 10 else ""  # noqa: PLR2004
        return f"<Folder {self.path!r}, {counted(len(names), 'record')}>{shown}{more}"

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)


def _steps(path: str | tuple[Any, ...]) -> tuple[Any, ...]:
    return path if isinstance(path, tuple) else tuple(path.split("/"))
