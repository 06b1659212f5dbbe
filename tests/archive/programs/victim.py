"""Look at what a stranger has sent in every way there is; nothing of it may run."""

import copy
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import archivedb
from archivedb import Archive, ArchiveError, Folder, Group, Stub, errors
from archivedb.storage.lazy import LazyArray

MODES = ("hdf5", "json", "cloudpickle")
PLAIN = ("string-reduce",)
FORBIDDEN = ("os.system", "os.exec", "pickle.find_class")

place, mark = Path(sys.argv[1]), Path(sys.argv[2])
events: list[str] = []
watched = True
sys.addaudithook(
    lambda event, _: events.append(event) if watched and event in FORBIDDEN else None
)


def nothing_ran(what: object) -> None:
    """Raise if any code of the stranger's has run."""
    loaded = {"hostile_calls", "hostile_import"} & set(sys.modules)
    assert not mark.exists() and not events and not loaded, (what, events, loaded)  # noqa: PT018


def refused(what: object, ask: Callable[[], Any]) -> None:
    """Require that something is refused, in words."""
    try:
        found = ask()
    except errors.UntrustedPayloadError as error:
        said = str(error)
        assert "runs code" in said and len(said) < 1000, said  # noqa: PT018
    else:
        raise AssertionError((what, type(found)))
    nothing_ran(what)


def look(what: object, ask: Callable[[], Any]) -> None:
    """Require that something runs nothing; it may be refused."""
    try:
        shown = ask()
        repr(shown)
        if hasattr(shown, "_repr_html_"):
            shown._repr_html_()
    except ArchiveError:
        pass
    nothing_ran(what)


def works(what: object, ask: Callable[[], Any]) -> Any:
    """Require that something works, and runs nothing."""
    found = ask()
    repr(found)
    nothing_ran(what)
    return found


def everything(group: Any) -> Iterator[Any]:
    """Yield what a group and all groups below it show."""
    todo = [group]
    while todo:
        here = todo.pop()
        yield repr(here), here._repr_html_(), here._ipython_key_completions_()
        yield len(here), list(here), here.name, here.path
        for key in here:
            assert key in here
            try:
                below = here.open(key)
            except errors.NotAGroupError:
                continue
            if isinstance(below, LazyArray):
                yield repr(below), below.shape, below.dtype, below.nbytes
            elif len(below.path) < 80:
                todo.append(below)


def stubs(value: Any) -> int:
    """Return how many stubs are in plain containers."""
    found, todo = 0, [value]
    while todo:
        one = todo.pop()
        if isinstance(one, dict):
            todo += [*one, *one.values()]
        elif isinstance(one, (list, tuple, set)):
            todo += one
        found += isinstance(one, Stub)
    return found


def one_record(archive: Archive, name: str) -> None:
    """Look at a record."""
    record = works(name, lambda: archive.record(name))
    refused(("load", name), lambda: archive.load(name))
    refused(("load", name), lambda: archive.load(record))
    refused(("only", name), lambda: archive.load(name, only=["it"]))
    look(("[]", name), lambda: archive[f"{name}/it"])
    group = works(("open", name), lambda: archive.open(name))
    refused(("group.load", name), group.load)
    look(("dict", name), lambda: dict(group.items()))
    assert works(name, lambda: archive.load(name, only=["n"])) == {"n": 1}
    assert works(name, lambda: archive[f"{name}/n"]) == 1
    assert works(name, lambda: archive[f"{name}/array"]).shape[0] in (40, 42)
    assert works(name, lambda: group["array"])[7] == 7.0
    works(name, lambda: list(everything(group)))
    works(name, lambda: list(everything(archive.open(name, mmap=True))))
    works(name, lambda: list(everything(archive.open(record))))
    found = works(name, lambda: archive.load(name, objects="stub"))
    assert found["n"] == 1
    works(name, lambda: archive.load(name, only=["it"], objects="stub"))
    works(name, lambda: list(archive.outline(name)))
    works(name, lambda: (record._repr_html_(), archive.versions(name)))
    works(name, lambda: archive.history(name))
    for steps in walked(archive, name):
        look((name, steps), lambda steps=steps: archive[(*name.split("/"), *steps)])
        look((name, steps), lambda steps=steps: group[steps])
        look((name, steps), lambda steps=steps: archive.load(name, only=[steps]))


def walked(archive: Archive, name: str) -> list[Any]:
    """Return every path below the value, also into what objects are made of."""
    found, todo = [], [(archive.open(name), ())]
    while todo:
        group, above = todo.pop()
        for key in group:
            try:
                below = group.open(key)
            except ArchiveError:
                below = None
            found.append((*above, key))
            if isinstance(below, Group) and len(above) < 5:
                todo.append((below, (*above, key)))
    return [steps for steps in found if steps[0] == "it"][:4]


def edits(archive: Archive, name: str) -> None:
    """Try to make the victim sign what the stranger has made."""
    uuid = archive.record(name).uuid
    group = archive.open(name)
    refused(("set", name), lambda: group.__setitem__("x", 1))
    refused(("set", name), lambda: archive.__setitem__(f"{name}/x", 1))
    refused(("set", name), lambda: archive.__setitem__(f"{name}/x", Path))
    refused(("del", name), lambda: group.__delitem__("n"))
    refused(("group", name), lambda: group.create_group("new"))

    def session() -> None:
        with group:
            group["own"] = Path
            group["n"] = 2
            look(("session", name), lambda: group["it"])
            look(("session", name), group.load)

    refused(("session", name), session)
    look(("copy", name), lambda: archive.save(group, "copy"))
    look(("copy", name), lambda: archive.__setitem__("copy", group))
    refused(("copy", name), lambda: archive.open("own").__setitem__("x", group))
    look(("deepcopy", name), lambda: copy.deepcopy(group))
    # Rows are signed by nobody, and change nothing that anybody signed.
    look(("append", name), lambda: group.append("array", group["array"][:1]))
    look(("append", name), lambda: group.append("it", group["array"][:1]))
    look(("compact", name), lambda: archive.compact(name))
    works(("prune", name), lambda: archive.prune(name))
    refused(("after", name), lambda: archive.load(name))
    assert archive.record(name).uuid == uuid


def some(values: list[str], mode: str) -> list[str]:
    """Return all values in one mode, and every fourth in each of the others."""
    start = MODES.index(mode)
    return values[start :: 4 if start else 1]


def the_archive(archive: Archive, values: list[str]) -> None:
    """Look at all of it."""
    looks: list[Callable[[], Any]] = [
        lambda: (repr(archive), archive._repr_html_()),
        lambda: (list(archive), len(archive), archive._ipython_key_completions_()),
        lambda: (list(archive.names()), archive.listing()),
        archive.count,
        lambda: archive.find()._repr_html_(),
        lambda: archive.find(n=1).limit(3)._repr_html_(),
        lambda: list(archive.find(n=1)),
        lambda: list(archive.find(**{"it/a": 1, "metadata.n": 1})),
        lambda: archive.verify("quick"),
        lambda: archive.inspect().dump(),
        lambda: Archive.migrate_catalog(place / "strange.db"),
        archive.reindex,
    ]
    for number, each in enumerate(looks):
        works(("archive", number), each)
    assert archive.find(n=1).count() >= len(values) * len(MODES)
    report = works("verify", lambda: archive.verify("full"))
    assert report.ok, report
    for mode in MODES:
        folder = archive[mode]
        assert isinstance(folder, Folder)
        works(mode, lambda folder=folder: (repr(folder), list(folder), folder.find()))
        works(mode, lambda folder=folder: folder._ipython_key_completions_())
        refused(mode, lambda folder=folder: folder["reduce"].load())
        refused(mode, lambda mode=mode: archive.load(f"all/{mode}"))
        found = works(mode, lambda m=mode: archive.load(f"all/{m}", objects="stub"))
        assert stubs(found) > len(values) // 2
        for name in some(values, mode):
            one_record(archive, f"{mode}/{name}")
    again = pickle.loads(pickle.dumps(archive))  # noqa: S301 - the archive's address
    events.clear()
    refused("unpickled", lambda: again.load("json/reduce"))


def files() -> None:
    """Look at what lies beside the archive."""
    for mode in MODES:
        path = place / f"plain-{mode}"
        refused(path, lambda path=path: archivedb.load(path))
        with Archive(path) as adopting:
            refused(path, lambda a=adopting, p=path: a.load(p.name))
            assert works(path, lambda a=adopting, p=path: a[f"{p.name}/n"]) == 1
    for storage in (
        archivedb.HDF5Storage(place / "one.h5"),
        archivedb.JSONStorage(place / "one.json"),
        archivedb.PickleStorage(place / "one.zip"),
    ):
        refused(storage, storage.load)
        refused(storage, lambda s=storage: s["it"])
        refused(storage, lambda s=storage: s["more/list"])
        refused(storage, lambda s=storage: s.__setitem__("x", 1))
        refused(storage, lambda s=storage: s.__delitem__("n"))
        refused(storage, lambda s=storage: archivedb.MemoryStorage().update(s))
        works(storage, lambda s=storage: list(everything(s)))
        look(storage, lambda s=storage: s == {})
        look(storage, lambda s=storage: s == s)  # noqa: PLR0124 - compares values
    from tests.support.thirdparty.dirstore import DirStore

    third = DirStore(place / "dirstore")
    refused(third, lambda: third["it"])
    refused(third, lambda: third["more/list"])
    refused(third, lambda: dict(third.items()))
    works(third, lambda: list(everything(third)))
    # An edit of a part keeps the rest a stranger's.
    works(third, lambda: third.__setitem__("x", 1))
    look(third, lambda: third["more/list"].append(1))
    look(third, lambda: third.__setitem__("it/new", 1))
    look(third, lambda: third.__setitem__("more/list/[0]", len))
    refused(third, lambda: third["it"])
    assert third["x"] == 1


def trusted(values: list[str]) -> None:
    """Require that each of them runs once it may: or this proved nothing."""
    global watched  # noqa: PLW0603 - from here on it is meant to run
    watched = False
    silent = []
    with Archive(place / "strange.db", trust=len(sys.argv) > 4) as archive:
        for mode in MODES:
            for name in values:
                for module in ("hostile_calls", "hostile_import"):
                    sys.modules.pop(module, None)
                mark.unlink(missing_ok=True)
                archive.load(f"{mode}/{name}")
                if not mark.exists():
                    silent.append(f"{mode}/{name}")
    sys.stdout.write("\n".join(silent))


def main() -> None:
    """Do what the third argument says."""
    values = sorted(
        name.partition("/")[2]
        for name in Archive(place / "strange.db", readonly=True)
        if name.startswith("json/")
    )
    if sys.argv[3] == "trusted":
        trusted(values)
        return
    with Archive(place / "strange.db") as archive:
        if sys.argv[3] == "look":
            the_archive(archive, values)
        else:
            archive.save({"own": 1}, "own")
            for mode in MODES:
                for name in some(values, mode):
                    edits(archive, f"{mode}/{name}")
            assert archive.reindex().records
            assert archive.verify("full").ok
            for mode in MODES:
                for name in values:
                    refused(name, lambda n=f"{mode}/{name}": archive.load(n))
    if sys.argv[3] == "look":
        files()
    sys.stdout.write("nothing ran")


main()
