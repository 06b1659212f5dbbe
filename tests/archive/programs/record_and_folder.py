"""Two processes race to make ``a`` and ``a/b``; exactly one may win."""

import os
import sys

from archivedb import Archive
from archivedb.errors import NameConflictError

ROUNDS = 25
address = sys.argv[1]
Archive(address).save({}, "warm")
for turn in range(ROUNDS):
    begin, go = os.pipe()
    pids = []
    for name in (f"{turn}/a", f"{turn}/a/b"):
        pid = os.fork()
        if pid == 0:
            os.close(go)
            archive = Archive(address)
            os.read(begin, 1)
            try:
                archive.save({"name": name}, name)
            except NameConflictError:
                os._exit(3)
            except BaseException:  # noqa: BLE001 - told on stderr
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        pids.append(pid)
    os.close(begin)
    os.close(go)
    codes = sorted(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids)
    assert codes == [0, 3], codes
archive = Archive(address)
assert len(archive) == ROUNDS + 1
assert archive.verify().ok
sys.stdout.write("sound\n")
