"""Make an archive whose payloads, once unpickled, create a file."""

import sys
from pathlib import Path

from archivedb import Archive, save


class Attack:
    """What a stranger sends: it runs when it is restored."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Create a file on being unpickled."""
        return Path.touch, (Path(sys.argv[2]),)  # type: ignore[return-value]


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
