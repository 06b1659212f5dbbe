"""An archive against a dict: any sequence of what users do gives the same."""

from __future__ import annotations

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
    ArchiveNotFoundError,
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
Version = tuple[Any, dict[str, Any], tuple[str, ...]]
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


def clash(model: dict[str, Any], name: str) -> bool:
    """Return whether a name would be record and folder."""
    return any(
        other.startswith(f"{name}/") or name.startswith(f"{other}/") for other in model
    )


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
        self.model: dict[str, list[Version]] = {}
        self.batched = False

    def teardown(self) -> None:
        """Remove the directory."""
        if hasattr(self, "archive"):
            self.archive.close()
            shutil.rmtree(self.folder)

    def clashes(self, name: str) -> bool:
        """Return whether a name would be record and folder."""
        return clash(self.model, name)

    def act(self, model: dict[str, list[Version]], act: Act, mode: str) -> None:
        """Do one thing to a dict and to the archive; what is refused changes none."""
        kind, name, value = act
        known = model.get(name)
        if kind == "save":
            if known is None and clash(model, name):
                with pytest.raises(NameConflictError):
                    self.archive.save(value, name, mode=mode)
                return
            self.archive.save(value, name, mode=mode)
            said = value, {}, ()
            if known is None or plain(known[-1]) != plain(said):
                model.setdefault(name, []).append(said)
            return
        if known is None:
            with pytest.raises((RecordNotFoundError, ArchiveNotFoundError)):
                self.do(act)
            return
        data, facts, tags = known[-1]
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
            model[name] = [*known[:-1], (data, facts, tags)]
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
        model = {name: list(versions) for name, versions in self.model.items()}
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
        said = value, metadata, tuple(sorted(set(tags)))
        versions = self.model.setdefault(name, [])
        if not versions or plain(versions[-1]) != plain(said):
            versions.append(said)
        assert record.version == len(versions)
        return record

    @rule(name=st.sampled_from(NAMES))
    def save_equal(self, name: str) -> None:
        """Save again what is there already; nothing changes."""
        if name in self.model:
            value, metadata, tags = self.model[name][-1]
            record = self.archive.save(value, name, metadata=metadata, tags=tags)
            assert record.version == len(self.model[name])

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
        assert plain(value) == plain(self.model[name][record.version - 1][0])

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

    @rule(value=VALUES, mode=st.sampled_from(MODES))
    def save_plain(self, value: Any, mode: str) -> None:
        """Save into the directory without the archive, which then indexes it."""
        save(value, self.place, mode)
        assert plain(load(self.place)) == plain(value)
        if self.clashes("place"):
            return
        self.reopen()
        self.model.setdefault("place", []).append((value, {}, ()))

    @invariant()
    def equal(self) -> None:
        """Compare what the archive holds with the dict."""
        if not hasattr(self, "archive"):
            return
        assert list(self.archive) == sorted(self.model)
        for name, versions in self.model.items():
            found = self.archive.versions(name)
            assert [record.version for record in found] == [*range(1, len(found) + 1)]
            assert {record.name for record in found} == {name}
            assert self.archive.history(name)[-1].name == name
            assert [
                (plain(self.archive.load(r)), plain(r.metadata), r.tags) for r in found
            ] == [(plain(v), plain(m), t) for v, m, t in versions]
        if self.archive.exists:
            assert self.archive.verify().ok


class TestArchive(ArchiveMachine.TestCase):  # type: ignore[name-defined,misc]
    """Run it; bugs that are known have tests of their own."""

    # Shrinking fifteen steps takes minutes, and saves nobody much.
    settings = settings(
        max_examples=30, stateful_step_count=15, phases=[Phase.generate]
    )
