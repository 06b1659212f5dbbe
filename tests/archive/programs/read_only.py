"""Read an archive, as a user who may not write there."""

import os
import sys
import tempfile
from pathlib import Path

from archivedb import Archive, errors

address = sys.argv[1]
if os.getuid() == 0:
    # Permissions do not bind root.
    os.setgid(65534)
    os.setuid(65534)
os.environ["HOME"] = tempfile.gettempdir()
os.environ["ARCHIVEDB_KEY"] = f"{tempfile.gettempdir()}/archivedb-nobody/key"
try:
    (Path(address).parent / "probe").touch()
except PermissionError:
    pass
else:
    sys.exit("this directory can be written")
with Archive(address, readonly=True) as archive:
    assert archive.load("x") == {"a": 1}
    assert archive["x/a"] == 1
    assert archive.find(a=1).count() == 1
    assert archive.verify().ok
    try:
        archive.save({"a": 2}, "x")
    except errors.ReadOnlyError:
        sys.stdout.write("read\n")
