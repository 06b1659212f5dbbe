"""Add a record to an archive that holds an object, and that nobody has signed."""

import sys
from pathlib import Path
from unittest.mock import patch

from archivedb import Archive


class Attack:
    """What a stranger sends: it runs when it is restored."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Create a file on being unpickled."""
        return Path.touch, (Path(sys.argv[3]),)  # type: ignore[return-value]


address, name, _, mode = sys.argv[1:]
with (
    patch("archivedb.values.signing.sign", lambda *_: None),
    Archive(address) as archive,
):
    archive.save({"attack": Attack()}, name, mode=mode)
