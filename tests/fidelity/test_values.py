"""Every kind of value comes back exactly from every mode, or is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from archivedb import Archive
from tests.fidelity.catalogue import GROUPS, KINDS, REFUSED
from tests.fidelity.page import MODES, PAGE, outcomes_expected, render, route_of
from tests.fidelity.refusing import refusals
from tests.fidelity.saving import EXACT, outcomes
from tests.fidelity.saving import REFUSED as REFUSED_WORD

if TYPE_CHECKING:
    from pathlib import Path


def test_names_are_unique() -> None:
    """Each kind can be told from all others by its name."""
    names = [kind.name for kind in (*KINDS, *REFUSED)]
    assert len(set(names)) == len(names)


@pytest.mark.long
@pytest.mark.parametrize("mode", MODES)
def test_every_kind_in_a_fresh_process(mode: str, tmp_path: Path) -> None:
    """What was saved here is loaded by another process, and is what it was."""
    found = outcomes(KINDS, tmp_path, mode)
    assert {name: said for name, said in found.items() if said != EXACT} == {}


@pytest.mark.parametrize("mode", MODES)
def test_what_cannot_be_kept(mode: str, tmp_path: Path) -> None:
    """It is refused with the path to it, before anything is written."""
    found = refusals(tmp_path, mode)
    assert {name: said for name, said in found.items() if said != REFUSED_WORD} == {}


@pytest.mark.parametrize("title", GROUPS)
def test_tree_shows_the_route(title: str, tmp_path: Path) -> None:
    """`archivedb tree` says behind each object which way it took."""
    kinds = [kind for kind in GROUPS[title] if not kind.large]
    with Archive(tmp_path / "runs.db", mode="json", durability="relaxed") as archive:
        archive.save({kind.name: kind.make() for kind in kinds}, "all")
        shown = [node.text for node in archive.outline("all") if node.depth == 0]
    for kind, text in zip(kinds, shown, strict=True):
        route, adapter = route_of(kind.make())
        if text.startswith("the same object as") or route == "native":
            continue
        if adapter:
            assert text.startswith(adapter), kind.name
            assert "." not in adapter or text.endswith("(adapter)"), kind.name
        else:
            assert text.endswith((f"({route})", f", {route})")), kind.name


def test_the_page_is_up_to_date() -> None:
    """`docs/values.md` is what the tests above have shown."""
    expected = render(outcomes_expected())
    shown = PAGE.read_text(encoding="utf-8")
    assert shown == expected, "run `python -m tests.fidelity.make_page`"
