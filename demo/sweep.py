"""
Archive a parameter sweep, search it, damage it, prove it, rebuild its catalog.

``make demo`` runs this: 7 metals at 13 lattice constants each, calculated with
ASE's EMT potential.  It says what it does, shows the commands that do the
same, checks every claim that it makes, and exits with 1 if one fails.

Usage: python demo/sweep.py [DIRECTORY]      (demo-archive, if left out)
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from emt import MEASURED, STEP, STEPS, equilibrium, sweep
from rich.filesize import decimal
from telling import chapter, command, expect, piped, say, show

from archivedb import Archive
from archivedb.errors import PayloadCorruptError

if TYPE_CHECKING:
    from collections.abc import Callable

    from emt import Run

MODES = {"hdf5": ".h5", "json": ".json", "cloudpickle": ".zip"}
DAMAGED = "emt/Cu/a-3.61"
"""The run in whose payload a bit will be flipped."""


def main() -> None:
    """Tell the whole story."""
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "demo-archive")
    make_fresh(place)
    db = place / "sweep.db"
    os.environ["ARCHIVEDB"] = str(db)
    runs = {run.name: run for run in run_the_sweep()}
    with Archive(db) as archive:
        save_all(archive, runs)
        list_them()
        find_the_best(archive)
        load_one_array(archive, runs)
        print_equations_of_state(archive)
    show_the_files(place)
    verify_all()
    damage_and_mend(db, runs)
    rebuild_the_catalog(db)
    program = os.path.relpath(Path(sys.executable).with_name("archivedb"))
    say(f"\nThat is all, and all of it was checked.  The archive stays in {place}:")
    show(program, "show", DAMAGED, "--db", str(db))


def make_fresh(place: Path) -> None:
    """Make an empty directory, without deleting what is not a demo's."""
    if place.is_dir():
        strangers = [path.name for path in place.iterdir() if path.stem != "sweep"]
        if strangers:
            sys.exit(f"{place} holds {strangers[0]}, which is no demo's: not deleted")
        shutil.rmtree(place)
    place.mkdir(parents=True)


def run_the_sweep() -> list[Run]:
    """Calculate all runs."""
    chapter("Run a sweep")
    say(
        f"{len(MEASURED)} fcc metals at {len(STEPS)} lattice constants each, {STEP} Å "
        "apart; 32 atoms;\nenergy, forces and stress from the EMT potential of ASE."
    )
    begun = time.monotonic()
    runs = list(sweep())
    say(f"{len(runs)} calculations took {time.monotonic() - begun:.1f} s.")
    return runs


def save_all(archive: Archive, runs: dict[str, Run]) -> None:
    """Save each run as a record, and check that it comes back as it was."""
    chapter("Save each run as a record")
    say("Each is a dict; the three modes take turns.  In Python:")
    say('    archive = Archive("sweep.db")')
    say('    archive.save(data, "emt/Cu/a-3.61", mode="hdf5",')
    say('                 metadata={"metal": "Cu", …}, tags=["measured"])')
    begun = time.monotonic()
    for run, mode in zip(runs.values(), cycle(MODES), strict=False):
        archive.save(
            run.data, run.name, mode=mode, metadata=run.metadata, tags=run.tags
        )
    took = time.monotonic() - begun
    say(
        f"{len(runs)} saves took {took:.1f} s, {1000 * took / len(runs):.0f} ms each; "
        "each was on the disk when `save` returned."
    )
    same = all(equal(archive.load(name), run.data) for name, run in runs.items())
    expect(f"all {len(runs)} dicts come back equal, to the last bit.", true=same)


def equal(left: Any, right: Any) -> bool:
    """Return whether two values are equal and of the same types."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(
            equal(left[key], right[key]) for key in left
        )
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and np.array_equal(left, right)
    return bool(left == right)


def list_them() -> None:
    """List folders and records."""
    chapter("List them")
    say("The commands below find the archive by this:")
    show("export", f"ARCHIVEDB={os.environ['ARCHIVEDB']}")
    command("ls", "emt")
    command("ls", "--long", "emt/Cu")
    command("tree", DAMAGED)


def find_the_best(archive: Archive) -> None:
    """Find the lowest-energy run of each metal, and tag it."""
    chapter("Find the run of lowest energy of each metal")
    say("What can be asked:")
    command("paths", "outputs")
    say("Without opening a payload file, in Python:")
    say('    archive.find(metal="Cu").order_by("outputs.energy").first()')
    best = []
    for metal in MEASURED:
        record = archive.find(metal=metal).order_by("outputs.energy")[0]
        best.append(record.name)
        say(f"    {record.name}  {record.metadata['energy']:8.4f} eV  {record.mode}")
    say('    archive.find().group_by("inputs.metal").agg(')
    say('        runs="count", lowest=("outputs.energy", "min"))')
    groups = archive.find().group_by("inputs.metal")
    table = groups.agg(runs="count", lowest=("outputs.energy", "min"))
    say(str(table))
    each = all(row["runs"] == len(STEPS) for row in table)
    expect(f"each metal has {len(STEPS)} runs.", true=each)
    lowest = [archive[f"{name}/outputs/energy"] for name in best]
    same = sorted(lowest) == sorted(row["lowest"] for row in table)
    expect("both ways find the same energies.", true=same)
    say("All of them get a tag, as one change:")
    say('    archive.find("name in best", {"best": names}).tag("lowest")')
    archive.find("name in best", {"best": best}).tag("lowest")
    tagged = {record.name for record in archive.find(tags="lowest")}
    expect(f"{len(best)} records have it, and no others.", true=tagged == set(best))
    say("Any value and what is known of arrays can be asked, in the shell, too:")
    columns = "name,outputs.energy,outputs.forces.max"
    question = 'outputs.forces.max < 0.2 and inputs.a > 4 and "lowest" in tags'
    command("find", question, "--order-by", "outputs.energy", "--columns", columns)
    piped("find", "inputs.metal=Cu", "inputs.a=3.61")


def load_one_array(archive: Archive, runs: dict[str, Run]) -> None:
    """Read one array out of one record."""
    chapter("Load one array by its path")
    path = f"{DAMAGED}/outputs/forces"
    say(f'    forces = archive["{path}"]')
    forces = archive[path]
    strongest = float(np.linalg.norm(forces, axis=1).max())
    say(
        f"The forces on {len(forces)} atoms, {forces.nbytes} bytes of {forces.dtype}; "
        f"the strongest is {strongest:.3f} eV/Å."
    )
    saved = runs[DAMAGED].data["outputs"]["forces"]
    expect("it is the array that was saved.", true=equal(forces, saved))
    command("load", "--json", f"{DAMAGED}/outputs/volume")


def print_equations_of_state(archive: Archive) -> None:
    """Fit an equation of state to each metal."""
    chapter("Fit the equation of state of each metal, from the archive alone")
    say("metal   a0 [Å]   literature   off by   V0 [Å³]   B [GPa]   E0 [meV]")
    say("───────────────────────────────────────────────────────────────────")
    worst, fits = 0.0, {}
    for metal, measured in MEASURED.items():
        found = archive["emt"].find(metal=metal)
        rows = found.values("outputs.volume", "outputs.energy")
        volumes, energies = zip(*rows, strict=True)
        fit = equilibrium(volumes, energies)
        off = 100 * (fit.a / measured - 1)
        worst = max(worst, abs(off))
        say(
            f"{metal:<5}{fit.a:9.3f}{measured:13.2f}{off:+7.1f} %"
            f"{fit.volume:10.2f}{fit.bulk_modulus:10.0f}{fit.energy:11.2f}"
        )
        fits[metal] = {"a0": fit.a, "volume": fit.volume, "energy": fit.energy}
    say("V0 and E0 are those of an atom.  EMT counts energies from about its own")
    say("perfect crystal, so they are near zero.")
    expect("every a0 is within 2 % of the literature.", true=worst < 2)  # noqa: PLR2004
    say("The fits are saved, too, as a batch: one file and one commit for all.")
    say("    with archive.batch():")
    say('        archive.save(fit, f"fits/{metal}", mode="json", metadata=…)')
    with archive.batch() as batch:
        for metal, numbers in fits.items():
            facts = {"metal": metal}
            archive.save(numbers, f"fits/{metal}", mode="json", metadata=facts)
    files = {file for record in batch.records for file in record.files}
    expect(f"{len(batch)} records lie in 1 file.", true=len(files) == 1)


def show_the_files(place: Path) -> None:
    """List the archive's directory with sizes."""
    chapter("What is on the disk")
    patterns = {
        "sweep.db*": "the catalog, in SQLite",
        "sweep.payloads/archive.json": "whose payloads these are",
    }
    for mode, suffix in MODES.items():
        patterns[f"sweep.payloads/??/*{suffix}"] = f"the payloads of mode {mode}"
    for pattern, what in patterns.items():
        files = [path for path in place.glob(pattern) if path.is_file()]
        number = f"{len(files)} file{'s' if len(files) > 1 else ' '}"
        size = decimal(sum(path.stat().st_size for path in files))
        say(f"    {pattern:<29}{number:>9}{size:>11}   {what}")
    say("The name of a payload says when it was made and what its bytes must be:")
    example = min(place.glob("sweep.payloads/??/*.h5"))
    say(f"    {example.relative_to(place)}")


def verify_all() -> None:
    """Prove that all is sound."""
    chapter("Prove that every byte is still what was saved")
    command("verify")


def damage_and_mend(db: Path, runs: dict[str, Run]) -> None:
    """Flip one bit, see what notices it, and flip it back."""
    chapter("Flip one bit, on purpose")
    with Archive(db) as archive:
        (file,) = archive.record(DAMAGED).files
        payload = db.with_name("sweep.payloads") / file
        # The payload holds each array as its plain bytes.
        forces = runs[DAMAGED].data["outputs"]["forces"].tobytes()
        offset = payload.read_bytes().index(forces) + 100
        flip_bit(payload, offset)
        say(f"Byte {offset} of the payload of {DAMAGED} now has one bit flipped.")
        command("verify", code=1)
        found = [(each.record, each.path) for each in archive.verify().findings]
        exactly = found == [(DAMAGED, "outputs/forces")]
        expect("verify finds exactly that record, and the array in it.", true=exactly)
        command("load", DAMAGED, code=1)
        expect("load refuses it.", true=is_refused(lambda: archive.load(DAMAGED)))
        others = {name: run.data for name, run in runs.items() if name != DAMAGED}
        same = all(equal(archive.load(name), data) for name, data in others.items())
        expect(f"the other {len(others)} records still load, all equal.", true=same)
        stress = archive[f"{DAMAGED}/outputs/stress"]
        saved = runs[DAMAGED].data["outputs"]["stress"]
        expect("so does the stress in the damaged one.", true=equal(stress, saved))
    flip_bit(payload, offset)
    say("The bit is flipped back, as if the file came from a backup:")
    command("verify")


def flip_bit(path: Path, offset: int) -> None:
    """Flip the lowest bit of one byte of a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def is_refused(load: Callable[[], Any]) -> bool:
    """Return whether loading says that the payload is damaged."""
    try:
        load()
    except PayloadCorruptError:
        return True
    return False


def rebuild_the_catalog(db: Path) -> None:
    """Delete the catalog and rebuild it from the payloads."""
    chapter("Delete the catalog, and rebuild it from the payloads")
    with Archive(db) as archive:
        before = archive.inspect().dump()
    for file in sorted(db.parent.glob("sweep.db*")):
        show("rm", str(file))
        file.unlink()
    command("reindex")
    with Archive(db) as archive:
        after = archive.inspect().dump()
    same = after == before
    expect(f"all {len(before)} rows of the catalog are as before.", true=same)
    piped("find", "metal=Cu", "a=3.61")


if __name__ == "__main__":
    main()
