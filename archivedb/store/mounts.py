"""
What kind of file system a path lies on, by the kernel's table of mounts.

SQLite needs locks and shared memory that network file systems do not have, or
only among the processes of one host.  https://www.sqlite.org/wal.html
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TABLE = "/proc/self/mountinfo"
"""Where Linux lists the mounts; other systems have no such file."""

NETWORK = frozenset(
    {
        *("afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs2", "glusterfs"),
        *("gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "panfs"),
        *("pvfs2", "quobyte", "smb3", "smbfs", "wekafs"),
    }
)
"""Types of file systems that several hosts write at once."""

_NETWORK_FUSE = frozenset(
    {
        *("beegfs", "ceph", "ceph-fuse", "davfs", "gcsfuse", "glusterfs", "gpfs"),
        *("juicefs", "moosefs", "mfs", "quobyte", "rclone", "s3fs", "sshfs"),
    }
)
_ESCAPED = re.compile(rb"\\([0-7]{3})")


def network_type(path: Path) -> str | None:
    """
    Return the type of the network file system that a path lies on, or None.

    Args:
        path: An absolute path, links followed; it need not exist.

    """
    found = file_system(path)
    if found is None:
        return None
    kind, _, below = found.partition(".")
    if found in NETWORK or (kind == "fuse" and below in _NETWORK_FUSE):
        return found
    return None


def file_system(path: Path) -> str | None:
    """Return the type of the file system that a path lies on, if it can be known."""
    try:
        with open(TABLE, "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return None
    parts = os.fsencode(path).rstrip(b"/").split(b"/")
    deepest, found = -1, None
    for line in lines:
        mount = _parsed(line)
        if mount is None:
            continue
        point, kind = mount
        steps = point.rstrip(b"/").split(b"/")
        # Of two at one place, the later lies over the earlier.
        if parts[: len(steps)] == steps and len(steps) >= deepest:
            deepest, found = len(steps), kind
    return found


def _parsed(line: bytes) -> tuple[bytes, str] | None:
    """Return where a line of the table mounts what."""
    before, dash, after = line.partition(b" - ")
    fields, kinds = before.split(), after.split()
    if not dash or len(fields) < 5 or not kinds:  # noqa: PLR2004 - proc(5)
        return None
    # Spaces and the like are octal there.
    point = _ESCAPED.sub(lambda match: bytes([int(match[1], 8) & 255]), fields[4])
    return point, kinds[0].decode("ascii", "replace")
