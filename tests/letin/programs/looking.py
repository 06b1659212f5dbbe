"""Do everything that reads, and be refused everything that writes."""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from typer.testing import CliRunner

from archivedb import Archive, errors
from archivedb.cli._app import app
from archivedb.values import signing

if TYPE_CHECKING:
    from collections.abc import Callable

address, who, beside = sys.argv[1:]
os.chdir(beside)
os.environ["HOME"] = beside
os.environ["ARCHIVEDB_KEY"] = f"{beside}/keys/key"


def read(archive: Archive) -> None:
    """Do everything that reads."""
    assert archive.load("f/x") == {"a": 2, "b": [1.0] * 40}
    assert archive.load("f/x", version=1)["a"] == 1
    assert archive.load("f/x", only=["a"], objects="stub") == {"a": 2}
    assert archive["f/x/b"] == [1.0] * 40
    group = archive.open("f/x")
    assert group["a"] == 2
    found = archive.find("a == 2")
    assert (found.count(), found.exists()) == (1, True)
    # Each is asked for its own sake.
    for _ in (
        *(repr(archive), archive._repr_html_(), list(archive), len(archive)),
        *(list(archive.names()), archive.count(), archive.listing("f")),
        *(archive.listing(), archive.record("f/x"), archive.versions("f/x")),
        *(archive.history("f/x"), list(archive.outline("f/x")), archive.paths()),
        *("f/x" in archive, archive["f"], repr(group), list(group), len(group)),
        *(group.load(), archive.diff("f/x", "y"), list(found), found.first()),
        *(found.explain(), found.all_versions().count(), list(found.order_by("a"))),
        *(archive.exists, archive.address),
        *(archive.verify("quick"), archive.verify(), archive.inspect().dump()),
        *(archive.usage(), archive.statistics(), archive.doctor()),
        *(archive.accept(), archive.revoke()),
        archive.find().export(tempfile.mkdtemp(dir=beside) + "/out"),
        archive.backup(tempfile.mkdtemp(dir=beside) + "/backup"),
    ):
        pass
    assert archive.verify().ok


def write(archive: Archive) -> None:
    """Be refused everything that writes."""
    group = archive.open("f/x")

    def in_batch() -> None:
        with archive.batch():
            archive.save({"n": 1}, "n")

    def in_run() -> None:
        with archive.run("r"):
            pass

    def edit(key: str, value: Any) -> None:
        group[key] = value

    attempts: tuple[Callable[[], Any], ...] = (
        *(lambda: archive.save({}, "z"), lambda: archive.delete("y")),
        *(lambda: archive.save({"n": 1}, "y"), in_batch, in_run, archive.create),
        *(lambda: edit("a", 3), lambda: edit("a", 2), lambda: group.pop("a")),
        lambda: group.append("b", np.ones(1)),
        *(lambda: archive.tag("y", "t"), lambda: archive.untag("y", "t")),
        *(lambda: archive.annotate("y", m=1), lambda: archive.rename("y", "z")),
        *(lambda: archive.prune("f/x"), lambda: archive.compact("f/x")),
        *(archive.reindex, lambda: archive.gc(dry_run=False)),
        *(lambda: archive.find().tag("t"), lambda: archive.find().delete()),
        lambda: archive.repair(archive.address),
        lambda: Archive.create(Archive(f"{address}.other", readonly=True)),
    )
    for number, attempt in enumerate(attempts):
        try:
            attempt()
        except errors.ReadOnlyError:
            continue
        except errors.ArchiveError as error:
            sys.exit(f"attempt {number}: {type(error).__name__}: {error}")
        sys.exit(f"attempt {number} succeeded")


COMMANDS = [
    *(
        ["ls"],
        ["ls", "-l"],
        ["ls", "-r", "--json"],
        ["find"],
        ["find", "a=2", "--json"],
    ),
    *(["show", "f/x"], ["tree"], ["tree", "f/x"], ["history", "f/x"], ["paths"]),
    *(["load", "f/x"], ["load", "f/x/b"], ["load", "f/x", "-o", "out.json"]),
    *(["diff", "f/x", "f/x"], ["verify"], ["verify", "--level", "quick"]),
    *(["verify", "--json"], ["du"], ["stats"], ["gc"], ["trust", "list"]),
    *(["export", "f/x", "y", "exported"], ["backup", "backup"]),
]
REFUSED = [
    *(["rm", "y", "--yes"], ["tag", "y", "t"], ["rename", "y", "z"], ["reindex"]),
    *(["prune", "f/x"], ["compact", "f/x"], ["annotate", "y", "m=1"]),
]


def command(db: str, *words: str, code: int) -> None:
    """Run a command, and check how it ends."""
    done = CliRunner().invoke(app, [*words, "--db", db])
    if (done.exit_code != 0) != code or "Traceback" in done.output:
        sys.exit(f"{words} ended with {done.exit_code}: {done.output[-500:]}")


def look(db: str) -> None:
    """Do all of it."""
    with Archive(db, readonly=True) as opened:
        read(opened)
        write(opened)
    if who == "nobody":
        # Where it could be written, the commands finish what a crash has left.
        for words in COMMANDS:
            command(db, *words, code=0)
        for words in REFUSED:
            command(db, *words, code=1)


if who == "nobody" and os.getuid() == 0:
    # Permissions do not bind root.  What is imported late may lie where only
    # root may look, so everything is done once before.
    first = tempfile.mkdtemp(dir=beside)
    shutil.copytree(Path(address).parent, f"{first}/place")
    with Archive(f"{first}/place/runs.db", readonly=True) as opened:
        read(opened)
        write(opened)
    for words in COMMANDS:
        command(f"{first}/place/runs.db", *words, code=0)
    for path in (*Path(beside).iterdir(),):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    signing._keys.clear()
    os.setgid(65534)
    os.setuid(65534)
if who == "nobody":
    try:
        (Path(address).parent / "probe").touch()
    except PermissionError:
        pass
    else:
        sys.exit("this directory can be written")
look(address)
sys.stdout.write("looked\n")
