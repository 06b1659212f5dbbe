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
from archivedb.errors import NameConflictError, RecordNotFoundError

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

    def teardown(self) -> None:
        """Remove the directory."""
        if hasattr(self, "archive"):
            self.archive.close()
            shutil.rmtree(self.folder)

    def clashes(self, name: str) -> bool:
        """Return whether a name would be record and folder."""
        return any(
            other.startswith(f"{name}/") or name.startswith(f"{other}/")
            for other in self.model
        )

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
            assert deletion.freed > 0
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
        assert plain(value) == plain(self.model[record.name][record.version - 1][0])

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
