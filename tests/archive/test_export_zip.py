"""`export` to a zip that others read, and `unpack` of one that a stranger sends."""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import os
import signal
import stat
import sys
import threading
import time
import tracemalloc
import warnings
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import archivedb
from archivedb import Archive
from archivedb.archive import provenance
from archivedb.archive.packing import bag as bags
from archivedb.archive.packing import reading
from archivedb.archive.packing.names import Directories, spelt_alike
from archivedb.errors import (
    ArchiveError,
    BagError,
    BatchError,
    InvalidNameError,
    PayloadCorruptError,
    StoreError,
    UntrustedPayloadError,
)
from tests.support import fresh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODES = ("hdf5", "json", "cloudpickle")
SECRETS = ("the-host-of-mine", "the-user-of-mine", "--argument-of-mine", "my-directory")


@pytest.fixture
def filled(fast: Archive) -> Archive:
    """Return an archive of a record in each mode, and some that share payloads."""
    for number, mode in enumerate(MODES):
        fast.save(
            {"n": number, "x": np.arange(30.0), "f": Fraction(1, 3)},
            f"a/{mode}",
            mode=mode,
            metadata={"m": mode, "cell": {"a": 4.05, "of": ["Al", 2]}},
            tags=["t", "u"],
        )
    fast.open("a/hdf5")["more"] = True
    fast.open("a/json").append("x", np.arange(2.0))
    with fast.batch():
        fast.save({"n": 3}, "b/1")
        fast.save({"n": 4, "when": np.datetime64("2020-01-01")}, "b/2")
    fast.save({"set": {1, 2}}, "alone", tags=["é"])
    return fast


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Archive]:
    """Return another archive, which is not created yet."""
    with Archive(tmp_path / "other.db", durability="relaxed") as opened:
        yield opened


def extracted(path: Path) -> Path:
    """Return the directory that a zip holds."""
    place = path.with_suffix("")
    with zipfile.ZipFile(path) as opened:
        opened.extractall(place)
    (root,) = place.iterdir()
    return root


def described(root: Path) -> dict[str, dict[str, Any]]:
    """Return the entities of a crate by their ids."""
    document = json.loads((root / "data/ro-crate-metadata.json").read_text())
    return {each["@id"]: each for each in document["@graph"]}


def everything(place: Path) -> list[str]:
    """Return what lies somewhere, hidden files included."""
    return sorted(str(each.relative_to(place)) for each in place.rglob("*"))


# What others read -----------------------------------------------------------------


def test_libraries_read_it(filled: Archive, tmp_path: Path) -> None:
    """The library of bags validates it; the one of crates finds every record."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs, while they are imported
        import bagit
        from rocrate.rocrate import ROCrate

    filled.find().export(
        tmp_path / "runs.zip",
        license="CC-BY-4.0",
        authors=["Ada Lovelace <0000-0002-1825-0097>", "Bob <bob@example.org>", "C"],
    )
    root = extracted(tmp_path / "runs.zip")

    assert root.name == "runs"
    made = bagit.Bag(str(root))
    made.validate(processes=1)
    assert made.version_info == (1, 0)
    crate = ROCrate(str(root / "data"))
    assert [each["name"] for each in crate.root_dataset["author"]] == [
        *("Ada Lovelace", "Bob", "C")
    ]
    assert crate.root_dataset["author"][0].id == "https://orcid.org/0000-0002-1825-0097"
    assert crate.root_dataset["license"].id == "https://spdx.org/licenses/CC-BY-4.0"
    files = {each["name"]: each for each in crate.get_by_type("File")}
    assert {*filled} == {*files} - {"README.txt", "contents.csv"}
    for name in filled:
        entity, record = files[name], filled.record(name)
        path = root / "data" / entity.source if entity.source else None
        assert path is not None
        assert path.is_file()
        assert int(entity["contentSize"]) == path.stat().st_size
        assert entity["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert entity["dateCreated"] == record.saved_at.isoformat()
        assert tuple(entity.get("keywords", ())) == record.tags
        said = {p["name"]: p["value"] for p in entity.get("additionalProperty", ())}
        cell = {"cell.a": 4.05, "cell.of": ["Al", 2]} if record.metadata else {}
        assert said == cell | {k: v for k, v in record.metadata.items() if k == "m"}
    # What a bit does to it, they see as well as we.
    (victim,) = (root / "data/records/alone").iterdir()
    victim.write_bytes(victim.read_bytes()[:-1] + b"?")
    with pytest.raises(bagit.BagValidationError):
        made.validate(processes=1)


def test_people_read_it(filled: Archive, tmp_path: Path) -> None:
    """A table lists the records; each directory is one that `load` reads."""
    done = filled.find().export(tmp_path / "runs.zip")
    root = extracted(tmp_path / "runs.zip")

    assert done.names == tuple(sorted(filled))
    assert [*done] == sorted(done)
    with (root / "data/contents.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["name"] for row in table] == [*done.names]
    for row, member in zip(table, done, strict=True):
        assert member == f"runs/data/{row['file']}"
        path = root / "data" / row["file"]
        assert path.stat().st_size == int(row["bytes"])
        found, wanted = archivedb.load(path.parent), filled.load(row["name"])
        assert list(found) == list(wanted)
        assert found.get("n") == wanted.get("n")
    assert sum(int(row["bytes"]) for row in table) == done.size
    assert "archivedb import runs.zip" in (root / "data/README.txt").read_text()


def test_payloads_stay_what_they_are(filled: Archive, tmp_path: Path) -> None:
    """Those that stand alone are the archive's own files, by name and bytes."""
    filled.find().export(tmp_path / "runs.zip")
    with zipfile.ZipFile(tmp_path / "runs.zip") as opened:
        names = {Path(name).name: name for name in opened.namelist()}
        for name in ("alone", "a/cloudpickle"):
            (file,) = filled.record(name).files
            held = (tmp_path / "runs.payloads" / file).read_bytes()
            assert opened.read(names[Path(file).name]) == held
            info = opened.getinfo(names[Path(file).name])
            assert info.compress_type == zipfile.ZIP_STORED
    # What says something else by now is written anew, always alike.
    filled.tag("alone", "more")
    first = filled.find(tags="more").export(tmp_path / "1" / "runs.zip")
    again = filled.find(tags="more").export(tmp_path / "2" / "runs.zip")
    assert first[0].partition("-7")[0] == again[0].partition("-7")[0]
    assert Path(first[0]).name[:36] == Path(again[0]).name[:36]
    assert Path(first[0]).name[:36] != filled.record("alone").files[0][3:39]


def test_no_license_is_made_up(filled: Archive, tmp_path: Path) -> None:
    """Where none was given, the crate says so; a text stands as it is."""
    for number, (said, found) in enumerate(
        [
            (None, "No license was given: ask the authors before you use it."),
            ("Ask me.", "Ask me."),
            ("https://example.org/l", {"@id": "https://example.org/l"}),
        ]
    ):
        filled.find(tags="é").export(tmp_path / f"{number}.zip", license=said)
        root = described(extracted(tmp_path / f"{number}.zip"))["./"]
        assert root["license"] == found
    with pytest.raises(ValueError, match="into a zip"):
        filled.find().export(tmp_path / "directory", license="MIT")


def test_odd_names(fast: Archive, other: Archive, tmp_path: Path) -> None:
    """Whatever records are called, each file system takes the names in the zip."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import bagit
    names = [
        *("A/x", "a/X", "con", "nul.txt/COM1.h5", "a:b", "a%0Ab", "$HOME/~root"),
        *("e\u0301", "\u00e9", "end.", "end ", "é b/ö", "a\\b", "-x", "=1+1"),
        *("l" * 300, "/".join("deeper" for _ in range(40)), "ß", "SS", "ss"),
    ]
    for number, name in enumerate(names):
        fast.save({"n": number}, name, mode="json")

    fast.find().export(tmp_path / "odd.zip")

    with zipfile.ZipFile(tmp_path / "odd.zip") as opened:
        members = [name for name in opened.namelist() if "/records/" in name]
    assert len({spelt_alike(str(Path(name).parent)) for name in members}) == len(names)
    for name in members:
        assert all(len(part) < 100 for part in name.split("/"))
        assert not set(name) & set('<>:"|?*\\%$~')
        assert len(name) < 1000
    bagit.Bag(str(extracted(tmp_path / "odd.zip"))).validate(processes=1)
    assert other.unpack(tmp_path / "odd.zip").versions == len(names)
    assert {name: other.load(name)["n"] for name in other} == {
        name: number for number, name in enumerate(names)
    }
    assert Directories().of("al/run-1") == "al/run-1"


# Provenance -----------------------------------------------------------------------


@pytest.fixture
def secretive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """Return an archive whose provenance tells of a machine, in every mode."""
    host, user, argument, name = SECRETS
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    monkeypatch.setattr(sys, "argv", ["run.py", argument])
    monkeypatch.setenv("SLURM_SUBMIT_HOST", host)
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    monkeypatch.setattr("socket.gethostname", lambda: host)
    monkeypatch.setattr("getpass.getuser", lambda: user)
    monkeypatch.setattr(provenance, "_facts", None)
    archive = Archive(tmp_path / "runs.db", durability="relaxed")
    for mode in MODES:
        value = {"x": np.arange(30.0), "f": Fraction(1, 3)}
        archive.save(value, f"a/{mode}", mode=mode, metadata={"host": "mine"})
    archive.open("a/hdf5")["more"] = True
    with archive.run("runs/1", {"q": 1}) as run:
        run["e"] = -3.7
    with pytest.raises(KeyError), archive.run("runs/2", {"q": 1}):
        raise KeyError(1)
    return archive


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield all that a zip holds, what is a zip itself opened, too."""
    with zipfile.ZipFile(path) as opened:
        for name in opened.namelist():
            data = opened.read(name)
            yield name, name.encode() + data
            if name.endswith(".zip"):
                with zipfile.ZipFile(io.BytesIO(data)) as inner:
                    for each in inner.namelist():
                        yield f"{name}/{each}", inner.read(each)


def test_provenance_can_be_left_out(secretive: Archive, tmp_path: Path) -> None:
    """Host, user, argv, directory and environment are in no byte of it."""
    done = secretive.find().export(tmp_path / "with.zip")
    told = {word for _, data in members(tmp_path / "with.zip") for word in _in(data)}
    assert told == {*SECRETS, "SLURM"}
    assert len(done) == 5

    secretive.find().export(tmp_path / "without.zip", provenance=False)
    secretive.find().export(tmp_path / "without", provenance=False)

    for name, data in members(tmp_path / "without.zip"):
        assert not _in(data), name
    for path in (tmp_path / "without").rglob("*.*"):
        assert not path.is_file() or not _in(path.read_bytes()), path
    with Archive(tmp_path / "other.db", durability="relaxed") as other:
        other.unpack(tmp_path / "without.zip")
        record, before = other.record("a/json"), secretive.record("a/json")
        assert record.provenance["packages"] == before.provenance["packages"]
        assert record.provenance["python"] == before.provenance["python"]
        # What a user calls so is no provenance.
        assert record.metadata == before.metadata == {"host": "mine"}
        assert (record.digest, record.saved_at) == (before.digest, before.saved_at)
        said = secretive.record("runs/1").metadata
        for key in ("host", "pid", "slurm"):
            del said[key]
        assert other.record("runs/1").metadata == said
        failed = other.record("runs/2").metadata["error"]
        assert failed == {"type": "KeyError", "message": "1"}
        assert other.load("runs/1") == secretive.load("runs/1")


def _in(data: bytes) -> set[str]:
    return {word for word in (*SECRETS, "SLURM") if word.encode() in data}


# What strangers see ---------------------------------------------------------------


def test_stubs_are_listed(
    filled: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects that run code by record, path and class; sets and arrays do not."""
    from email.message import EmailMessage

    done = filled.find().export(tmp_path / "none.zip")
    assert done.stubs == ()
    message = EmailMessage()
    message["To"] = "you"
    filled.save({"of": {"mail": message}, "e": -3.7}, "mail")

    done = filled.find("exists(e)").export(tmp_path / "runs.zip")

    (mine,) = done.stubs  # what is inside of it is part of it
    assert (mine.name, mine.path) == ("mail", "of/mail")
    assert mine.class_name == "email.message:EmailMessage"
    root = extracted(tmp_path / "runs.zip")
    line = "mail\tof/mail\temail.message:EmailMessage"
    assert line in (root / "data/README.txt").read_text().splitlines()
    entity = next(e for e in described(root).values() if e.get("name") == "mail")
    assert "email.message:EmailMessage" in entity["description"]

    # Whoever has another key gets stubs, and everything else.
    monkeypatch.setenv("ARCHIVEDB_KEY", str(tmp_path / "theirs" / "key"))
    with Archive(tmp_path / "other.db", durability="relaxed") as other:
        assert other.unpack(tmp_path / "runs.zip").versions == 1
        with pytest.raises(UntrustedPayloadError, match="signed by the unknown key"):
            other.load("mail")
        assert other.load("mail", objects="stub")["e"] == -3.7
        # Their own export of it is the same file; one without provenance or
        # with other tags they would have to sign.
        again = other.find("exists(e)").export(tmp_path / "again.zip")
        assert Path(again[0]).name == Path(done[0]).name
        other.tag("mail", "seen")
        with pytest.raises(UntrustedPayloadError):
            other.find("exists(e)").export(tmp_path / "anew.zip")
        assert not (tmp_path / "anew.zip").exists()


# All or nothing -------------------------------------------------------------------


@pytest.mark.parametrize("fails", ["damage", "missing", "disk", "interrupt", "taken"])
def test_a_failure_leaves_nothing(
    filled: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    """Neither a zip, nor a part of it, nor the directories above."""
    target = tmp_path / "not" / "there" / "runs.zip"
    error: Any = ArchiveError
    (file,) = filled.record("b/2").files
    payload = tmp_path / "runs.payloads" / file
    (alone,) = filled.record("alone").files
    if fails == "damage":
        whole = bytearray((tmp_path / "runs.payloads" / alone).read_bytes())
        whole[-1] ^= 1  # in what HDF5 itself reads: only the name proves it
        (tmp_path / "runs.payloads" / alone).write_bytes(whole)
        error = PayloadCorruptError
    elif fails == "missing":
        payload.unlink()
    elif fails in {"disk", "interrupt"}:
        real, count = bags.BagWriter.add, []

        def add(*given: Any, **more: Any) -> str:
            count.append(1)
            if len(count) == 4:
                if fails == "interrupt":
                    raise KeyboardInterrupt
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*given, **more)

        monkeypatch.setattr(bags.BagWriter, "add", add)
        error = KeyboardInterrupt if fails == "interrupt" else StoreError
    else:
        target = tmp_path / "runs.zip"
        target.write_text("mine")
        error = StoreError
    before = everything(tmp_path)

    with pytest.raises(error):
        filled.find().export(target)

    assert everything(tmp_path) == before


def test_a_killed_export_leaves_a_temporary(filled: Archive, tmp_path: Path) -> None:
    """What SIGKILL leaves has another name, and is in nobody's way."""
    filled.close()
    program = (
        "import os, signal, sys\n"
        "from archivedb import Archive\n"
        "def kill(done, total):\n"
        "    if done == 3: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"Archive({str(tmp_path / 'runs.db')!r}).find().export("
        f"{str(tmp_path / 'out' / 'runs.zip')!r}, progress=kill)\n"
    )
    (tmp_path / "program.py").write_text(program)
    done = fresh.run(tmp_path / "program.py", environment=dict(os.environ))
    assert done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)

    (left,) = (tmp_path / "out").iterdir()
    assert left.name.startswith(".runs.zip.unfinished-")
    assert len(filled.find().export(tmp_path / "out" / "runs.zip")) == 6


def test_progress_and_memory(fast: Archive, tmp_path: Path) -> None:
    """Records are counted as they go; what is held does not grow with the whole."""
    for number in range(12):
        fast.save({"x": np.full(1 << 18, float(number))}, f"r/{number:02}")
    seen: list[tuple[int, int]] = []
    tracemalloc.start()
    done = fast.find().export(
        tmp_path / "runs.zip", progress=lambda *at: seen.append(at)
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seen == [(n, 12) for n in range(1, 13)]
    assert done.size > 12 << 21
    assert peak < 6 << 20


def test_nothing_matches(archive: Archive, other: Archive, tmp_path: Path) -> None:
    """An empty selection is an empty bag, and importing that makes no record."""
    assert archive.find().export(tmp_path / "none.zip") == []
    assert other.unpack(tmp_path / "none.zip").versions == 0


# Importing ------------------------------------------------------------------------


def test_import(filled: Archive, other: Archive, tmp_path: Path) -> None:
    """All comes as it was; twice adds nothing; a rebuilt catalog says the same."""
    filled.find().export(tmp_path / "runs.zip")
    seen: list[tuple[int, int]] = []

    done = other.unpack(tmp_path / "runs.zip", progress=lambda *at: seen.append(at))

    assert (done.records, done.versions, done.left) == (6, 6, ())
    assert seen[-1][0] == seen[-1][1] or seen[-1][0] > 0
    assert sorted(other) == sorted(filled)
    for name in filled:
        mine, theirs = filled.record(name), other.record(name)
        assert (mine.metadata, mine.tags) == (theirs.metadata, theirs.tags)
        assert mine.saved_at == theirs.saved_at
        assert mine.mode == theirs.mode
    assert other.load("a/hdf5")["more"] is True
    assert len(other.load("a/json")["x"]) == 32
    assert other.verify().findings == ()
    before = other.inspect().dump()
    assert other.unpack(tmp_path / "runs.zip").versions == 0
    assert other.inspect().dump() == before
    other.reindex()
    assert other.inspect().dump() == before
    # Nor does it add to where it came from.
    assert filled.unpack(tmp_path / "runs.zip").versions == 0
    assert {len(filled.versions(name)) for name in ("alone", "b/1")} == {1}


def test_names_that_are_taken(filled: Archive, other: Archive, tmp_path: Path) -> None:
    """A record of the name gets a version, a folder keeps it; another place is."""
    filled.find(name="alone").export(tmp_path / "runs.zip")
    other.save({"mine": 1}, "alone")

    assert other.unpack(tmp_path / "runs.zip").versions == 1
    assert [other.load("alone", version=v) for v in (1, 2)] == [
        *({"mine": 1}, {"set": {1, 2}})
    ]
    assert other.unpack(tmp_path / "runs.zip", under="theirs").versions == 0
    with Archive(tmp_path / "third.db", durability="relaxed") as third:
        third.save({"x": 1}, "alone/below")
        (left,) = third.unpack(tmp_path / "runs.zip").left
        assert "folder" in left.why
        assert third.unpack(tmp_path / "runs.zip", under="theirs").versions == 1
        assert third.load("theirs/alone") == {"set": {1, 2}}
        with pytest.raises(InvalidNameError):
            third.unpack(tmp_path / "runs.zip", under="..")
        with pytest.raises(BatchError), third.batch():
            third.unpack(tmp_path / "runs.zip")
        third.delete("theirs/alone")
        (left,) = third.unpack(tmp_path / "runs.zip", under="theirs").left
        assert "deleted here" in left.why


def test_repacked_by_others(filled: Archive, other: Archive, tmp_path: Path) -> None:
    """What was extracted and zipped again, compressed, is as good."""
    filled.find().export(tmp_path / "runs.zip")
    root = extracted(tmp_path / "runs.zip")
    for number, base in enumerate((root, root.parent)):
        again = tmp_path / f"again-{number}.zip"
        with zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as zipped:
            for path in sorted(base.rglob("*")):
                zipped.write(path, path.relative_to(base))
        found = other.unpack(again)
        assert (found.versions, found.left) == ((6, ()) if not number else (0, ()))


def test_an_interrupted_import_goes_on(
    filled: Archive, other: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between two payloads leaves a sound archive; the next run completes."""
    filled.find().export(tmp_path / "runs.zip")
    real, count = reading.BagReader.extracted, []

    def once(*given: Any) -> Any:
        count.append(1)
        if len(count) == 9:  # all are looked at before, and two were taken in
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(reading.BagReader, "extracted", once)
    with pytest.raises(KeyboardInterrupt):
        other.unpack(tmp_path / "runs.zip")
    monkeypatch.undo()
    assert other.verify().findings == ()
    assert other.unpack(tmp_path / "runs.zip").left == ()
    assert sorted(other) == sorted(filled)
    assert other.verify().findings == ()


def test_many_import_at_once(filled: Archive, tmp_path: Path) -> None:
    """Whoever comes second finds it there."""
    filled.find().export(tmp_path / "runs.zip")
    got: list[int] = []

    def work() -> None:
        with Archive(tmp_path / "other.db", durability="relaxed") as mine:
            got.append(mine.unpack(tmp_path / "runs.zip").versions)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(got) == [0, 0, 6]


# Hostile zips ---------------------------------------------------------------------

Members = list[tuple[zipfile.ZipInfo, bytes]]


def repacked(source: Path, target: Path, change: Callable[[Members], None]) -> Path:
    """Write a changed zip; its manifests say what they did."""
    with zipfile.ZipFile(source) as opened:
        found = [(info, opened.read(info)) for info in opened.infolist()]
    change(found)
    with warnings.catch_warnings(), zipfile.ZipFile(target, "w") as zipped:
        warnings.simplefilter("ignore")  # of names that are there twice
        for info, data in found:
            zipped.writestr(info, data)
    return target


def signed(found: Members) -> None:
    """Make the manifests of a zip say what its members are by now."""
    tags: list[str] = []
    data = [
        f"{hashlib.sha256(held).hexdigest()}  {info.filename.partition('/')[2]}\n"
        for info, held in found
        if info.filename.startswith("runs/data/")
    ]
    for number, (info, held) in enumerate(found):
        name = info.filename.partition("/")[2]
        if name == "manifest-sha256.txt":
            held = "".join(data).encode()  # noqa: PLW2901 - as it is by now
        if name == "tagmanifest-sha256.txt":
            held = "".join(tags).encode()  # noqa: PLW2901 - as it is by now
        elif not name.startswith("data/"):
            tags.append(f"{hashlib.sha256(held).hexdigest()}  {name}\n")
        found[number] = info, held


def _named(name: str, data: bytes = b"evil") -> Callable[[Members], None]:
    return lambda found: found.append((zipfile.ZipInfo(name), data))


def _nul(found: Members) -> None:
    info = zipfile.ZipInfo("runs/data/x")
    info.filename = "runs/data/x\0../../y"
    found.append((info, b"evil"))


def _link(found: Members) -> None:
    info = zipfile.ZipInfo("runs/data/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    found.append((info, b"/etc/passwd"))


def _device(found: Members) -> None:
    info = zipfile.ZipInfo("runs/data/fifo")
    info.external_attr = (stat.S_IFIFO | 0o666) << 16
    found.append((info, b""))


def _case(found: Members) -> None:
    found.append((zipfile.ZipInfo("RUNS/DATA/readme.TXT"), b"evil"))


def _twice(found: Members) -> None:
    found.append(found[0])


def _file_and_directory(found: Members) -> None:
    found.append((zipfile.ZipInfo(f"{found[0][0].filename}/x"), b"evil"))


def _changed(found: Members) -> None:
    info, data = found[0]
    found[0] = info, data[:-1] + bytes([data[-1] ^ 1])


def _changed_and_signed(found: Members) -> None:
    _changed(found)  # the name of the payload still says otherwise
    signed(found)


def _lacking(found: Members) -> None:
    del found[0]


def _lacking_and_signed(found: Members) -> None:
    found[:] = [each for each in found if "bagit.txt" not in each[0].filename]


def _extra(found: Members) -> None:
    found.append((zipfile.ZipInfo("runs/data/extra"), b"evil"))


def _fetch(found: Members) -> None:
    found.append((zipfile.ZipInfo("runs/fetch.txt"), b"http://x - data/x\n"))


def _no_manifest(found: Members) -> None:
    found[:] = [each for each in found if "/manifest-" not in each[0].filename]


def _weak(found: Members) -> None:
    for info, _ in found:
        info.filename = info.filename.replace("manifest-sha256", "manifest-md5")


def _garbled(found: Members) -> None:
    for number, (info, data) in enumerate(found):
        if "/manifest-" in info.filename:
            found[number] = info, b"\xff\xfe" + data


def _no_lines(found: Members) -> None:
    for number, (info, _) in enumerate(found):
        if "/manifest-" in info.filename:
            found[number] = info, b"zz  data/x\n"


def _huge(found: Members) -> None:
    info = zipfile.ZipInfo("runs/data/bomb")
    info.compress_type = zipfile.ZIP_DEFLATED
    found.append((info, bytes(200 << 20)))


def _shuffled(found: Members) -> None:
    """Put a payload under another's name, and sign that."""
    (one, first), (two, second), *_ = found
    found[:2] = [(one, second), (two, first)]
    signed(found)


def _no_payload(found: Members) -> None:
    """Add bytes that are no payload, under the name of one that they prove."""
    from archivedb.values import digest

    data = b"no payload at all" * 100
    uuid = "01a2089b-a8b9-7f74-9aba-da22c24db73f"
    name = f"runs/data/records/x/{uuid}-{digest.name_digits([data])}.h5"
    found.insert(0, (zipfile.ZipInfo(name), data))
    signed(found)


def _same_payload_twice(found: Members) -> None:
    info, data = found[0]
    name = info.filename.rpartition("/")[2]
    found.insert(0, (zipfile.ZipInfo(f"runs/data/records/again/{name}"), data))
    signed(found)


HOSTILE = {
    "above": _named("../evil"),
    "above-inside": _named("runs/data/../../../evil"),
    "absolute": _named("/etc/evil"),
    "drive": _named("C:/evil"),
    "backslash": _named("runs\\..\\evil"),
    "dot": _named("runs/./evil"),
    "empty-part": _named("runs//evil"),
    "control": _named("runs/data/a\nb"),
    "long": _named("runs/data/" + "x" * 5000),
    "outside": _named("beside.txt"),
    "second-bag": _named("other/bagit.txt"),
    "device": _device,
    "nul": _nul,
    "link": _link,
    "case": _case,
    "twice": _twice,
    "file-and-directory": _file_and_directory,
    "changed": _changed,
    "changed-and-signed": _changed_and_signed,
    "lacking": _lacking,
    "no-bagit": _lacking_and_signed,
    "extra": _extra,
    "fetch": _fetch,
    "no-manifest": _no_manifest,
    "weak": _weak,
    "garbled": _garbled,
    "no-lines": _no_lines,
    "bomb": _huge,
    "shuffled": _shuffled,
    "no-payload": _no_payload,
    "same-twice": _same_payload_twice,
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an export of two records, to be made hostile."""
    place = tmp_path_factory.mktemp("good")
    with Archive(place / "runs.db", durability="relaxed", provenance=False) as archive:
        archive.save({"n": 1}, "one")
        archive.save({"n": 2, "x": np.arange(3000.0)}, "two")
        archive.find().export(place / "runs.zip")
    return place / "runs.zip"


def test_a_zip_that_is_only_repacked_is_good(
    good: Path, other: Archive, tmp_path: Path
) -> None:
    """So what makes the others hostile is what was changed."""
    plain = repacked(good, tmp_path / "runs.zip", signed)
    assert other.unpack(plain).versions == 2


@pytest.mark.parametrize("how", HOSTILE)
def test_hostile_zips(good: Path, other: Archive, tmp_path: Path, how: str) -> None:
    """Each is a typed error that names the zip; nothing is made, nor written."""
    evil = repacked(good, tmp_path / "evil.zip", HOSTILE[how])
    before = everything(tmp_path)
    with pytest.raises(BagError, match=r"evil\.zip") as raised:
        other.unpack(evil)
    assert "Traceback" not in str(raised.value)
    assert everything(tmp_path) == before
    assert not other.exists


def test_sizes_that_lie(good: Path, other: Archive, tmp_path: Path) -> None:
    """A member that says less than it is, overlaps others, or is encrypted."""
    text = good.read_bytes()
    start = text.index(b"PK\x01\x02")  # the table of members
    for offset, value in (
        *((20, b"\xff\xff\xff\x7f"), (24, b"\xff\xff\xff\x7f"), (24, b"\0\0\0\0")),
        *((8, b"\x01\x08"), (10, b"\x0e\0"), (42, b"\x7f\0\0\0")),
    ):
        evil = bytearray(text)
        evil[start + offset : start + offset + len(value)] = value
        (tmp_path / "evil.zip").write_bytes(evil)
        with pytest.raises(BagError, match="evil"):
            other.unpack(tmp_path / "evil.zip")
    assert not other.exists


def test_every_flip_is_found(good: Path, tmp_path: Path) -> None:
    """A flipped bit of a payload or a manifest is an error, or changes nothing."""
    text = good.read_bytes()
    step = max(1, len(text) // 150)
    refused = 0
    for at in range(0, len(text), step):
        evil = bytearray(text)
        evil[at] ^= 1 << at % 8
        (tmp_path / "evil.zip").write_bytes(evil)
        try:
            with reading.BagReader(tmp_path / "evil.zip") as opened:
                opened.prove()
        except BagError:
            refused += 1
    # What stays is the times and flags in headers, which say nothing.
    assert refused > 135


def test_no_zip_at_all(other: Archive, tmp_path: Path) -> None:
    """Text, nothing, directories and what is cut short are sentences, too."""
    (tmp_path / "text.zip").write_text("no zip")
    (tmp_path / "empty.zip").touch()
    (tmp_path / "folder.zip").mkdir()
    for name, kind in (
        *(("text", BagError), ("empty", BagError)),
        *(("folder", StoreError), ("missing", StoreError)),
    ):
        with pytest.raises(kind, match=name):
            other.unpack(tmp_path / f"{name}.zip")
    assert not other.exists


def test_cut_at_every_length(good: Path, other: Archive, tmp_path: Path) -> None:
    """A transfer that stopped is never taken for the whole."""
    text = good.read_bytes()
    began = time.monotonic()
    for length in range(0, len(text) - 1, max(1, len(text) // 100)):
        (tmp_path / "cut.zip").write_bytes(text[:length])
        with pytest.raises(BagError, match="cut"):
            other.unpack(tmp_path / "cut.zip")
    assert time.monotonic() - began < 60
