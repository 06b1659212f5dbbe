"""While ``a`` is saved, another process publishes ``a/b`` and is killed."""

import os
import sys
from typing import Any

from archivedb import Archive
from archivedb.archive.core import Core
from archivedb.errors import NameConflictError
from archivedb.store.pending import Pending

address = sys.argv[1]
archive = Archive(address)
archive.create()
publish = Pending.publish


def crash(*_: Any) -> Any:
    """End as the power does."""
    os._exit(0)


def interrupted(self: Pending) -> str:
    """Let another process publish and crash first."""
    Pending.publish = publish  # type: ignore[method-assign]
    pid = os.fork()
    if pid == 0:
        Core.writing = crash  # type: ignore[method-assign,assignment]
        Archive(address).save({"n": 2}, "a/b")
        os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0
    return publish(self)


Pending.publish = interrupted  # type: ignore[method-assign]
try:
    archive.save({"n": 1}, "a")
except NameConflictError:
    sys.stdout.write("refused\n")
