"""
Power loss, simulated: what was written is cut at every point and replayed.

The calls that a save, an edit, a batch or a delete makes are recorded, with all
that the directory holds after each.  For every one, directories are made that a
power loss at that moment may leave, and opened: what was acknowledged must be
there, and of what was under way all or nothing.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any

from archivedb import Archive, load, save
from tests.stress.model import MODES, Change, State, Version, found, state
from tests.stress.recording import BELOW, Cut, Recorder, catalogs_between, leave
from tests.stress.toolkit import (
    Outcome,
    Scale,
    judged,
    main,
    require,
    require_sound,
    total,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

START = (
    *(Change("save", f"n/{number}", number, MODES[number]) for number in range(3)),
    Change("save", "n/1", 4, "json"),
)
"""What is there before most of the recordings begin."""

SCENARIOS: dict[str, tuple[tuple[Change, ...], tuple[Change, ...]]] = {
    "creation": ((), (Change("save", "n/0", 1), Change("save", "n/0", 3))),
    "saves": (
        START,
        tuple(Change("save", "n/0", 6 + n, mode) for n, mode in enumerate(MODES)),
    ),
    "edits": (
        START,
        (
            Change("edit", "n/0", 11),
            Change("append", "n/0", 12),
            Change("edit", "n/1", 13),
        ),
    ),
    "batches": (
        START,
        tuple(
            Change(
                "batch",
                parts=(
                    *(
                        Change("save", f"b/{mode}", number + n, mode)
                        for n, mode in enumerate(MODES)
                    ),
                    Change("tag", "n/0", number),
                    Change("delete", gone),
                ),
            )
            for number, gone in ((20, "n/1"), (30, "n/2"))
        ),
    ),
    "deletes": (
        START,
        (
            Change("delete", "n/1"),
            Change("rename", "n/0", to="m/0"),
            Change("save", "n/1", 41),
            Change("delete", "m/0"),
        ),
    ),
}


class Replay:
    """What a directory must hold that a power loss left."""

    def __init__(self, states: list[State], counts: Counter[str]) -> None:
        self.states, self.counts = states, counts

    def check(self, place: Path, said: int) -> None:
        """Open what is left, and check it; then save, and check again."""
        states, counts = self.states, self.counts
        # What is checked here need not survive a power loss of its own.
        options: Any = {"provenance": False, "durability": "relaxed"}
        with Archive(place / BELOW / "runs.db", **options) as archive:
            there = state(archive)
            right = states[said : said + 2]
            require(
                there in right,
                lambda: f"after {said} acknowledged, found {there}, and not {right}",
            )
            counts["completed"] += said + 1 < len(states) and there == states[said + 1]
            version = len(there["n/0"].versions) + 1 if "n/0" in there else 1
            made = archive.save(Version(99, 0, (99,)).value(), "n/0")
            require(made.version == version, lambda: f"the next is {made.version}")
        with Archive(place / BELOW / "runs.db", **options) as archive:
            now = Change("save", "n/0", 99).after(there)
            require(state(archive) == now, "the next save changed something else")
            # What was deleted, and whose removal was not synced, may lie there.
            require_sound(archive, but=("orphaned",))
            require(state(archive) == now, "a rebuilt catalog loads other values")


def record(
    place: Path, before: tuple[Change, ...], changes: tuple[Change, ...]
) -> tuple[list[Cut], list[State]]:
    """Return each moment of some changes, and what is there after each change."""
    root = place / "disk"
    root.mkdir(parents=True)
    address = root / BELOW / "runs.db"
    state_now: State = {}
    if before:
        with Archive(address, provenance=False) as archive:
            for change in before:
                change.make(archive)
                state_now = change.after(state_now)
    states = [state_now]
    recorder = Recorder(root)
    with recorder.watching(), Archive(address, provenance=False) as archive:
        for change in changes:
            change.make(archive)
            recorder.acknowledge()
            states.append(change.after(states[-1]))
    return recorder.cuts, states


def replayed(
    cuts: list[Cut],
    place: Path,
    chance: random.Random,
    tries: int,
    check: Callable[[Path, int], None],
) -> tuple[int, list[str]]:
    """Leave what may be left at each moment, check it, and return how many."""
    done = 0
    failures: list[str] = []
    left = place / "left"

    def one(cut: Cut, how: str, label: str, catalog: Any = None) -> None:
        nonlocal done
        done += 1
        with judged(failures, f"cut after {label}, {how}"):
            leave(cut, left, how, chance, catalog)
            check(left, cut.said)

    for number, cut in enumerate(cuts):
        label = f"call {number} ({cut.call})"
        ways = ["synced", "all", *["some"] * tries] if cut.unsynced() else ["all"]
        for how in ways:
            one(cut, how, label)
        following = cuts[number + 1] if number + 1 < len(cuts) else cut
        if following.catalog != cut.catalog:
            for catalog in catalogs_between(
                cut.catalog, following.catalog, chance, 4 * tries
            ):
                one(cut, chance.choice(ways), f"{label}, amid SQLite", catalog)
    shutil.rmtree(left, ignore_errors=True)
    return done, failures


def plain(place: Path) -> tuple[list[Cut], Callable[[Path, int], None]]:
    """Record saves into a plain directory; return what checks what is left."""
    root = place / "disk"
    root.mkdir(parents=True)
    values = [Version(number, 0, (number,)).value() for number in (3, 6, 9)]
    recorder = Recorder(root)
    with recorder.watching():
        for value, mode in zip(values, MODES, strict=True):
            save(value, root / BELOW, mode)
            recorder.acknowledge()

    def check(left: Path, said: int) -> None:
        try:
            number = found(load(left / BELOW)).number
        except FileNotFoundError:
            number = 0
        require(
            number in (3 * said, 3 * said + 3),
            f"after {said} acknowledged, found number {number}",
        )

    return recorder.cuts, check


def cutting(place: Path, scale: Scale) -> Outcome:
    """Record changes, cut them at every point, and open what is left."""
    outcome = Outcome(
        "(d) power loss, simulated",
        ("changes", "calls", "acknowledged", "replays", "completed", "failures"),
    )
    tries = scale.pick(8, 1)
    for name, (before, changes) in SCENARIOS.items():
        counts: Counter[str] = Counter()
        cuts, states = record(place / name, before, changes)
        if not scale.whole:
            cuts = cuts[scale.seed % 24 :: 24]
        chance = random.Random(f"{scale.seed} {name}")  # noqa: S311 - repeatable
        replay = Replay(states, counts)
        done, failures = replayed(cuts, place / name, chance, tries, replay.check)
        outcome.failures += [f"{name}: {failure}" for failure in failures]
        outcome.rows.append(
            (name, len(cuts), len(changes), done, counts["completed"], len(failures))
        )
    cuts, check = plain(place / "plain")
    cuts = cuts if scale.whole else cuts[scale.seed % 6 :: 6]
    chance = random.Random(scale.seed)  # noqa: S311 - repeatable
    done, failures = replayed(cuts, place / "plain", chance, tries, check)
    outcome.failures += [f"plain: {failure}" for failure in failures]
    outcome.rows.append(("plain saves", len(cuts), 3, done, 0, len(failures)))
    together = total(outcome.rows)
    outcome.summary = f"{together[3]:,} replays, {together[5]:,} of them wrong"
    outcome.notes.append(
        "SQLite's own syncs are taken on its word: its files are torn between them"
    )
    return outcome


if __name__ == "__main__":
    main(cutting)
