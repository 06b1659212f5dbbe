"""Six processes save 40 times each, a reader beside them; print what was saved."""

import os
import sys
import time

from archivedb import Archive, errors

PROCESSES, SAVES = 6, 40
address, log = sys.argv[1:]


def write(number: int) -> None:
    """Save, every third time onto the one name that all share, and say so."""
    acknowledged = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    mode = ("hdf5", "json", "cloudpickle")[number % 3]
    with Archive(address, mode=mode) as archive:
        for turn in range(SAVES):
            name = "all/one" if turn % 3 == 0 else f"p{number}/{turn}"
            data = {"process": number, "turn": turn, "list": list(range(turn))}
            record = archive.save(data, name, metadata={"process": number})
            line = f"{number} {turn} {record.name} {record.version}\n"
            os.write(acknowledged, line.encode())
            if turn in (9, 29, 39):
                archive.delete(f"p{number}/{turn - 1}")
                os.write(acknowledged, f"- - p{number}/{turn - 1} 0\n".encode())


def read() -> None:
    """Read until the parent says stop: nothing that is there is ever missing."""
    archive = Archive(address)
    while not os.path.exists(f"{log}.stop"):  # noqa: PTH110 - a loop that hurries
        if not archive.exists:
            continue
        versions = [record.version for record in archive.find().below("all")]
        if versions:
            newest = versions[0]
            found = archive.versions("all/one")
            assert len(found) >= newest
            assert [r.version for r in found] == list(range(1, len(found) + 1))
            assert archive.load("all/one")["turn"] % 3 == 0
        for name in list(archive)[-3:]:
            try:
                archive.load(name)
            except (errors.RecordNotFoundError, errors.PayloadMissingError):
                assert name.endswith(("/8", "/28", "/38"))  # deleted meanwhile


def child(work: object, *arguments: object) -> int:
    """Run a function in a forked process."""
    pid = os.fork()
    if pid == 0:
        try:
            work(*arguments)  # type: ignore[operator]
        except BaseException:  # noqa: BLE001 - told on stderr
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    return pid


reader = child(read)
writers = [child(write, number) for number in range(PROCESSES)]
codes = [os.waitpid(pid, 0)[1] for pid in writers]
time.sleep(0.05)
with open(f"{log}.stop", "w"):  # noqa: PTH123 - nothing to say
    pass
codes.append(os.waitpid(reader, 0)[1])
sys.exit(any(codes))
