"""
An archive against a dict: any sequence of what users do gives the same.

``ARCHIVEDB_STATES=2000`` runs so many sequences, each of 40 steps, by chance.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)

from archivedb import Archive, Record, load, save
from archivedb.errors import (
    ArchiveError,
    ArchiveNotFoundError,
    KeyNotFoundError,
    NameConflictError,
    RecordNotFoundError,
)

MODES = ("hdf5", "json", "cloudpickle")
# Few and entangled, so that they clash.
NAMES = ("a", "a/b", "a/b/c", "ab", "d/e", "d/f", "place")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(st.characters(codec="utf-8"), max_size=5),
)
KEYS = st.sampled_from(["x", "y", "a/b", "", "%", "[0]", "$int", ".", "é"])
VALUES = st.dictionaries(
    KEYS,
    st.recursive(
        st.one_of(SCALARS, st.binary(max_size=20), st.just(np.arange(4.0))),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)
        ),
        max_leaves=6,
    ),
    max_size=4,
)
METADATA = st.dictionaries(st.sampled_from("mn"), SCALARS, max_size=2)
KNOWN = st.integers(0, len(NAMES) - 1)
PARTS = st.one_of(SCALARS, st.just({}), st.just(np.arange(3.0)))
Version = tuple[Any, dict[str, Any], tuple[str, ...]]
Versions = dict[int, Version]
Model = dict[str, Versions]
SEQUENCES = int(os.environ.get("ARCHIVEDB_STATES", "0"))
Act = tuple[str, str, Any]
ACTS = st.one_of(
    st.tuples(st.just("save"), st.sampled_from(NAMES[:-1]), VALUES),
    st.tuples(st.just("delete"), st.sampled_from(NAMES), st.none()),
    st.tuples(
        st.sampled_from(["tag", "untag"]),
        st.sampled_from(NAMES),
        st.sampled_from("tuv"),
    ),
    st.tuples(st.just("annotate"), st.sampled_from(NAMES), METADATA),
    st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from(NAMES[:-1])),
)


def clash(model: Model, name: str) -> bool:
    """Return whether a name would be record and folder."""
    return any(
        other.startswith(f"{name}/") or name.startswith(f"{other}/") for other in model
    )


def add(versions: Versions, said: Version, number: int, *, grew: bool = False) -> None:
    """
    Add what a save made, and prove that an equal one made nothing.

    Where rows were appended, a digest is of how an array grew: what is equal to
    it, and was saved whole, may be another version.
    """
    newest = max(versions, default=0)
    if not newest or plain(versions[newest]) != plain(said):
        assert number == newest + 1
    else:
        assert number == newest or (grew and number == newest + 1)
    versions[number] = said


def newest_of(versions: Versions) -> Version:
    """Return the newest version."""
    return versions[max(versions)]


def plain(value: Any) -> Any:
    """Return a value that `==` compares exactly: types, signs and arrays."""
    if isinstance(value, np.ndarray):
        return "array", str(value.dtype), value.shape, value.tobytes()
    if isinstance(value, dict):
        return "dict", [(key, plain(value[key])) for key in value]
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [plain(item) for item in value]
    return type(value).__name__, repr(value)


class ArchiveMachine(RuleBasedStateMachine):
    """Whatever users do to an archive, done to a dict of lists as well."""

    records = Bundle("records")

    @initialize()
    def begin(self) -> None:
        """Open an archive in an empty directory that is called ``place``."""
        self.folder = Path(tempfile.mkdtemp())
        self.place = self.folder / "place"
        self.place.mkdir()
        self.archive = Archive(self.place, provenance=False, durability="relaxed")
        self.model: Model = {}
        self.batched = self.grew = False

    def teardown(self) -> None:
        """Remove the directory."""
        if hasattr(self, "archive"):
            self.archive.close()
            shutil.rmtree(self.folder)

    def clashes(self, name: str) -> bool:
        """Return whether a name would be record and folder."""
        return clash(self.model, name)

    def act(self, model: Model, act: Act, mode: str) -> None:
        """Do one thing to a dict and to the archive; what is refused changes none."""
        kind, name, value = act
        known = model.get(name)
        if kind == "save":
            if known is None and clash(model, name):
                with pytest.raises(NameConflictError):
                    self.archive.save(value, name, mode=mode)
                return
            made = self.archive.save(value, name, mode=mode)
            versions = model.setdefault(name, {})
            add(versions, (value, {}, ()), made.version, grew=self.grew)
            return
        if known is None:
            with pytest.raises((RecordNotFoundError, ArchiveNotFoundError)):
                self.do(act)
            return
        data, facts, tags = newest_of(known)
        if kind == "delete":
            self.do(act)
            del model[name]
        elif kind == "rename":
            rest = {
                other: versions for other, versions in model.items() if other != name
            }
            if value != name and (value in rest or clash(rest, value)):
                with pytest.raises(NameConflictError):
                    self.do(act)
                return
            self.do(act)
            model[value] = model.pop(name)
        else:
            record = self.do(act)
            if kind == "tag":
                tags = tuple(sorted({*tags, value}))
            elif kind == "untag":
                tags = tuple(sorted({*tags} - {value}))
            else:
                facts = {**facts, **value}
            model[name] = {**known, max(known): (data, facts, tags)}
            assert (plain(record.metadata), record.tags) == (plain(facts), tags)

    def do(self, act: Act) -> Any:
        """Do one thing to the archive."""
        kind, name, value = act
        arguments = [] if value is None else [value]
        return getattr(self.archive, kind)(name, *arguments)

    @rule(act=ACTS, mode=st.sampled_from(MODES))
    def change(self, act: Act, mode: str) -> None:
        """Do one thing alone."""
        self.act(self.model, act, mode)

    @rule(
        acts=st.lists(st.tuples(ACTS, st.sampled_from(MODES)), max_size=8),
        ends=st.booleans(),
    )
    def batch(self, acts: list[tuple[Act, str]], *, ends: bool) -> None:
        """Do several things at once, or not at all."""
        model = {name: dict(versions) for name, versions in self.model.items()}
        try:
            with self.archive.batch():
                for act, mode in acts:
                    self.act(model, act, mode)
                assert not self.archive.exists or list(self.archive) == sorted(
                    self.model
                )
                if not ends:
                    raise InterruptedError  # noqa: TRY301 - what ends a batch
        except InterruptedError:
            return
        self.model, self.batched = model, True

    @rule(
        target=records,
        name=st.sampled_from(NAMES[:-1]),
        value=VALUES,
        metadata=METADATA,
        tags=st.lists(st.sampled_from("tu")),
        mode=st.sampled_from(MODES),
    )
    def save(
        self,
        name: str,
        value: Any,
        metadata: dict[str, Any],
        tags: list[str],
        mode: str,
    ) -> Any:
        """Save under any name; a clash is refused."""
        if name not in self.model and self.clashes(name):
            with pytest.raises(NameConflictError):
                self.archive.save(value, name, mode=mode)
            return None
        record = self.archive.save(value, name, mode=mode, metadata=metadata, tags=tags)
        versions = self.model.setdefault(name, {})
        said = value, metadata, tuple(sorted(set(tags)))
        add(versions, said, record.version, grew=self.grew)
        return record

    @rule(name=st.sampled_from(NAMES))
    def save_equal(self, name: str) -> None:
        """Save again what is there already; nothing changes."""
        if name in self.model:
            versions = self.model[name]
            value, metadata, tags = said = newest_of(versions)
            record = self.archive.save(value, name, metadata=metadata, tags=tags)
            add(versions, said, record.version, grew=self.grew)

    @rule(name=st.sampled_from(NAMES), recursive=st.booleans())
    def delete(self, name: str, *, recursive: bool) -> None:
        """Delete a record or a folder, or fail to."""
        gone = {
            other
            for other in self.model
            if other == name or (recursive and other.startswith(f"{name}/"))
        }
        if gone:
            deletion = self.archive.delete(name, recursive=recursive)
            assert set(deletion.names) == gone
            # What a batch wrote may be needed by others.
            assert deletion.freed > 0 or self.batched
            for other in gone:
                del self.model[other]
        elif self.archive.exists:
            with pytest.raises(RecordNotFoundError):
                self.archive.delete(name, recursive=recursive)

    @rule(record=consumes(records))
    def pinned(self, record: Record | None) -> None:
        """Load a `Record` that was kept: it means its version, or nothing."""
        if record is None:
            return
        try:
            value = self.archive.load(record)
        except RecordNotFoundError:
            return
        name = self.archive.versions(record)[0].name
        assert plain(value) == plain(self.model[name][record.version][0])

    @rule()
    def reopen(self) -> None:
        """Close the archive, and open it as somebody else would."""
        self.archive.close()
        self.archive = Archive(self.place, provenance=False, durability="relaxed")

    @rule()
    def reindex(self) -> None:
        """Rebuild the catalog; it says the same as before."""
        if self.archive.exists:
            before = self.archive.inspect().dump()
            self.archive.reindex()
            assert self.archive.inspect().dump() == before

    @rule()
    def rebuild_copy(self) -> None:
        """Rebuild a copy from its payloads alone; it is the same archive."""
        if not self.archive.exists:
            return
        copy = self.folder / "copy"
        shutil.copytree(self.place / "archive.payloads", copy / "archive.payloads")
        with Archive(copy / "archive.db", provenance=False) as made:
            made.reindex()
            assert made.inspect().dump() == self.archive.inspect().dump()
            for level in ("quick", "full"):
                assert made.verify(level).ok
            for name, versions in self.model.items():
                newest = newest_of(versions)[0]
                assert plain(made.load(name)) == plain(newest)
        shutil.rmtree(copy)

    @rule(value=VALUES, mode=st.sampled_from(MODES))
    def save_plain(self, value: Any, mode: str) -> None:
        """Save into the directory without the archive, which then indexes it."""
        save(value, self.place, mode)
        assert plain(load(self.place)) == plain(value)
        if self.clashes("place"):
            return
        self.reopen()
        versions = self.model.setdefault("place", {})
        versions[max(versions, default=0) + 1] = (value, {}, ())

    # Inside of records ---------------------------------------------------

    def known(self, number: int) -> str:
        """Return one of the records that there are."""
        return sorted(self.model)[number % len(self.model)]

    def edited(self, name: str, data: Any) -> None:
        """Note what an edit has made; what is equal makes no version."""
        versions = self.model[name]
        old, facts, tags = newest_of(versions)
        if plain(old) != plain(data):
            versions[max(versions) + 1] = (data, facts, tags)

    @rule(number=KNOWN, key=KEYS, value=PARTS)
    def edit(self, number: int, key: str, value: Any) -> None:
        """Assign to one key of a record."""
        if self.model:
            name = self.known(number)
            self.archive.open(name)[(key,)] = value
            self.edited(name, {**newest_of(self.model[name])[0], key: value})

    @rule(number=KNOWN, key=KEYS)
    def delete_key(self, number: int, key: str) -> None:
        """Delete one key of a record, or fail to."""
        if not self.model:
            return
        name = self.known(number)
        data = dict(newest_of(self.model[name])[0])
        if key not in data:
            with pytest.raises(KeyNotFoundError):
                del self.archive.open(name)[(key,)]
            return
        del self.archive.open(name)[(key,)]
        del data[key]
        self.edited(name, data)

    @rule(number=KNOWN, key=KEYS, rows=st.integers(1, 3))
    def append(self, number: int, key: str, rows: int) -> None:
        """Append rows to an array; that is part of the newest version."""
        if not self.model:
            return
        name = self.known(number)
        versions = self.model[name]
        data, facts, tags = newest_of(versions)
        there = data.get(key)
        more = np.full(rows, 0.5)
        if there is not None and not isinstance(there, np.ndarray):
            with pytest.raises(ArchiveError):
                self.archive.open(name).append((key,), more)
            return
        self.archive.open(name).append((key,), more)
        self.grew = True
        if key not in data:
            self.edited(name, {**data, key: more})
        elif there is None:
            raise AssertionError(key)
        else:
            grown = {**data, key: np.concatenate([there, more])}
            versions[max(versions)] = (grown, facts, tags)

    @rule(
        number=KNOWN,
        edits=st.lists(st.tuples(KEYS, PARTS), max_size=4),
        ends=st.booleans(),
    )
    def edit_together(
        self, number: int, edits: list[tuple[str, Any]], *, ends: bool
    ) -> None:
        """Make several edits of a record at once, or none."""
        if not self.model:
            return
        name = self.known(number)
        data = dict(newest_of(self.model[name])[0])
        try:
            with self.archive.open(name) as group:
                for key, value in edits:
                    group[(key,)] = data[key] = value
                if not ends:
                    raise InterruptedError  # noqa: TRY301 - what ends a block
        except InterruptedError:
            return
        self.edited(name, data)

    # Upkeep ---------------------------------------------------------------

    @rule(number=KNOWN, keep=st.integers(1, 3))
    def prune(self, number: int, keep: int) -> None:
        """Drop all versions but the newest few."""
        if self.model:
            name = self.known(number)
            self.archive.prune(name, keep=keep)
            versions = self.model[name]
            for version in sorted(versions)[:-keep]:
                del versions[version]

    @rule(number=KNOWN)
    def compact(self, number: int) -> None:
        """Write a record into one payload: a new version where it was in several."""
        if self.model:
            name = self.known(number)
            versions = self.model[name]
            newest = max(versions)
            version = self.archive.compact(name).version
            assert version in (newest, newest + 1)
            versions[version] = versions[newest]

    @rule()
    def gc(self) -> None:
        """Collect what nothing needs: nothing that counts."""
        if self.archive.exists:
            done = self.archive.gc(grace=dt.timedelta(0), dry_run=False)
            assert not done.indexed

    @rule(
        saves=st.lists(
            st.tuples(st.sampled_from(NAMES[:-1]), VALUES, st.sampled_from(MODES)),
            min_size=1,
            max_size=3,
        ),
        by_hand=st.booleans(),
    )
    def take(self, saves: list[tuple[str, Any, str]], *, by_hand: bool) -> None:
        """Pull another archive, or ingest copies of its files; twice adds nothing."""
        if not self.archive.exists:
            return
        theirs: Model = {}
        with Archive(
            self.folder / "other.db", provenance=False, durability="relaxed"
        ) as other:
            for name, value, mode in saves:
                if name in theirs or not clash(theirs, name):
                    made = other.save(value, name, mode=mode)
                    add(theirs.setdefault(name, {}), (value, {}, ()), made.version)
            for _ in range(2):
                if by_hand:
                    self.ingest_copies()
                else:
                    self.archive.pull(other)
        (self.folder / "other.db").unlink()
        shutil.rmtree(self.folder / "other.payloads")
        for name, versions in theirs.items():
            if name in self.model or not clash(self.model, name):
                mine = self.model.setdefault(name, {})
                for said in versions.values():
                    mine[max(mine, default=0) + 1] = said

    def ingest_copies(self) -> None:
        """Ingest copies of the other archive's payloads."""
        incoming = self.place / "archive.payloads" / "incoming"
        incoming.mkdir(exist_ok=True)
        for file in (self.folder / "other.payloads").glob("??/*"):
            shutil.copy(file, incoming)
        self.archive.ingest()
        # What has no place here stays there, and is a finding.
        shutil.rmtree(incoming)

    @invariant()
    def equal(self) -> None:
        """Compare what the archive holds with the dict."""
        if not hasattr(self, "archive"):
            return
        assert list(self.archive) == sorted(self.model)
        for name, versions in self.model.items():
            found = self.archive.versions(name)
            assert [record.version for record in found] == sorted(versions)
            assert {record.name for record in found} == {name}
            assert self.archive.history(name)[-1].name == name
            assert [
                (plain(self.archive.load(r)), plain(r.metadata), r.tags) for r in found
            ] == [
                (plain(v), plain(m), t)
                for v, m, t in (versions[number] for number in sorted(versions))
            ]
        if self.archive.exists:
            report = self.archive.verify()
            assert report.ok, report.findings


class TestArchive(ArchiveMachine.TestCase):  # type: ignore[name-defined,misc]
    """Run it; bugs that are known have tests of their own."""

    # Shrinking fifteen steps takes minutes, and saves nobody much.
    settings = settings(
        max_examples=SEQUENCES or 12,
        stateful_step_count=40 if SEQUENCES else 20,
        derandomize=not SEQUENCES,
        phases=[Phase.generate],
    )
