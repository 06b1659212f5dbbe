"""Third parties add to a table by entry points; built-ins win."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from archivedb.plugins import PluginTable, resolve

if TYPE_CHECKING:
    from pathlib import Path

GROUP = "archivedb.tests"


@pytest.fixture
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a package that adds two names, one of which is taken."""
    (tmp_path / "third_party.py").write_text("class Theirs:\n    pass\n")
    info = tmp_path / "third_party-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party\n")
    (info / "entry_points.txt").write_text(
        f"[{GROUP}]\nordered = third_party:Theirs\ntheirs = third_party:Theirs\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("third_party", None)


def table() -> PluginTable[object]:
    """Return a table with one built-in."""
    return PluginTable(GROUP, {"ordered": "collections:OrderedDict"})


def test_built_ins_need_no_installation() -> None:
    """A built-in is made at the first call, and once."""
    plugins = table()
    made = plugins.get("ordered")
    assert type(made).__name__ == "OrderedDict"
    assert plugins.get("ordered") is made
    assert plugins.names() == ["ordered"]


@pytest.mark.usefixtures("_installed")
def test_third_parties_add_names() -> None:
    """An installed package's entry points are found; nothing loads before."""
    plugins = table()
    assert plugins.names() == ["ordered", "theirs"]
    assert "third_party" not in sys.modules
    assert type(plugins.get("theirs")).__name__ == "Theirs"
    assert plugins.get("theirs") is plugins.get("theirs")


@pytest.mark.usefixtures("_installed")
def test_built_ins_win() -> None:
    """Nobody replaces a built-in by taking its name."""
    assert type(table().get("ordered")).__name__ == "OrderedDict"


def test_unknown_names() -> None:
    """A name that nobody has added is a `KeyError`."""
    with pytest.raises(KeyError, match="nothing"):
        table().get("nothing")


def test_resolve() -> None:
    """A reference names a module and what is in it."""
    assert resolve("collections:OrderedDict").__name__ == "OrderedDict"
