"""What `Archive.find` returns: records that are asked for when they are used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, overload

from archivedb.archive.finding.query import MOST, Finder, Query
from archivedb.archive.finding.selection import Selection
from archivedb.archive.rows import record_of
from archivedb.errors import QueryError, RecordNotFoundError
from archivedb.query.advice import passed_beside
from archivedb.query.parse import equality, parse, parse_order, slash_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archivedb.archive.core import Core
    from archivedb.records import Record

SHOWN = 20
"""Records that a repr shows."""


def query_of(
    text: str | None,
    parameters: Mapping[str, Any] | None,
    equal: Mapping[str, Any],
) -> Query:
    """
    Return the query that the words of `Archive.find` mean.

    Raises:
        QueryError: They cannot be understood.

    """
    if text is not None and not isinstance(text, str):
        msg = f'a question is text, like "outputs.energy < -3", not {text!r:.60}'
        raise QueryError(msg)
    if parameters is not None and not isinstance(parameters, Mapping):
        msg = (
            "the values of a question are a dict of names and values, like "
            f'{{"most": -3}}, not {parameters!r:.60}; join questions with `and`'
        )
        raise QueryError(msg)
    try:
        texts = () if text is None else ((text, parse(text, parameters)),)
        for path, value in equal.items():
            equality(slash_path(path), value)  # what cannot be says so at once
    except QueryError:
        if text is not None:
            _require_keywords(text, parameters, equal)
        raise
    return Query(texts, tuple(equal.items()))


def _require_keywords(
    text: str, parameters: Mapping[str, Any] | None, equal: Mapping[str, Any]
) -> None:
    """Raise if what cannot be understood can, with keywords as parameters."""
    words = {
        key: re.search(rf"(?<![\w.]){re.escape(key)}(?![\w.(\[])", text)
        for key in equal
    }
    used = {key: found.span() for key, found in words.items() if found}
    try:
        parse(text, {**(parameters or {}), **{key: equal[key] for key in used}})
    except QueryError:
        return
    for key, at in used.items():
        raise passed_beside(text, at, key, equal[key])


class RecordSet(Selection):
    """
    The newest versions of the records that match, newest first; lazy.

    Nothing is asked before it is used, and each use asks the catalog anew, so
    a set that is kept sees what was saved since.  Every method that narrows or
    sorts returns another set.

    Args:
        core: The open archive.
        query: What is asked.
        provenance: Whether changes of the selection record provenance.

    Raises:
        QueryError: When used, if it asks for a path that no record has.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> for a in (4.0, 4.1):
        ...     record = archive.save({"a": a}, f"al/{a}", metadata={"metal": "Al"})
        >>> found = archive.find("a > 3", metal="Al").order_by("-a")
        >>> found.count(), [record.name for record in found[:1]]
        (2, ['al/4.1'])

    """

    def where(
        self,
        question: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        /,
        **equal: Any,
    ) -> RecordSet:
        """
        Return those of the records that this also holds of; see `Archive.find`.

        Raises:
            QueryError: It cannot be understood, or the set is cut already.

        """
        if self._query.is_cut:
            msg = "narrow the records down before limit(), offset() or a slice"
            raise QueryError(msg)
        more = query_of(question, parameters, equal)
        return self._with(
            texts=(*self._query.texts, *more.texts),
            equal=(*self._query.equal, *more.equal),
        )

    def order_by(self, *keys: str) -> RecordSet:
        """
        Return the records sorted by paths or expressions.

        Numbers come before text, and whatever is not there comes last.  What
        ties is in the order in which the records were first saved, or the other
        way round if the first key begins with ``-``.

        Args:
            keys: ``"outputs.energy"``; ``"-saved_at"``, the largest first;
                ``"outputs.energy / inputs.natoms"``.

        Raises:
            QueryError: A key cannot be understood.

        Example:
            >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
            >>> for a in (4.0, 4.1):
            ...     record = archive.save({"a": a}, f"al/{a}")
            >>> [record.name for record in archive.find().order_by("a")]
            ['al/4.0', 'al/4.1']

        """
        if self._query.is_cut:
            msg = "sort the records before limit(), offset() or a slice"
            raise QueryError(msg)
        for key in keys:
            if not isinstance(key, str):
                msg = (
                    'sort keys are texts, one after the other: order_by("-saved_at", '
                    f'"outputs.energy"), not {key!r:.60}'
                )
                raise QueryError(msg)
        order = tuple(parse_order(key) for key in keys)
        return self._with(order=order, order_text=tuple(keys))

    def limit(self, most: int) -> RecordSet:
        """Return the first *most* records."""
        return self._sliced(0, _whole(most))

    def offset(self, count: int) -> RecordSet:
        """Return the records but the first *count*."""
        return self._sliced(_whole(count), None)

    def below(self, folder: str) -> RecordSet:
        """Return those that lie below a folder."""
        return self._with(folder=folder)

    def all_versions(self) -> RecordSet:
        """
        Return older versions, too.

        The index knows the newest alone, so a question to the others reads
        their payloads.
        """
        return self._with(older=True)

    @property
    def core(self) -> Core:
        """The archive in which it looks."""
        return self._core

    @property
    def query(self) -> Query:
        """What it asks."""
        return self._query

    def _with(self, **changes: Any) -> RecordSet:
        return RecordSet(self._core, replace(self._query, **changes), self._provenance)

    def _sliced(self, start: int, stop: int | None) -> RecordSet:
        return RecordSet(self._core, self._query.sliced(start, stop), self._provenance)

    # Using --------------------------------------------------------------

    def __iter__(self) -> Iterator[Record]:
        """Yield the records, in memory that does not grow with their number."""
        if not self._core.exists or self._query.most == 0:
            return
        with self._core.reading() as connection:
            for row in Finder(self._core, connection, self._query).rows():
                yield record_of(row)

    @overload
    def __getitem__(self, index: int) -> Record: ...

    @overload
    def __getitem__(self, index: slice) -> RecordSet: ...

    def __getitem__(self, index: int | slice) -> Record | RecordSet:
        """
        Return the record at an index, or the records of a slice.

        Raises:
            IndexError: There are not so many.
            TypeError: It is neither a number nor a slice.
            ValueError: It counts from the end, or has a step.

        """
        if isinstance(index, slice):
            start, stop = index.start or 0, index.stop
            if index.step not in (None, 1) or start < 0 or (stop or 0) < 0:
                msg = "a slice of records counts from the first, one by one"
                raise ValueError(msg)
            return self._sliced(start, stop)
        if not isinstance(index, int):
            msg = (
                "found[0] is a record and found[:10] the first ten; for what stands "
                f"at a path in each write found.values({index!r:.60})"
            )
            raise TypeError(msg)
        if index < 0:
            msg = "records are counted from the first; sort the other way round"
            raise ValueError(msg)
        found = self._sliced(index, index + 1).first()
        if found is None:
            msg = f"there are no {index + 1} records"
            raise IndexError(msg)
        return found

    def __bool__(self) -> bool:
        """Return whether any record matches."""
        return self.exists()

    def exists(self) -> bool:
        """Return whether any record matches."""
        return self.first() is not None

    def count(self) -> int:
        """Return how many records match."""
        if not self._core.exists:
            return 0
        with self._core.reading() as connection:
            return Finder(self._core, connection, self._query).count()

    def first(self) -> Record | None:
        """Return the first record that matches, or None."""
        return next(iter(self.limit(1)), None)

    def one(self) -> Record:
        """
        Return the only record that matches.

        Raises:
            RecordNotFoundError: There is none, or more than one.

        """
        found = list(self.limit(2))
        if len(found) == 1:
            return found[0]
        many = "no record matches" if not found else "more than one record matches"
        msg = f"{many} {self._words()}"
        raise RecordNotFoundError(msg)

    def explain(self) -> str:
        """
        Return how the records are found: the steps of the search, in words.

        Of each clause it says how many records the index has for it; the search
        begins with the fewest.  It is run, up to its first records.
        """
        if not self._core.exists:
            return "there is no archive yet"
        with self._core.reading() as connection:
            finder = Finder(self._core, connection, self._query)
            return finder.explain()

    # Being shown --------------------------------------------------------

    def _words(self) -> str:
        words = [text for text, _ in self._query.texts]
        words += [f"{path}={value!r}" for path, value in self._query.equal]
        if self._query.folder:
            words.insert(0, f"below {self._query.folder!r}")
        if self._query.order_text:
            words.append(f"by {', '.join(self._query.order_text)}")
        return ", ".join(words) or "everything"

    def _some(self) -> tuple[list[Record], bool]:
        found = list(self.limit(SHOWN + 1))
        return found[:SHOWN], len(found) > SHOWN

    def __repr__(self) -> str:
        """Return the first records, a line each."""
        found, more = self._some()
        lines = [f"  {record!r}" for record in found] + ["  …"] * more
        return "\n".join([f"<RecordSet {self._words()}>", *lines])

    def _repr_html_(self) -> str:
        return self._html()


def _whole(number: int) -> int:
    if type(number) is not int:
        msg = f"a number of records is an int, not {number!r}"
        raise TypeError(msg)
    return min(max(number, 0), MOST)
