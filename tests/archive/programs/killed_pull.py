"""Kill a pull again and again; the next goes on, nothing is lost or there twice."""

import os
import random
import signal
import sys
import time

from archivedb import Archive
from archivedb.archive.taking import adopting

source, address, seed, kills = *sys.argv[1:3], int(sys.argv[3]), int(sys.argv[4])
adopting.CHUNK = 4  # many commits
chance = random.Random(seed)  # noqa: S311 - repeatable
for turn in range(kills):
    pid = os.fork()
    if pid == 0:
        Archive(address).pull(source)
        os._exit(0)
    time.sleep(chance.random() * 0.08)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with Archive(address) as archive:
        if archive.exists:
            report = archive.verify()
            assert report.ok, (turn, report.findings)
            for name in archive:
                archive.load(name)
with Archive(address) as archive, Archive(source) as other:
    archive.pull(other)
    assert archive.pull(other).versions == 0
    assert list(archive) == list(other)
    for name in other:
        mine, its = archive.versions(name), other.versions(name)
        assert [(r.digest, r.tags, r.metadata, r.saved_at) for r in mine] == [
            (r.digest, r.tags, r.metadata, r.saved_at) for r in its
        ]
    assert archive.verify().ok
    before = archive.inspect().dump()
    archive.reindex()
    assert archive.inspect().dump() == before
sys.stdout.write("sound\n")
