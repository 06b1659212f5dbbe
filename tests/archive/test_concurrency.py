"""Many processes and threads at one archive, forked, spawned or their own."""

from __future__ import annotations

import functools
import itertools
import threading
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from archivedb import Archive

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Program  # type: ignore[import-not-found]

PROCESSES, SAVES = 6, 40


def test_many_processes_save_at_once(tmp_path: Path, program: Program) -> None:
    """None is lost, none is refused, and versions are counted without a gap."""
    program("many_writers.py", tmp_path / "runs.db", tmp_path / "log")

    deleted, said = set(), defaultdict(list)
    for line in (tmp_path / "log").read_text().splitlines():
        process, turn, name, version = line.split()
        if process == "-":
            deleted.add(name)
        else:
            said[name].append((int(version), int(process), int(turn)))
    shared = sorted(said["all/one"])
    assert [version for version, *_ in shared] == list(range(1, PROCESSES * 14 + 1))
    with Archive(tmp_path / "runs.db") as archive:
        assert sorted(archive) == sorted(set(said) - deleted)
        for version, process, turn in shared:
            found = archive.load("all/one", version=version)
            assert (found["process"], found["turn"]) == (process, turn)
        for name in archive:
            version, process, turn = said[name][-1]
            assert archive.load(name, version=version)["list"] is not None
        for process in range(PROCESSES):
            own = {record.name for record in archive.find(process=process)}
            assert own - {"all/one"} == {
                name for name in archive if name.startswith(f"p{process}/")
            }
        history = archive.history("all/one")
        assert [change.position for change in history] == list(range(1, 85))
        report = archive.verify()
        assert report.ok, report.findings
        before = archive.inspect().dump()
        archive.reindex()
        assert archive.inspect().dump() == before
    assert not list((tmp_path / "runs.payloads" / "tmp").iterdir())


@pytest.mark.long
def test_six_processes_create_one_archive(tmp_path: Path, program: Program) -> None:
    """Whoever is first creates it; nobody sees half of it, and none is lost."""
    program("first_creation.py", tmp_path)


def test_record_and_folder_race(tmp_path: Path, program: Program) -> None:
    """Of two processes that make ``a`` and ``a/b`` at once, one is refused."""
    assert program("record_and_folder.py", tmp_path / "runs.db") == "sound\n"


@pytest.mark.parametrize(
    "way", ["first_use", "open_archive", "in_a_search", "beside_threads", "spawned"]
)
def test_an_archive_survives_a_fork(tmp_path: Path, program: Program, way: str) -> None:
    """Parent and child save, load and search after a fork, without a warning."""
    # The first use imports, which is to happen in the child.
    cold = way == "first_use"
    assert program("forked.py", tmp_path / "runs.db", way, cold=cold) == "sound\n"


def test_a_fork_amid_gathering_provenance(tmp_path: Path, program: Program) -> None:
    """A child forked while a thread waits for git does not wait for that thread."""
    assert program("fork_amid_git.py", tmp_path / "runs.db") == "saved\n"


def all_at_once(*works: Callable[[], object]) -> None:
    """Run functions in threads that start together, and raise what they raise."""
    failed: list[BaseException] = []
    start = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        try:
            start.wait()
            work()
        except BaseException as error:  # noqa: BLE001 - raised below
            failed.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in failed:
        raise error


def test_threads_share_an_archive(archive: Archive) -> None:
    """Threads save and read with one object, and none is lost."""
    done: list[int] = []

    def write(number: int) -> None:
        try:
            for turn in range(15):
                name = f"t{number}/{turn}" if turn % 3 else "one"
                archive.save({f"k{number}": turn, "n": number}, name)
        finally:
            done.append(number)

    def read() -> None:
        while len(done) < 6:
            for name in list(archive)[-3:]:
                archive.load(name)
            list(archive.find(n=3))

    all_at_once(read, *(functools.partial(write, n) for n in range(6)))

    assert [r.version for r in archive.versions("one")] == list(range(1, 31))
    assert len(archive) == 61
    for number, turn in itertools.product(range(6), (1, 2, 4, 5, 7, 8, 13, 14)):
        found = archive.find(**{f"k{number}": turn})
        assert [record.name for record in found] == [f"t{number}/{turn}"]
    assert archive.verify().ok
    before = archive.inspect().dump()
    archive.reindex()
    assert archive.inspect().dump() == before


def test_threads_create_one_archive(tmp_path: Path) -> None:
    """Threads with objects of their own may all be the first."""

    def write(number: int) -> None:
        with Archive(tmp_path / "runs.db") as archive:
            archive.save({"n": number}, "x")

    all_at_once(*(functools.partial(write, n) for n in range(8)))

    assert len(Archive(tmp_path / "runs.db").versions("x")) == 8


def test_closing_beside_threads(archive: Archive) -> None:
    """One thread may close what others use: they open it again."""
    archive.save({"n": 0}, "x")
    stop = threading.Event()

    def work(number: int) -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            archive.save({"n": turn}, f"t{number}")
            assert archive.load("x") == {"n": 0}

    def close() -> None:
        try:
            for _ in range(30):
                archive.close()
        finally:
            stop.set()

    all_at_once(close, *(functools.partial(work, n) for n in range(2)))
    assert archive.verify().ok


def test_reindexing_beside_writers(archive: Archive, tmp_path: Path) -> None:
    """A rebuild while others save loses nothing, and leaves the index true."""
    archive.save({"z": 0}, "seed")
    done = threading.Event()

    def write() -> None:
        try:
            with Archive(tmp_path / "runs.db") as own:
                for turn in range(40):
                    own.save({f"key{turn}": turn}, f"r{turn}")
                    if turn % 4 == 3:
                        own.delete(f"r{turn - 1}")
        finally:
            done.set()

    def rebuild() -> None:
        while not done.is_set():
            archive.reindex()

    all_at_once(write, rebuild)

    assert len(archive) == 31
    for turn in range(40):
        found = [record.name for record in archive.find(**{f"key{turn}": turn})]
        assert found == ([] if turn % 4 == 2 else [f"r{turn}"])
    assert archive.verify().findings == ()


def test_verifying_beside_writers(archive: Archive, tmp_path: Path) -> None:
    """A save or a delete in progress is no finding."""
    archive.save({"z": 0}, "seed")
    findings: list[object] = []
    done = threading.Event()

    def write() -> None:
        try:
            with Archive(tmp_path / "runs.db") as own:
                for turn in range(60):
                    own.save({"n": turn}, f"r{turn}")
                    if turn % 2:
                        own.delete(f"r{turn}")
        finally:
            done.set()

    def verify() -> None:
        while not done.is_set():
            findings.extend(archive.verify().findings)
            findings.extend(archive.verify("quick").findings)

    all_at_once(write, verify)

    assert not findings, findings
