"""What single questions mean, where it is easily taken for something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb import Archive

if TYPE_CHECKING:
    from collections.abc import Iterator

FILLER = {f"filler-{number:04}": number for number in range(1200)}
ENTRIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "group": ({"x": {"y": 1}}, {}),
    "hidden group": ({"x": {"y": 1}}, {"x": 1}),
    "empty group": ({"x": {}}, {}),
    "one": ({"x": 1, "text": "b"}, {}),
    "nul": ({"x": 2.5, "text": "a\0b"}, {}),
    "large": ({"x": 2**62 + 1, "y": 2**62 + 1}, {}),
    "tiny": ({"x": 1e-200, "y": 1e200}, {}),
    "array": ({"forces": np.zeros((32, 3)), "x": np.array([1.0, np.nan])}, {}),
    "scalar": ({"forces": np.array(2.0)}, {}),
    "nothing": ({}, {}),
}
EXAMPLES = [
    # A dict is there, and unequal to all that a literal can be.
    ("x != 1", ["group", "empty group", "nul", "large", "tiny", "array"]),
    ("x != [1]", [name for name in ENTRIES if name not in ("scalar", "nothing")]),
    ("x != y", ["tiny"]),
    # What is nowhere has neither value nor length, and is not None either.
    ("x == len(forces.ndim)", []),
    ("x + 1 <= forces", []),
    # Texts that no database takes have their place among the others.
    ("text < 'a\0c'", ["nul"]),
    ("text > 'a\0'", ["one", "nul"]),
    ("text <= '\ud800'", ["one", "nul"]),
    ("text >= '\ud800'", []),
    ("name < '\ud800'", list(ENTRIES)),
    ("name in ['one', '\ud800']", ["one"]),
    ("'\ud800' in tags", []),
    ("like(text, 'a')", []),
    ("like(text, 'a*')", ["nul"]),
    ("like(text, 'a\0*')", ["nul"]),
    ("matches(text, '\ud800|\0')", ["nul"]),
    # What is known of an array is as good as what it holds.
    ("32 in forces.shape", ["array"]),
    ("len(forces.shape) == 2", ["array"]),
    ("'float' in forces.dtype", ["array"]),
    ("len(forces) == 32", ["array"]),
    ("forces == []", []),
    # An array without axes is a number.
    ("forces == 2 and forces.max == 2", ["scalar"]),
    ("exists(forces.ndim)", ["array"]),
    ("isnan(x.max)", ["array"]),
    # Ints become doubles where they grow too large, and tiny products zero.
    ("x + y == 9223372036854775808", ["large"]),
    ("x * x == 0", ["tiny"]),
    ("x / y == 0", ["tiny"]),
    ("y * y > 1e300", ["tiny"]),
    ("version < 1.5", list(ENTRIES)),
    ("version < 100000000000000000000", list(ENTRIES)),
    # A value that no double is equals no sum.
    ("x + 0 in [0.1]", []),
]


@pytest.fixture(scope="module", params=["whole", "in part"])
def archive(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Archive]:
    """Return an archive of the entries, indexed wholly, or hardly at all."""
    filler = FILLER if request.param == "in part" else {}
    place = tmp_path_factory.mktemp("meaning")
    with Archive(place / "runs.db", durability="relaxed", provenance=False) as opened:
        for name, (data, metadata) in ENTRIES.items():
            opened.save({**filler, **data}, name, metadata=metadata)
        yield opened


@pytest.mark.parametrize(("text", "names"), EXAMPLES)
def test_questions_mean_what_they_say(
    archive: Archive, text: str, names: list[str]
) -> None:
    """Whether by the index, by the payload, or as older versions."""
    found = archive.find(text)

    assert sorted(record.name for record in found) == sorted(names)
    assert found.count() == len(names)
    assert sorted(r.name for r in found.all_versions()) == sorted(names)


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("name", sorted(ENTRIES)),
        ("-saved_at", list(ENTRIES)[::-1]),
        ("-version", list(ENTRIES)[::-1]),
        ("forces.dtype", ["array"]),
        ("-forces.ndim", ["array"]),
        ("forces.shape", ["array"]),
        ("-forces", ["scalar", "array"]),
        ("x", ["tiny", "hidden group", "one", "nul", "large", "array", "empty group"]),
        ("-x", ["large", "nul", "one", "hidden group", "tiny", "array", "empty group"]),
        ("x * 2", ["tiny", "hidden group", "one", "nul", "large"]),
    ],
)
def test_orders_mean_what_they_say(
    archive: Archive, key: str, names: list[str]
) -> None:
    """What is not there comes last, and so does a dict: it has no value."""
    rest = [name for name in ENTRIES if name not in names]
    if key.startswith("-"):
        rest.reverse()

    found = [record.name for record in archive.find().order_by(key)]
    assert found == [*names, *rest]
    for most in (1, 3):
        some = archive.find().order_by(key).limit(most)
        assert [record.name for record in some] == found[:most]
