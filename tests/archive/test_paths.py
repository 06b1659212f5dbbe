"""`Archive.paths`: what can be asked."""

from __future__ import annotations

import datetime as dt
import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from rich.console import Console

from archivedb.errors import KeyNotFoundError

if TYPE_CHECKING:
    from archivedb import Archive

BIG = {f"filler-{number:04}": {"deep": number} for number in range(1200)}


def test_paths_say_what_stands_there(fast: Archive) -> None:
    """Types with their counts, ranges, examples and shapes."""
    for number in range(4):
        inputs = {"xc": ["PBE", "LDA"][number % 2], "k-points": [number, 4, 4]}
        outputs = {
            "energy": -number if number else "none",
            "forces": np.full((4 + number, 3), number / 2),
            "ok": number > 1,
            "at": dt.datetime(2026, 1, 1 + number, tzinfo=dt.UTC),
        }
        fast.save(
            {"inputs": inputs, "outputs": outputs}, f"r{number}", metadata={"who": "me"}
        )

    paths = fast.paths()

    assert [each.path for each in paths] == [
        *("who", "inputs.xc", 'inputs["k-points"]', "outputs.energy"),
        *("outputs.forces", "outputs.ok", "outputs.at"),
    ]
    assert [each.side for each in paths][:2] == ["metadata", "data"]
    energy = paths["outputs.energy"]
    assert energy.types == {"number": 3, "text": 1}
    assert (energy.least, energy.largest, energy.examples) == (-3, -1, ("none",))
    assert paths["inputs.xc"].examples == ("LDA", "PBE")
    forces = paths["outputs/forces"]
    assert (forces.dtypes, forces.shape) == (("float64",), ((4, 7), (3, 3)))
    assert (forces.least, forces.largest, forces.count) == (0, 1.5, 4)
    assert paths['inputs["k-points"]'].lengths == (3, 3)
    assert paths["outputs.ok"].examples == (False, True)
    assert paths["outputs.at"].largest.day == 4
    assert "outputs.energy" in paths
    assert "outputs.nothing" not in paths
    with pytest.raises(KeyNotFoundError, match="no record has"):
        paths["outputs.nothing"]


def test_paths_below_a_path(fast: Archive) -> None:
    """And nothing whose name only begins alike."""
    fast.save({"out": {"a": 1}, "out-2": {"a": 1}, "out2": 1}, "run")

    assert [each.path for each in fast.paths("out")] == ["out.a"]
    assert [each.path for each in fast.paths("out.a")] == ["out.a"]
    assert [each.path for each in fast.paths("out/a")] == ["out.a"]
    assert len(fast.paths("nothing")) == 0


def test_paths_like_a_pattern(fast: Archive) -> None:
    """Stars and question marks, as on the command line; a mistype has proposals."""
    fast.save({"out": {"a": 1, "ab": 2, "k-p": [1]}, "in": 3}, "run")

    assert [each.path for each in fast.paths("out.a*")] == ["out.a", "out.ab"]
    assert [each.path for each in fast.paths("out.a?")] == ["out.ab"]
    assert [each.path for each in fast.paths('out["k?p"]')] == ['out["k-p"]']
    assert len(fast.paths("nothing.*")) == 0
    with pytest.raises(KeyNotFoundError, match=r"did you mean `out\[\"k-p\"\]`"):
        fast.paths()["out.k_p"]


def test_dots_say_that_there_are_more_texts(fast: Archive) -> None:
    """More than are shown: three are all there are, or long ones hide."""
    for number, text in enumerate("abc"):
        fast.save({"x": text, "y": text}, f"r{number}")
    fast.save({"y": "d", "z": "e" * 2000}, "other")

    paths = fast.paths()

    assert paths["x"].words == "a, b, c"
    assert paths["y"].words == "a, b, c, …"
    assert [paths[key].more for key in "xyz"] == [False, True, True]


def test_only_living_records_have_paths(fast: Archive) -> None:
    """What was deleted, or stands in older versions alone, cannot be asked for."""
    fast.save({"old": 1}, "run")
    fast.save({"new": 1}, "run")
    fast.save({"gone": 1}, "other")
    fast.delete("other")

    assert [each.path for each in fast.paths()] == ["new"]


def test_an_archive_that_is_not_there_has_no_paths(archive: Archive) -> None:
    """Asking makes none, either."""
    assert len(archive.paths()) == 0
    assert not archive.exists


def test_what_is_not_listed_is_said(fast: Archive) -> None:
    """Records of more leaves than the index holds."""
    fast.save({**BIG, "at": {"x": 1}}, "run")

    paths = fast.paths()

    assert paths.partly == 1
    assert "of 1 record with more than 1,000 leaves" in repr(paths)
    assert "1,000 leaves" in paths._repr_html_()


def test_paths_are_shown_as_they_are(fast: Archive) -> None:
    """Nothing of them is markup."""
    fast.save({"[red]": "<b>[bold]"}, "run")
    console = Console(width=100, record=True, file=io.StringIO())

    console.print(fast.paths())

    assert '["[red]"]' in (text := console.export_text())
    assert "<b>[bold]" in text
    assert "&lt;b&gt;" in fast.paths()._repr_html_()
    assert repr(fast.paths()).splitlines()[0].startswith("path")
