"""Make what a stranger would send: whatever restores it creates a file."""

import copyreg
import functools
import os
import sys
from pathlib import Path
from typing import Any

import hostile_calls as calls
import hostile_import as imports
import numpy as np
import pandas as pd
import xarray as xr

from archivedb import Archive, HDF5Storage, JSONStorage, PickleStorage, save
from archivedb.values import signing
from archivedb.values.trusting import PublicKey
from tests.support.thirdparty.dirstore import DirStore

MODES = ("hdf5", "json", "cloudpickle")


class System:
    """The classic."""

    def __reduce__(self) -> Any:
        """Run a command."""
        return os.system, (f"touch {os.environ['MARK']}",)


class Make:
    """The quiet one."""

    def __reduce__(self) -> Any:
        """Make a file."""
        return os.mknod, (os.environ["MARK"],)


class Base:
    """A class that travels by value, and knows when it is inherited from."""

    def __init_subclass__(cls) -> None:
        """Leave the mark."""
        if "STRANGER" not in os.environ:
            Path(os.environ["MARK"]).touch()


class ByValue(Base):
    """A class whose making runs code."""


def objects(*items: Any) -> Any:
    """Return an array of objects."""
    made = np.empty(len(items), object)
    made[:] = items
    return made


def reduced(_: Any) -> Any:
    """Reduce what `copyreg` knows."""
    return calls.ran, (1,)


def values() -> dict[str, Any]:
    """Return a value for each way of running something."""
    copyreg.pickle(calls.Registered, reduced)
    evil = calls.Reduced
    masked = np.ma.MaskedArray(objects(evil(), 1), mask=[False, True])
    attached = np.arange(3.0).view(np.recarray)
    shared = evil()
    frame = pd.DataFrame({"n": [1, 2], "o": objects(evil(), None)})
    return {
        "system": System(),
        "make": Make(),
        "reduce": evil(),
        "string-reduce": imports.function,
        "setstate": calls.Set(),
        "new": calls.New(),
        "init": calls.Called(),
        "setattr": calls.Slots(),
        "setter": calls.Setter(),
        "list": calls.Listed([1]),
        "dict": calls.Mapped(a=1),
        "copyreg": calls.Registered(),
        "storable": calls.Stored(),
        "descriptor": _with_attribute(calls.Data()),
        "key": {calls.Key(): 1},
        "key-below": {(1, evil()): 1, "plain": 2},
        "set-item": {calls.Key()},
        "frozenset-item": frozenset({calls.Key()}),
        "reference": imports.function,
        "class": imports.Object,
        "state": imports.Object(),
        "dataclass": imports.Data(),
        "attrs": imports.Attrs(),
        "enum": imports.Colour.RED,
        "flag": imports.Level.LOW | imports.Level.HIGH,
        "import-storable": imports.Stored(),
        "text": imports.Text("text"),
        "namedtuple": imports.Pair(),
        "exception": imports.OddError("odd"),
        "by-value": ByValue,
        "by-value-instance": ByValue(),
        "partial": functools.partial(imports.function),
        "object-array": objects(1, evil()),
        "nested-array": objects(objects(evil()), None),
        "masked": masked,
        "attached": {"array": attached, "beside": evil()},
        "frame": frame,
        "series": pd.Series(objects(evil(), 1)),
        "index": pd.Index(objects(imports.Colour.RED, "x")),
        "attrs-of-frame": _with_attrs(pd.DataFrame({"a": [1]}), evil()),
        "variable": xr.DataArray(np.arange(2), dims="x", attrs={"evil": evil()}),
        "shared": [shared, {"again": shared}],
        "tuple": (1, (2, evil())),
        "deep": _deep(evil()),
        "default": __import__("collections").defaultdict(imports.Object),
        "proxy": __import__("types").MappingProxyType({"a": evil()}),
        "namespace": __import__("types").SimpleNamespace(a=evil()),
        "slice": slice(evil(), 1),
        "timezone": __import__("datetime").datetime.min,
    }


def _with_attrs(frame: Any, value: Any) -> Any:
    frame.attrs["evil"] = value
    return frame


def _with_attribute(value: Any) -> Any:
    vars(value)["x"] = 1
    return value


def _deep(value: Any) -> Any:
    for _ in range(120):
        value = [value]
    return value


def main(place: Path) -> None:
    """Fill a directory."""
    made = values()
    del made["timezone"]
    made["callback"] = lambda *_: calls.ran(1)
    with Archive(place / "strange.db") as archive:
        for mode in MODES:
            for name, value in made.items():
                data = {"n": 1, "array": np.arange(40.0), "it": value}
                archive.save(
                    data, f"{mode}/{name}", mode=mode, metadata={"n": 1}, tags=["bad"]
                )
            archive.save(made, f"all/{mode}", mode=mode)
            save({"n": 1, "it": calls.Reduced()}, place / f"plain-{mode}", mode)
            # A second version, and rows that were appended, so that all that
            # edits read is there.
            group = archive.open(f"{mode}/reduce")
            group["version"] = 2
            group.append("array", np.arange(2.0))
    for storage in (
        HDF5Storage(place / "one.h5"),
        JSONStorage(place / "one.json"),
        PickleStorage(place / "one.zip"),
        DirStore(place / "dirstore"),
    ):
        with storage:
            storage["n"] = 1
            storage["it"] = imports.Object()
            storage["more"] = {"colour": imports.Colour.RED, "list": [imports.Data()]}
    public = PublicKey(signing.public_key(), "stranger")
    (place / "stranger.pub").write_text(public.line())
    sys.stdout.write("\n".join(made))


main(Path(sys.argv[1]))
