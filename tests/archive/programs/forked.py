"""Fork while an archive is open, in use, and used by other threads."""

import faulthandler
import multiprocessing
import os
import pickle
import signal
import sys
import threading

from archivedb import Archive

address = sys.argv[1]


def in_child(work: object, *arguments: object) -> None:
    """Run a function in a forked process, and require that it ends well."""
    pid = os.fork()
    if pid == 0:
        # A deadlock is a failure, not a test that never ends.
        faulthandler.register(signal.SIGALRM, chain=True)
        signal.alarm(8)
        try:
            work(*arguments)  # type: ignore[operator]
        except BaseException:  # noqa: BLE001 - told on stderr
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        sys.stderr.flush()
        os._exit(0)
    code = os.waitpid(pid, 0)[1]
    assert code == 0, code


def save(archive: Archive, name: str) -> None:
    """Save, load and search with an archive that was inherited."""
    assert archive.save({"name": name}, name).version == 1
    assert archive.load(name) == {"name": name}
    assert archive.find(name=name).one().name == name


def first_use(archive: Archive) -> None:
    """Let a child be the first to use an archive, and the parent the second."""
    in_child(save, archive, "first/child")
    save(archive, "first/parent")


def open_archive(archive: Archive) -> None:
    """Use it in parent and child after a fork, and in a grandchild."""
    save(archive, "open/parent")

    def work() -> None:
        save(archive, "open/child")
        in_child(save, archive, "open/grandchild")
        archive.close()
        assert archive.load("open/parent")

    in_child(work)
    save(archive, "open/parent-again")
    assert archive["open"].find().count() == 4


def in_a_search(archive: Archive) -> None:
    """Fork in the middle of a search, which harms neither."""
    for number in range(3):
        save(archive, f"search/{number}")
    found = iter(archive["search"].find())
    next(found)
    in_child(save, archive, "search/child")
    assert len(list(found)) == 2
    save(archive, "search/parent")


def beside_threads(archive: Archive) -> None:
    """Fork while threads save, which leaves no lock locked in the child."""
    # Whatever a first save imports is Python's own business: a module's import
    # lock, or functools', that another thread holds, never opens in a child.
    save(archive, "warm")
    stop = threading.Event()
    failed = []

    def work(number: int) -> None:
        try:
            while not stop.is_set():
                archive.save({"n": os.urandom(4)}, f"threads/{number}")
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(10):
            in_child(save, archive, f"beside/{number}")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failed, failed
    assert archive["beside"].find().count() == 10


def use(work: tuple[Archive, int]) -> int:
    """Save from a worker that was started anew, with a pickled archive."""
    archive, number = work
    return archive.save({"n": number}, "spawned").version


def spawned(archive: Archive) -> None:
    """Use a pool that is spawned, which gets the archive by pickle."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        versions = pool.map(use, [(archive, n) for n in range(4)], chunksize=1)
        pool.close()
        pool.join()
    assert sorted(versions) == [1, 2, 3, 4], versions
    assert len(pickle.loads(pickle.dumps(archive)).versions("spawned")) == 4  # noqa: S301


if __name__ == "__main__":
    opened = Archive(address)
    globals()[sys.argv[2]](opened)
    report = opened.verify()
    assert report.ok, report.findings
    before = opened.inspect().dump()
    opened.reindex()
    assert opened.inspect().dump() == before
    sys.stdout.write("sound\n")
