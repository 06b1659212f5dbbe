"""
Single bits of payloads flipped, and payloads cut at every length.

`verify` must find each.  A load must be an error or exact: what it reads is
checked, and what it need not read may be damaged without its noticing.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections import Counter
from contextlib import closing, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from archivedb import Archive, ArchiveError
from tests.stress.model import MODES
from tests.stress.toolkit import Outcome, Scale, judged, main, require, total
from tests.support.exact import difference

if TYPE_CHECKING:
    from pathlib import Path

DATA: dict[str, Any] = {
    "inputs": {"structure": "fcc", "cutoff": 350, "text": "needle" * 20},
    "outputs": {"energy": -3.7, "forces": np.linspace(0, 1, 96).reshape(32, 3)},
    "flags": [True, None, 2**70],
    "blob": bytes(range(256)),
}
AT_ONCE = timedelta(0)
ROWS = np.arange(12.0).reshape(4, 3)
Values = dict[tuple[str, int], Any]


def filled(address: Path, mode: str) -> Values:
    """Make an archive with a save, an edit, appended rows and a batch."""
    with Archive(address, mode=mode, provenance=False) as archive:
        archive.save(DATA, "hurt", metadata={"m": 1}, tags=["t"])
        with archive.open("hurt") as group:
            group["inputs/cutoff"] = 351
        archive.open("hurt").append("outputs/forces", ROWS)
        with archive.batch():
            for number in range(3):
                archive.save(DATA | {"number": number}, f"batch/{number}")
        return loaded(archive)


def loaded(archive: Archive) -> Values:
    """Return every version of every record."""
    return {
        (name, record.version): archive.load(record)
        for name in archive
        for record in archive.versions(name)
    }


def load_all(archive: Archive, values: Values) -> bool:
    """Load every version; return whether one is refused, and require the others."""
    refused = False
    for (name, version), right in values.items():
        try:
            there = archive.load(name, version=version)
        except ArchiveError:
            refused = True
            continue
        where = difference(right, there)
        require(where is None, f"{name}@{version} loads wrong: {where}")
    return refused


def flip(raw: bytes, bit: int) -> bytes:
    """Return bytes with one bit flipped."""
    hurt = bytearray(raw)
    hurt[bit // 8] ^= 1 << bit % 8
    return bytes(hurt)


def flip_payloads(place: Path, mode: str, flips: int, seed: int) -> tuple[Any, ...]:
    """Flip bits in the payloads of a mode; return a row, and what failed."""
    counts: Counter[str] = Counter()
    failures: list[str] = []
    address = place / mode / "runs.db"
    values = filled(address, mode)
    files = sorted(address.with_name("runs.payloads").glob("??/*"))
    chance = random.Random(f"{seed} {mode}")  # noqa: S311 - repeatable
    sizes = [file.stat().st_size for file in files]
    with Archive(address, provenance=False) as archive:
        for _ in range(flips):
            (file,) = chance.choices(files, sizes)
            raw = file.read_bytes()
            bit = chance.randrange(len(raw) * 8)
            file.write_bytes(flip(raw, bit))
            with judged(failures, f"{mode}, bit {bit} of {file.name}"):
                refused = load_all(archive, values)
                counts["found by load"] += refused
                counts["loaded exactly"] += not refused
                findings = archive.verify(jobs=1).findings
                named = f"{file.parent.name}/{file.name}"
                found = bool(findings) and {f.file for f in findings} == {named}
                counts["found by verify"] += found
                require(found, f"verify says {findings}")
            file.write_bytes(raw)
        with judged(failures, f"{mode}, afterwards"):
            require(archive.verify().ok, "verify finds what was mended")
            load_all(archive, values)
    row = (mode, flips, *(counts[c] for c in COLUMNS), len(failures))
    return row, failures


COLUMNS = ("found by load", "loaded exactly", "found by verify")


def payloads(store: Path) -> set[str]:
    """Return the payloads that lie in a store."""
    return {f"{path.parent.name}/{path.name}" for path in store.glob("??/*")}


def flip_catalog(place: Path, flips: int, seed: int) -> tuple[Any, ...]:
    """Flip bits in the catalog: SQLite has no checksums, and loads no wrong value."""
    counts: Counter[str] = Counter()
    failures: list[str] = []
    address = place / "catalog" / "runs.db"
    values = filled(address, "hdf5")
    store, copy = address.with_name("runs.payloads"), address.with_name("copy")
    with Archive(address) as archive:
        archive.gc(grace=AT_ONCE)
        archive.backup(copy)
    needed = payloads(store)
    keep = shutil.copytree(store, address.with_name("kept"))
    with closing(sqlite3.connect(address)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw = address.read_bytes()
    used = [at for at, byte in enumerate(raw) if byte]
    chance = random.Random(f"{seed} catalog")  # noqa: S311 - repeatable
    for _ in range(flips):
        for ending in ("-wal", "-shm"):
            address.with_name(f"runs.db{ending}").unlink(missing_ok=True)
        bit = chance.choice(used) * 8 + chance.randrange(8)
        address.write_bytes(flip(raw, bit))
        with judged(failures, f"catalog, bit {bit}"):
            try:
                # Looked at as it is: what opens to write would mend some of it.
                with Archive(address, readonly=True) as archive:
                    refused = load_all(archive, values)
                    report = archive.verify()
            except ArchiveError:
                refused, report = True, None
            counts["found by load"] += refused
            counts["loaded exactly"] += not refused
            counts["found by verify"] += report is None or not report.ok
            # A row is no proof that a payload is not needed.
            with suppress(ArchiveError), Archive(address, provenance=False) as archive:
                with suppress(ArchiveError):
                    archive.gc(grace=AT_ONCE)
                archive.backup(copy)
            for which in (store, copy / "archive.payloads"):
                gone = needed - payloads(which)
                require(not gone, f"{which} has lost {gone}")
        if needed != payloads(store):
            shutil.rmtree(store)
            shutil.copytree(keep, store)
    row = ("catalog", flips, *(counts[c] for c in COLUMNS), len(failures))
    return row, failures


def flipping(place: Path, scale: Scale) -> Outcome:
    """Flip bits in payloads of each mode, and in the catalog."""
    outcome = Outcome("(e) single bits flipped", ("of", "flips", *COLUMNS, "failures"))
    flips = scale.pick(1000, 60)
    for mode in MODES:
        row, failures = flip_payloads(place, mode, flips, scale.seed)
        outcome.rows.append(row)
        outcome.failures += failures
    sums = total(outcome.rows)
    outcome.summary = (
        f"{sums[1]:,} flips, {sums[2]:,} found by load, {sums[4]:,} by verify"
    )
    row, failures = flip_catalog(place, flips, scale.seed)
    outcome.rows.append(row)
    outcome.failures += failures
    outcome.notes += [
        "what loads exactly was hit where load does not look; verify must find it",
        "SQLite has no checksums: of the catalog, only that nothing loads wrong",
    ]
    return outcome


# Truncation ---------------------------------------------------------------------


def truncating(place: Path, scale: Scale) -> Outcome:
    """Cut a small payload of each mode at every length."""
    outcome = Outcome(
        "(f) payloads cut at every length",
        ("mode", "bytes", "cuts", *COLUMNS, "failures"),
    )
    data = {"energy": -3.7, "forces": np.arange(6.0).reshape(2, 3), "name": "é"}
    for mode in MODES:
        counts: Counter[str] = Counter()
        failures: list[str] = []
        address = place / mode / "runs.db"
        with Archive(address, mode=mode, provenance=False) as archive:
            archive.save({"n": 1}, "sibling")
            record = archive.save(data, "hurt")
            file = address.with_name("runs.payloads") / record.files[0]
            raw = file.read_bytes()
            kept = shutil.copy(file, place / "kept")
            lengths = range(0, len(raw), 1 if scale.whole else 61)
            for length in lengths:
                file.write_bytes(raw[:length])
                with judged(failures, f"{mode}, cut to {length} bytes"):
                    refused = load_all(archive, {("hurt", 1): data})
                    counts["found by load"] += refused
                    counts["loaded exactly"] += not refused
                    # Each cut is a matter of size alone; full is asked of some.
                    level = "full" if length % 16 == 0 else "quick"
                    findings = archive.verify(level, jobs=1).findings
                    kinds = [(each.kind, each.record) for each in findings]
                    counts["found by verify"] += kinds == [("truncated", "hurt")]
                    require(kinds == [("truncated", "hurt")], f"found {kinds}")
                    require(archive.load("sibling") == {"n": 1}, "the sibling is hurt")
            shutil.copy(kept, file)
            with judged(failures, f"{mode}, afterwards"):
                require(archive.verify().ok, "verify finds what was mended")
        outcome.rows.append(
            (mode, len(raw), len(lengths), *(counts[c] for c in COLUMNS), len(failures))
        )
        outcome.failures += failures
    sums = total(outcome.rows)
    outcome.summary = (
        f"{sums[2]:,} cuts, {sums[3]:,} found by load, {sums[5]:,} by verify"
    )
    return outcome


if __name__ == "__main__":
    main(flipping, truncating)
