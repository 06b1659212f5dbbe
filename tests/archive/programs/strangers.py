"""Make an archive whose payloads, once unpickled, create a file."""

import datetime as dt
import pickle
import sys
from pathlib import Path
from unittest.mock import patch

import numpy as np

from archivedb import Archive, save
from archivedb.values import pickled


class Attack:
    """What a stranger sends: it runs when it is restored."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Create a file on being unpickled."""
        return Path.touch, (Path(sys.argv[2]),)  # type: ignore[return-value]


PLAIN = {
    "plain": {"n": 1},
    "array": np.arange(3.0),
    "when": dt.date(2026, 1, 1),
    "set": {1, 2},
}


def evil(*_: object) -> bytes:
    """Return the pickle of something else than what is saved."""
    return pickle.dumps(Attack())


address, _, plain = sys.argv[1:]
with Archive(address) as archive:
    for mode in ("hdf5", "json", "cloudpickle"):
        archive.save(
            {"plain": {"n": 1}, "list": [{"attack": Attack()}], "array": [1.0, 2.0]},
            f"from/{mode}",
            mode=mode,
            metadata={"mode": mode},
        )
        save({"attack": Attack()}, f"{plain}/{mode}", mode)
        # What runs nothing, with a pickle of the whole that somebody changed.
        with patch.object(pickled, "dumps", evil):
            save(PLAIN, f"{plain}/harmless-{mode}", mode)
