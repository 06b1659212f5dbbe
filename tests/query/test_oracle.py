"""Questions mean what plain Python says, whoever answers: the index or a record."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager, nullcontext
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from archivedb import Archive
from archivedb.archive.finding.subject import subject_of
from archivedb.catalog import driving, reading, searching
from archivedb.errors import QueryError
from archivedb.query.evaluate import matches
from archivedb.query.nodes import Path as NodePath
from archivedb.query.parse import parse, parse_order
from archivedb.query.walk import children, paths_of
from tests.query.oracle import NOWHERE, Entry, Oracle, standing
from tests.query.questions import Case, cases, fill
from tests.query.wording import Words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archivedb.archive.finding.recordset import RecordSet

EXAMPLES = int(os.environ.get("ARCHIVEDB_ORACLE_EXAMPLES", "3"))
"""Archives to make; a long run is one of thousands, each time of others."""
RECORDS, QUESTIONS = 16, 40


@pytest.mark.long
@settings(
    max_examples=EXAMPLES,
    derandomize="ARCHIVEDB_ORACLE_EXAMPLES" not in os.environ,
    print_blob=True,
    # To shrink takes many minutes, since each try saves all the records.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(cases(RECORDS, QUESTIONS))
def test_questions_mean_what_python_says(case: Case) -> None:
    """Names, counts, orders, slices, folders and old versions are as told."""
    place = FilePath(tempfile.mkdtemp(prefix="archivedb-oracle-"))
    try:
        with Archive(
            place / "runs.db", durability="relaxed", provenance=False
        ) as archive:
            fill(archive, case.histories)
            asked = _Asked(archive, case.histories)
            for number, (condition, order) in enumerate(case.questions):
                with _tiny() if number % 2 else nullcontext():
                    asked.about(condition, order, number)
    finally:
        shutil.rmtree(place)


@contextmanager
def _tiny() -> Iterator[None]:
    """Take what is few for many, so that searches go along the order, by turns."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching, "FEW", 1)
        patch.setattr(searching, "SOME", 3)
        patch.setattr(searching, "MANY", 4)
        patch.setattr(searching, "CHUNK", 1)
        patch.setattr(searching, "LARGEST_CHUNK", 4)
        patch.setattr(driving, "WORTH_SHARING", 2)
        yield


class _Asked:
    """
    An archive, of which the same is asked as of the oracle.

    Args:
        archive: What the entries were saved into.
        histories: The versions of each record.

    """

    def __init__(self, archive: Archive, histories: list[list[Entry]]) -> None:
        self._archive = archive
        self._newest = [versions[-1] for versions in histories]
        # In the order of being saved.
        self._all = [entry for versions in histories for entry in versions]
        self._oracle = Oracle()

    def about(self, condition: Any, order: Any, number: int) -> None:
        words = Words()
        text = words.of(condition)
        found = self._archive.find(text, words.parameters)
        told = f"{text} with {words.parameters}"
        if number % 4 == 0:
            self._is_true_of_old_ones(condition, found, told)
        try:
            got = _names(found)
        except QueryError:
            assert self._is_unknown(parse(text, words.parameters)), told
            return
        right = [e for e in self._newest if self._oracle.holds(condition, e)]
        newest_first = sorted(right, key=self._all.index, reverse=True)
        wrong = [e for e in self._newest if (e.name in got) != (e in right)]
        assert not wrong, self._told(told, condition, wrong)
        assert got == [e.name for e in newest_first], told
        assert found.count() == len(right), told
        if number % 4 == 1:
            self._agrees(condition, told)
        if number % 4 == 2:
            wanted = [e.name for e in newest_first if e.name.startswith("al/")]
            assert _names(found.below("al")) == wanted, told
        self._sorted(found, right, order, told, number)

    def _is_true_of_old_ones(self, condition: Any, found: RecordSet, told: str) -> None:
        right = [e for e in reversed(self._all) if self._oracle.holds(condition, e)]
        got = [(r.name, r.version) for r in found.all_versions()]
        wrong = [e for e in self._all if ((e.name, e.version) in got) != (e in right)]
        assert not wrong, self._told(told, condition, wrong)
        assert got == [(e.name, e.version) for e in right], told

    def _is_unknown(self, *nodes: Any) -> bool:
        """Return whether some path that is asked for has a value nowhere."""
        for path in [path for node in nodes for path in paths_of(node)]:
            values = [standing(entry, path)[0] for entry in self._newest]
            if all(x is NOWHERE or (type(x) is dict and x) for x in values):
                return True
        return False

    def _agrees(self, condition: Any, told: str) -> None:
        """Require that every record says of itself what the oracle says."""
        with self._archive._core.reading() as connection:
            numbers = range(1, len(self._newest) + 1)
            for row in reading.newest_by_ids(connection, list(numbers)):
                entry = next(e for e in self._newest if e.name == row.name)
                with subject_of(self._archive._core, row) as subject:
                    said = matches(condition, subject)
                assert said == self._oracle.holds(condition, entry), (told, entry)

    def _sorted(
        self, found: RecordSet, right: list[Entry], order: Any, told: str, number: int
    ) -> None:
        keys = [("-" if falls else "") + Words().of(x) for x, falls in order]
        assert [parse_order(key) for key in keys] == list(order), keys
        ordered = found.order_by(*keys)
        try:
            got = _names(ordered)
        except QueryError:
            assert self._is_unknown(*(operand for operand, _ in order)), keys
            return
        wanted = [e.name for e in self._oracle.sorted(right, order)]
        assert got == wanted, self._misplaced(told, keys, got, order)
        slices = ((0, 1), (0, 3), (2, 5), (len(wanted) // 2, None), (1, 3))
        start, stop = slices[number % 5]
        some = ordered[start:stop]
        if number % 5 == 4:
            some = ordered.offset(1).limit(2)
        assert _names(some) == wanted[start:stop], (told, keys)

    def _misplaced(self, told: str, keys: Any, got: list[str], order: Any) -> str:
        entries = {e.name: e for e in self._newest}
        ranks = [
            (name, self._oracle.ranks(order, entries[name]), entries[name].filled)
            for name in got
        ]
        wanted = [
            e.name for e in self._oracle.sorted(list(map(entries.get, got)), order)
        ]
        return f"{told} by {keys}\n  came as {ranks}\n  wanted {wanted}"

    @staticmethod
    def _told(told: str, condition: Any, wrong: list[Entry]) -> str:
        paths = _paths(condition)
        values = [
            (e.name, e.version, e.filled, [(path, standing(e, path)) for path in paths])
            for e in wrong
        ]
        return f"{told}\n  wrong for {values}"


def _paths(node: Any) -> list[NodePath]:
    found = [node] if isinstance(node, NodePath) else []
    return found + [path for child in children(node) for path in _paths(child)]


def _names(found: RecordSet) -> list[str]:
    return [record.name for record in found]
