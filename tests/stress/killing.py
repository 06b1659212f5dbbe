"""
A real writer process, killed by SIGKILL at random moments.

The writer says each change once before it begins and once when it has returned.
What it said is done must be so, for whoever opens the archive next; of what it
had begun, all must be there or nothing; and what was deleted must not return.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from archivedb import Archive
from tests.stress.model import Change, State, drawn, state
from tests.stress.toolkit import (
    Outcome,
    Scale,
    child,
    judged,
    main,
    require,
    require_sound,
    signature_has,
    total,
)

if TYPE_CHECKING:
    from pathlib import Path

KINDS = {
    "saves": ("save",),
    "edits": ("save", "edit", "edit", "append"),
    "batches": ("batch",),
    "deletes": ("save", "save", "delete", "delete", "rename", "tag"),
}
"""What the writer of a row of the table chooses from."""

KILLS_PER_ARCHIVE = 25


class Writer:
    """
    Kills writers of one archive, and knows what it must hold.

    Args:
        address: The archive.
        kinds: What changes its writers make.
        chance: Chooses them, and when they are killed.
        counts: Figures.
        spool: Whether they write without SQLite, to be taken in by others.

    """

    def __init__(
        self,
        address: Path,
        kinds: tuple[str, ...],
        chance: random.Random,
        counts: Counter[str],
        *,
        spool: bool,
    ) -> None:
        self.address, self.kinds, self.chance = address, kinds, chance
        self.counts, self.spool = counts, spool
        self.state: State = {}
        self.number = 0

    def _write(self, say: int, seed: int) -> None:
        """Make changes for ever, and say so."""
        options: Any = {"spool": True} if self.spool else {}
        archive = Archive(self.address, provenance=False, **options)
        chance = random.Random(seed)  # noqa: S311 - repeatable
        now, number = self.state, self.number
        while True:
            number += 1
            change = drawn(chance, now, chance.choice(self.kinds), number)
            os.write(say, b"b")
            change.make(archive)
            os.write(say, b"d")
            now = change.after(now)

    def _changes(self, seed: int, count: int) -> list[Change]:
        """Return the changes that a writer of this seed makes, in order."""
        chance = random.Random(seed)  # noqa: S311 - repeatable
        now, changes = self.state, []
        for number in range(self.number + 1, self.number + 1 + count):
            made = drawn(chance, now, chance.choice(self.kinds), number)
            changes.append(made)
            now = made.after(now)
        return changes

    def kill(self) -> None:
        """Start a writer, kill it, and check what is left."""
        seed = self.chance.getrandbits(32)
        listen, say = os.pipe()
        pid = child(lambda: self._write(say, seed))
        os.close(say)
        said = b""
        # By what it says, since a busy machine may take long; then at any moment.
        words = self.chance.randrange(8)
        while len(said) < words and (piece := os.read(listen, 1)):
            said += piece
        time.sleep(self.chance.random() * self.chance.choice((0.001, 0.005, 0.015)))
        os.kill(pid, signal.SIGKILL)
        code = os.waitpid(pid, 0)[1]
        while piece := os.read(listen, 1 << 12):
            said += piece
        os.close(listen)
        require(os.WIFSIGNALED(code), "the writer failed by itself")
        begun, done = said.count(b"b"), said.count(b"d")
        self._check(self._changes(seed, begun), done)
        self.number += begun

    def _check(self, changes: list[Change], done: int) -> None:
        counts = self.counts
        counts["kills"] += 1
        counts["acknowledged"] += done
        acknowledged = self.state
        for change in changes[:done]:
            acknowledged = change.after(acknowledged)
        possible = acknowledged
        if len(changes) > done:
            possible = changes[done].after(acknowledged)
        with Archive(self.address, provenance=False) as archive:
            if self.spool and hasattr(archive, "ingest") and archive.exists:
                archive.ingest()
            there = state(archive)
            if len(changes) > done and possible != acknowledged:
                counts["cut off"] += 1
                counts["completed"] += there == possible
                counts["absent"] += there == acknowledged
            if there not in (acknowledged, possible):
                counts["lost"] += 1
            require(
                there in (acknowledged, possible),
                lambda: (
                    f"acknowledged {acknowledged}; begun {changes[done:]}; "
                    f"found {there}"
                ),
            )
            self.state = there
            if archive.exists:
                require_sound(archive)
                require(state(archive) == there, "a rebuilt catalog loads other values")

    def rebuild(self) -> None:
        """Remove the catalog, and check that the payloads say the same."""
        if not self.address.exists():
            return
        with Archive(self.address) as archive:
            dump = archive.inspect().dump()
        for path in self.address.parent.glob(f"{self.address.name}*"):
            path.unlink()
        with Archive(self.address) as archive:
            archive.reindex()
            require(archive.inspect().dump() == dump, "the payloads say something else")
            require(state(archive) == self.state, "the payloads hold something else")


COLUMNS = ("kills", "acknowledged", "cut off", "completed", "absent", "lost")


def killing(place: Path, scale: Scale) -> Outcome:
    """Kill writers, and check after each what is left."""
    kinds = dict(KINDS)
    outcome = Outcome(
        "(a) writers killed by SIGKILL",
        ("writers of", *COLUMNS, "failures"),
    )
    if signature_has(Archive.__init__, "spool"):
        kinds["spool"] = ("save",)
    else:
        outcome.notes.append("this archivedb has no spool")
    kills = scale.pick(500, 36) // len(kinds)
    for name, choices in kinds.items():
        counts: Counter[str] = Counter()
        before = len(outcome.failures)
        chance = random.Random(f"{scale.seed} {name}")  # noqa: S311 - repeatable
        writer = None
        for turn in range(kills):
            if writer is None or turn % KILLS_PER_ARCHIVE == 0:
                address = place / f"{name}-{turn}" / "runs.db"
                writer = Writer(address, choices, chance, counts, spool=name == "spool")
            with judged(outcome.failures, f"{name}, kill {turn}"):
                writer.kill()
                if turn % KILLS_PER_ARCHIVE in (KILLS_PER_ARCHIVE - 1, kills - 1):
                    writer.rebuild()
                continue
            writer = None
        row = (name, *(counts[c] for c in COLUMNS), len(outcome.failures) - before)
        outcome.rows.append(row)
    together = total(outcome.rows)
    outcome.rows.append(together)
    outcome.summary = (
        f"{together[1]:,} kills, {together[2]:,} acknowledged, {together[6]:,} lost"
    )
    return outcome


if __name__ == "__main__":
    main(killing)
