"""
Files that somebody has changed on purpose, with digests that are right.

Envelopes, skeletons, HDF5, zip, JSON and SQLite files are mutated by Hypothesis,
and indexed, listed, loaded, verified.  Whatever they say, only archivedb's own
errors are raised; nothing crashes, hangs, or takes memory beyond twice the file
and what an interpreter needs.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import json
import os
import resource
import shutil
import sqlite3
import sys
import tempfile
import types
import warnings
from contextlib import closing, redirect_stderr, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st

from archivedb import Archive, ArchiveError, load
from archivedb.cli import _hdf5
from archivedb.errors import CatalogNewerError
from archivedb.formats import get_format, inline
from archivedb.formats.envelope import (
    HEAD_BYTES,
    Content,
    Envelope,
    Extent,
    head_text,
    read_head,
)
from archivedb.storage.files import HDF5Storage, JSONStorage, PickleStorage
from archivedb.store import naming
from archivedb.values import digest
from archivedb.values import json as stored_json
from archivedb.values.encode import encode
from tests.stress.toolkit import Outcome, Scale, main, told, total
from tests.support.payloads import (
    Memory,
    TooSlowError,
    build,
    read_content,
    read_envelope,
    within,
)
from tests.support.strategies import json_trees, replaced

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

DATA: dict[str, Any] = {
    "energy": -3.7,
    "forces": np.arange(6.0).reshape(2, 3),
    "steps": list(range(20)),
    "text": "é" * 5000,
    "odd": {1: b"x", None: (2**70, "\ud800")},
}
SLACK = 64 << 20
"""Bytes that an interpreter may need for its own ends: a thread's stack is 8 MiB."""
SECONDS = 10.0
SUFFIX = {"hdf5": ".h5", "json": ".json", "cloudpickle": ".zip"}
STORAGES: dict[str, Any] = {
    "hdf5": HDF5Storage,
    "json": JSONStorage,
    "cloudpickle": PickleStorage,
}


# What is changed --------------------------------------------------------------


class File:
    """The bytes of a file, which are too many to be shown."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def __repr__(self) -> str:
        """Return how many there are."""
        return f"<{len(self.raw)} bytes>"


def bytes_of(raw: bytes) -> SearchStrategy[bytes]:
    """Return what changes a few places of some bytes, or their length."""
    place = st.integers(0, len(raw))
    change = st.one_of(
        st.tuples(st.just("flip"), place, st.integers(0, 7)),
        st.tuples(st.just("set"), place, st.binary(min_size=1, max_size=9)),
        st.tuples(st.just("set"), place, st.sampled_from(NUMBERS)),
        st.tuples(st.just("insert"), place, st.binary(min_size=1, max_size=9)),
        st.tuples(st.just("drop"), place, st.integers(1, 600)),
        st.tuples(st.just("copy"), place, place),
        st.tuples(st.just("cut"), place, st.none()),
    )
    return st.lists(change, min_size=1, max_size=4).map(lambda made: changed(raw, made))


NUMBERS = [
    *(number.to_bytes(8, "little") for number in (0, 2**31, 2**62, 2**64 - 1)),
    *(number.to_bytes(4, "big") for number in (0, 2**30, 2**32 - 1)),
]


def changed(raw: bytes, changes: list[tuple[str, int, Any]]) -> bytes:
    """Return bytes with changes made to them."""
    for what, at, how in changes:
        if what == "flip" and at < len(raw):
            raw = raw[:at] + bytes([raw[at] ^ 1 << how]) + raw[at + 1 :]
        elif what == "set":
            raw = raw[:at] + how + raw[at + len(how) :]
        elif what == "insert":
            raw = raw[:at] + how + raw[at:]
        elif what == "drop":
            raw = raw[:at] + raw[at + how :]
        elif what == "copy":
            raw = raw[:at] + raw[how : how + 300] + raw[at:]
        elif what == "cut":
            raw = raw[:at]
    return raw


def with_envelope(mode: str, raw: bytes, tree: Any) -> bytes:
    """Return a payload that has another envelope, its digest right."""
    text = json.dumps(tree).encode()
    where = Extent(len(raw), len(text), digest.digest(text))
    head = head_text(mode, where, Extent(0, 0, digest.digest(b"")))
    begin = b'{"head": ' if mode == "json" else b""
    return (begin + head).ljust(HEAD_BYTES) + raw[HEAD_BYTES:] + text


def with_skeleton(mode: str, raw: bytes, tree: Any) -> bytes:
    """Return a payload that has another skeleton, all digests right."""
    text = json.dumps(tree).encode()
    envelope = read_envelope(mode, raw).tree()
    content = envelope["changes"][0]["content"]
    content["skeleton"] = [len(raw), len(text), digest.digest(text)]
    content["digest"] = digest.digest(text)
    return with_envelope(mode, raw + text, envelope)


# What is done with it -------------------------------------------------------------


def look_at(archive: Archive) -> None:
    """Do with an archive what people do who only look."""
    for name in archive:
        with suppress(ArchiveError):
            record = archive.record(name)
            repr(record), record.metadata, archive.history(name)
            archive.outline(name)
            archive.load(record)
            archive.load(record, objects="stub")
    with suppress(ArchiveError):
        list(archive.find("energy < 0 and exists(steps)"))
    archive.verify(jobs=1)


class Target:
    """An archive with a place for a payload, which is filled again and again."""

    def __init__(self, place: Path, mode: str) -> None:
        self.mode, self.place = mode, place
        self.address = place / "runs.db"
        with Archive(self.address, provenance=False, durability="relaxed") as archive:
            archive.save({"n": 1}, "sibling")
            archive.save(DATA, "hurt", mode=mode)
            self.file = place / "runs.payloads" / archive.record("hurt").files[0]
        self.raw = self.file.read_bytes()
        self.file.unlink()
        parsed = naming.parse(self.file.name)
        assert parsed is not None
        self.name = parsed

    def feed(self, raw: bytes) -> None:
        """Put a file into the store under a name that fits, and look at all."""
        name = naming.FileName(
            self.name.uuid, digest.name_digits([raw]), self.name.suffix
        )
        path = self.file.with_name(str(name))
        path.write_bytes(raw)
        try:
            # A change of a kind that only a newer archivedb knows is refused.
            with (
                suppress(CatalogNewerError),
                Archive(
                    self.address, provenance=False, durability="relaxed"
                ) as archive,
            ):
                archive.reindex()
                look_at(archive)
                assert archive.load("sibling") == {"n": 1}, "the sibling is hurt"
            self._alone(raw, name)
        finally:
            path.unlink()

    def _alone(self, raw: bytes, name: naming.FileName) -> None:
        """Load it as a plain directory, and as a storage of one file."""
        plain = self.place / "plain"
        plain.mkdir(exist_ok=True)
        path = plain / str(name)
        path.write_bytes(raw)
        with suppress(ArchiveError):
            load(plain)
        with suppress(ArchiveError):
            storage = STORAGES[self.mode](path)
            for key in storage:
                storage[key]
        path.unlink()


def catalog_target(place: Path) -> tuple[bytes, Callable[[bytes], None]]:
    """Return a catalog, and what looks at one that was changed."""
    address = place / "runs.db"
    with Archive(address, provenance=False) as archive:
        for number in range(20):
            archive.save(DATA | {"n": number}, f"al/{number}", tags=["t", str(number)])
        archive.delete("al/3")
    with closing(sqlite3.connect(address)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    right = DATA | {"n": 5}

    def feed(raw: bytes) -> None:
        for ending in ("-wal", "-shm"):
            address.with_name(f"runs.db{ending}").unlink(missing_ok=True)
        address.write_bytes(raw)
        for readonly in (True, False):
            with (
                suppress(ArchiveError),
                Archive(
                    address, readonly=readonly, provenance=False, durability="relaxed"
                ) as archive,
            ):
                look_at(archive)
                with suppress(ArchiveError):
                    there = archive.load("al/5", version=1)
                    same = json.dumps(there["n"]) == json.dumps(right["n"])
                    assert same, "another record's value was loaded"
                if not readonly:
                    archive.save({"n": 1}, "new")

    return address.read_bytes(), feed


def foreign_target() -> tuple[bytes, Callable[[bytes], None]]:
    """Return an HDF5 file of anybody's, and what imports one."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["a/x"] = np.arange(100.0)
        file["a/text"] = ["one", "two"]
        file.create_dataset("z", data=np.zeros((64, 64)), compression="gzip")
        file["soft"] = h5py.SoftLink("/a/x")
        file["a"].attrs["unit"] = "eV"

    def feed(raw: bytes) -> None:
        # It names there what it leaves out.
        with suppress(ArchiveError), redirect_stderr(io.StringIO()):
            _hdf5.read_hdf5(io.BytesIO(raw), "it.h5")

    return stream.getvalue(), feed


# Running it ----------------------------------------------------------------------


def limited(raw: bytes, feed: Callable[[bytes], None], last: Path) -> None:
    """Feed a file, within limits of time and memory."""
    # Whoever finds a crash has it still.
    last.write_bytes(raw)
    pages = int(Path("/proc/self/statm").read_text().split()[5])
    size = pages * resource.getpagesize() + 2 * len(raw) + SLACK
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (size, hard))
    try:
        with within(SECONDS), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            feed(raw)
    except (TooSlowError, MemoryError) as error:
        # An AssertionError is shrunk like any other.
        raise AssertionError(f"{type(error).__name__}: {error}") from error
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def _bytes_feed(target: Target) -> tuple[SearchStrategy[bytes], Any]:
    return bytes_of(target.raw), target.feed


def strategies(
    name: str, place: Path
) -> tuple[SearchStrategy[bytes], Callable[[bytes], None]]:
    """Return what makes the files of a row, and what is done with each."""
    kind, _, mode = name.partition(" ")
    if kind == "SQLite":
        raw, feed = catalog_target(place)
        return bytes_of(raw), feed
    if kind == "foreign":
        raw, feed = foreign_target()
        return bytes_of(raw), feed
    target = Target(place, mode)
    if kind == "bytes":
        return bytes_of(target.raw), target.feed
    if kind == "envelope":
        honest = read_envelope(mode, target.raw).tree()
        trees = replaced(honest, json_trees()) | json_trees()
        return trees.map(lambda t: with_envelope(mode, target.raw, t)), target.feed
    reader = get_format(mode).reader
    content = read_envelope(mode, target.raw).entries[0].content
    assert content is not None
    honest = reader(Memory(target.raw), content).skeleton.root
    trees = replaced(honest, json_trees()) | json_trees()
    return trees.map(lambda t: with_skeleton(mode, target.raw, t)), target.feed


ROWS = (
    *("envelope hdf5", "envelope json", "skeleton hdf5", "bytes hdf5"),
    *("bytes json", "bytes cloudpickle", "SQLite", "foreign HDF5"),
)


OF_OTHERS = {"foreign HDF5"}
"""What another library decodes; archivedb parses no HDF5 to read its payloads."""


def feed_many(name: str, place: Path, count: int, seed: int) -> tuple[int, int, str]:
    """Feed files of one kind in a process of its own; return how it ended."""
    place.mkdir(parents=True)
    last = place.parent / f"{name.replace(' ', '-')}.last"

    def work(say: Callable[[bytes], object]) -> None:
        files, feed = strategies(name, place)

        @hypothesis_seed(seed)
        @settings(
            max_examples=count,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        )
        @given(files.map(File))
        def run(file: File) -> None:
            say(b".")
            limited(file.raw, feed, last)

        run()

    code, said = told(work)
    why = ""
    if code < 0:
        kept = Path(tempfile.gettempdir()) / f"archivedb-crash-{last.name}"
        shutil.copy(last, kept)
        why = f"{name}: signal {-code}; the file is kept as {kept}"
    elif code:
        why = f"{name}: an error that is not archivedb's own, see above"
    return len(said), code, why


def mutating(place: Path, scale: Scale) -> Outcome:
    """Feed mutated files of every kind."""
    outcome = Outcome(
        "(g) files mutated on purpose", ("what", "fed", "crashed", "failures")
    )
    count = scale.pick(1500, 8)
    for number, name in enumerate(ROWS):
        fed = crashed = failed = 0
        for turn in range(20):
            below, seed = place / f"{number}-{turn}", scale.seed + turn
            done, code, why = feed_many(name, below, count - fed, seed)
            fed += done
            crashed += code < 0
            if why and not (code < 0 and name in OF_OTHERS):
                outcome.failures.append(why)
                failed += 1
            if code >= 0 or fed >= count or why in outcome.failures:
                break
        outcome.rows.append((name, fed, crashed, failed))
        if crashed and name in OF_OTHERS:
            outcome.notes.append(
                f"{crashed} times the HDF5 library crashed on a file of strangers, "
                "which only `archivedb save FILE.h5` gives to it"
            )
    sums = total(outcome.rows)
    outcome.summary = f"{sums[1]:,} files fed, {sums[3]:,} kinds of them failed"
    if not scale.whole:
        return outcome
    if importlib.util.find_spec("atheris") is None:
        outcome.notes.append("atheris is not installed: the decoders were not fuzzed")
        return outcome
    for decoder in DECODERS:
        seconds = 60
        code, said = told(functools.partial(fuzz, decoder, place, seconds))
        row = f"atheris {decoder}, {seconds} s"
        outcome.rows.append((row, len(said), int(code < 0), int(code != 0)))
        if code:
            outcome.failures.append(f"{row}: ended with {code}, see above")
    return outcome


# Led by what is reached ----------------------------------------------------------


def decode_head(raw: bytes) -> None:
    """Read a head."""
    read_head(raw, "it")


def decode_envelope(raw: bytes) -> None:
    """Read an envelope."""
    Envelope.parse(raw, "it")


def decode_skeleton(raw: bytes) -> None:
    """Read the value that a JSON document says, arrays inline."""
    canonical, _ = inline.without_data(stored_json.loads(raw, "it"))
    where = Extent(0, len(raw), digest.digest(raw))
    read_content("json", raw, Content("json", digest.digest(canonical), 1, where))


DECODERS = {
    "head": decode_head,
    "envelope": decode_envelope,
    "skeleton": decode_skeleton,
}


def _honest(decoder: str) -> bytes:
    raw = build("json", DATA)
    if decoder == "head":
        return get_format("json").head(Memory(raw))
    if decoder == "envelope":
        return json.dumps(read_envelope("json", raw).tree()).encode()
    return stored_json.dumps_readable(inline.with_data(encode(DATA)))


def fuzz(
    decoder: str, place: Path, seconds: int, say: Callable[[bytes], object]
) -> None:
    """Fuzz a decoder for some seconds, led by what of it is reached."""
    import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]

    corpus = place / f"corpus-{decoder}"
    corpus.mkdir()
    (corpus / "0").write_bytes(_honest(decoder))
    decode = DECODERS[decoder]

    def one(raw: bytes) -> None:
        say(b".")
        with suppress(ArchiveError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            decode(raw)

    for name, module in sorted(sys.modules.items()):
        if name.startswith("archivedb."):
            for function in vars(module).values():
                if isinstance(function, types.FunctionType):
                    with suppress(Exception):
                        atheris.instrument_func(function)
    options = [f"-max_total_time={seconds}", "-rss_limit_mb=1024", "-timeout=10"]
    options += ["-verbosity=0", "-print_final_stats=0", "-max_len=65536"]
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(mutating)
