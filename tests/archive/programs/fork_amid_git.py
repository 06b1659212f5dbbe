"""Fork while another thread gathers facts; the child must be able to save."""

import os
import signal
import sys
import threading

from archivedb import Archive
from archivedb.archive import provenance

archive = Archive(sys.argv[1])
archive.save({}, "warm")
waits, go_on = threading.Event(), threading.Event()


def slow(_directory: str) -> dict[str, str]:
    """Take as long as git does in a large checkout."""
    waits.set()
    go_on.wait()
    return {}


provenance._ask_git, fast = slow, provenance._ask_git
provenance._git = None
thread = threading.Thread(target=archive.save, args=({}, "slow"))
thread.start()
waits.wait()
provenance._ask_git = fast
pid = os.fork()
if pid == 0:
    signal.alarm(8)  # instead of waiting for ever
    archive.save({}, "child")
    os._exit(0)
code = os.waitpid(pid, 0)[1]
go_on.set()
thread.join()
assert code == 0, code
assert sorted(archive) == ["child", "slow", "warm"]
sys.stdout.write("saved\n")
