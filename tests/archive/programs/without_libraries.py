"""Save and load where no library is installed that archivedb has adapters for."""

import sys
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

LIBRARIES = frozenset({"ase", "attr", "attrs", "pandas", "pint", "scipy", "xarray"})
MODES = ("hdf5", "json", "cloudpickle")
asked: set[str] = set()


class Blocked(MetaPathFinder):
    """Finds that they are not there."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> None:
        """Raise for what is not installed."""
        del path, target
        if name.partition(".")[0] in LIBRARIES:
            asked.add(name)
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Blocked())

import numpy as np  # noqa: E402

import archivedb  # noqa: E402
from archivedb import Archive, Stub, errors  # noqa: E402

place = Path(sys.argv[1])
DATA = {"n": 1, "a": np.arange(40.0), "s": {1, 2}, "p": Path("x"), "t": (1, None)}
with Archive(place / "own.db") as archive:
    for mode in MODES:
        archive.save(DATA, mode, mode=mode, metadata={"n": 1})
        assert archive.load(mode)["p"] == Path("x")
        assert archive.open(mode)["a"][3] == 3
        archivedb.save(DATA, place / mode, mode)
        assert archivedb.load(place / mode)["s"] == {1, 2}
    assert archive.verify().ok
    assert archive.find(n=1).count() == len(MODES)
assert not asked, asked

with Archive(place / "adapted.db") as archive:
    repr(archive), archive._repr_html_(), archive.verify("full"), archive.reindex()
    for name in archive:
        repr(archive[name]), list(archive.outline(name)), archive.find(n=1)
        group = archive.open(name)
        assert group["n"] == 1
        repr(group), [repr(group.open("it")), list(group.open("it"))]
    assert not asked, asked
    for name in archive:
        found = archive.load(name, objects="stub")
        assert isinstance(found["it"], Stub), found
        assert found["n"] == 1
        assert found["it"].route == "adapter"
        assert found["it"].class_name.startswith(name.partition("/")[2])
        try:
            archive.load(name)
        except errors.RestoreError as error:
            assert "cannot be imported" in str(error)  # noqa: PT017
        else:
            raise AssertionError(name)
assert not LIBRARIES & set(sys.modules)
sys.stdout.write("\n".join(sorted({name.partition(".")[0] for name in asked})))
