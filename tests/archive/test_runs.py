"""Runs: blocks, calls and functions that an archive records."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb import Archive
from archivedb.archive.running.run import LONGEST, describe
from archivedb.errors import (
    BatchError,
    EncodeError,
    InvalidNameError,
    KeyNotFoundError,
    NameConflictError,
    ReadOnlyError,
    RecordExistsError,
    RecordNotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = Path(__file__).parent / "programs"


def status(archive: Archive, name: str) -> Any:
    """Return how a run has ended, as its record says."""
    return archive.record(name).metadata["status"]


def test_a_run(fast: Archive) -> None:
    """The record is there while the run goes on, and says in the end how it was."""
    before = datetime.now(UTC)
    with fast.run(
        "al/run-7", {"cutoff": 500}, metadata={"project": "al"}, tags=["x"], mode="json"
    ) as run:
        assert (run.name, run.status, run.inputs) == (
            "al/run-7",
            "running",
            {"cutoff": 500},
        )
        said = run.record.metadata
        assert set(said) == {"project", "status", "started", "host", "pid"}
        assert said["status"] == "running"
        assert before <= said["started"] <= datetime.now(UTC)
        assert (said["host"], said["pid"]) == (socket.gethostname(), os.getpid())
        assert fast.load("al/run-7") == {"inputs": {"cutoff": 500}, "outputs": {}}

        run["energy"] = -3.7
        assert fast["al/run-7/outputs/energy"] == run["energy"] == -3.7
        run["steps/max"] = 3
        run["a", "b/c"] = 1
        assert run["steps"].load() == {"max": 3}
        assert run["a", "b/c"] == run["a/b%2Fc"] == 1
        for _ in range(2):
            run.append("positions", np.ones((2, 3)))
        assert run["positions"].shape == (4, 3)
        assert "steps/max" in run
        assert "none" not in run
        assert 3 not in run
        run["wrong"] = 1
        del run["wrong"]
        assert list(run) == ["energy", "steps", "a", "positions"]
        versions = run.record.version
        with run.outputs as outputs:
            outputs["x"], outputs["y"] = 1, 2
        assert run.record.version == versions + 1
        with pytest.raises(KeyNotFoundError):
            run["none"]
    said = run.record.metadata
    assert (run.status, said["status"], said["project"]) == (
        "finished",
        "finished",
        "al",
    )
    assert said["started"] <= said["finished"] <= datetime.now(UTC)
    assert 0 < said["wall_time"] < 60
    assert "error" not in said
    assert run.record.tags == ("x",)
    assert run.record.mode == "json"
    assert run["energy"] == -3.7
    assert fast.find(status="finished").one().name == "al/run-7"
    assert repr(run) == "<Run 'al/run-7', finished>"
    assert not fast.verify().findings


def test_what_a_run_says_of_itself(fast: Archive) -> None:
    """Facts and tags make no version, each output does; some words are its own."""
    with fast.run("r") as run:
        run["energy"] = -3.7
        run.annotate({"odd key": 1}, quality="good")
        run.tag("converged", "checked")
        run["energy"] = -3.8
        assert run.record.version == 3
        with pytest.raises(ValueError, match="a run says status of itself"):
            run.annotate(status="better")
        with pytest.raises(TypeError, match="facts have names"):
            run.annotate(5)  # type: ignore[arg-type]
    record = fast.find(quality="good", tags="converged").one()
    assert record.metadata["odd key"] == 1
    assert (run.status, record.version) == ("finished", 3)
    for late in (lambda: run.annotate(x=1), lambda: run.tag("x")):
        with pytest.raises(ReadOnlyError, match="has finished"):
            late()


def test_names_without_a_keyword(fast: Archive) -> None:
    """The name stands first, a folder gets a time; a lambda is called lambda."""

    @fast.recorded("relax/{x}", tags="t")
    def double(x: int) -> int:
        return 2 * x

    assert double(3) == 6
    assert fast.record("relax/3").tags == ("t",)
    assert fast.recorded("calls/")(double)(3) == 6
    assert fast.call(lambda x: x, 3) == 3
    found = sorted(name.partition("/")[0] for name in fast)
    assert found == ["calls", "lambda", "relax"]
    with pytest.raises(TypeError, match="one name"):
        fast.recorded("a", name="b")


def test_a_failing_run(fast: Archive) -> None:
    """What was raised goes on; the record keeps what there was, and why it ended."""
    run = fast.run("r", {"x": 0})

    def work() -> None:
        with run:
            run["before"] = 1
            run["after"] = 1 / run.inputs["x"]

    with pytest.raises(ZeroDivisionError):
        work()
    said = fast.find(status="failed").one().metadata
    assert run.status == "failed"
    assert (said["error"]["type"], said["error"]["message"]) == (
        "ZeroDivisionError",
        "division by zero",
    )
    assert 'run["after"] = 1 / run.inputs["x"]' in said["error"]["traceback"]
    assert said["wall_time"] > 0
    assert fast.load("r") == {"inputs": {"x": 0}, "outputs": {"before": 1}}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KeyboardInterrupt(), "failed"),
        (SystemExit(3), "failed"),
        (SystemExit("no"), "failed"),
        (SystemExit(0), "finished"),
        (SystemExit(), "finished"),
        (GeneratorExit(), "failed"),
    ],
)
def test_ends_that_are_no_errors(
    fast: Archive, error: BaseException, expected: str
) -> None:
    """An interrupted run has failed; a program that exits well has not."""
    with pytest.raises(type(error)), fast.run("r"):
        raise error
    said = fast.record("r").metadata
    assert said["status"] == expected
    if expected == "failed":
        assert said["error"]["type"] == type(error).__name__
    assert fast.load("r") == {"inputs": {}, "outputs": {}}


class WordlessError(Exception):
    """An error that cannot say what it is."""

    def __str__(self) -> str:
        """Raise."""
        raise ValueError


def test_errors_that_are_hard_to_tell() -> None:
    """Any error has a type and a traceback, neither of them without end."""
    told = describe(WordlessError())
    assert told["type"].endswith(".WordlessError")
    assert told["message"] == ""
    told = describe(ValueError("x" * 100_000))
    assert len(told["message"]) == LONGEST
    assert len(told["traceback"]) < 1.1 * LONGEST
    assert told["traceback"].startswith("ValueError")
    assert describe(EncodeError("\ud800"))["type"] == "archivedb.errors.EncodeError"


def test_an_error_that_utf_8_cannot_say(fast: Archive) -> None:
    """Surrogates in a message do not keep a run from being marked."""
    with pytest.raises(ValueError, match="\udfff"), fast.run("r"):
        raise ValueError("a\udfff")
    assert fast.record("r").metadata["error"]["message"] == "a\udfff"


def test_a_killed_process_leaves_its_run_running(tmp_path: Path) -> None:
    """Nobody says that it ended, but who ran it where is there, with its outputs."""
    address = tmp_path / "runs.db"
    with subprocess.Popen(
        [sys.executable, str(PROGRAMS / "killed_run.py"), str(address)],
        stdout=subprocess.PIPE,
        env=os.environ | {"SLURM_JOB_ID": "42", "SLURM_ARRAY_TASK_ID": "3"},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.send_signal(signal.SIGKILL)
    with Archive(address) as archive:
        found = archive.find(status="running", host=socket.gethostname()).one()
        assert found.name == "al/run-1"
        assert found.metadata["pid"] == process.pid
        assert found.metadata["slurm"] == {"job_id": "42", "array_task_id": "3"}
        assert archive.load(found) == {
            "inputs": {"cutoff": 500},
            "outputs": {"energy": -3.7},
        }
        assert archive.find(**{"slurm/job_id": "42"}).one().name == "al/run-1"
        assert not archive.verify().findings


def test_runs_in_runs_and_threads(fast: Archive) -> None:
    """Each run is a record of its own, wherever it was begun."""
    with fast.run("outer", {"n": 1}) as outer:
        with pytest.raises(ValueError, match="inner"), fast.run("inner/1"):
            raise ValueError("inner")
        outer["x"] = 2

    def work(number: int) -> None:
        with fast.run(f"thread/{number}", {"number": number}) as run:
            for step in range(3):
                run[f"step-{step}"] = number * step

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert (status(fast, "outer"), status(fast, "inner/1")) == ("finished", "failed")
    for number in range(4):
        outputs = {f"step-{step}": number * step for step in range(3)}
        assert fast.load(f"thread/{number}")["outputs"] == outputs
        assert status(fast, f"thread/{number}") == "finished"


def test_a_second_run_is_a_new_version(fast: Archive) -> None:
    """What the first had is in its versions."""
    for number in (1, 2):
        with fast.run("r", {"n": number}) as run:
            run["of"] = number
    assert fast.load("r") == {"inputs": {"n": 2}, "outputs": {"of": 2}}
    assert fast.load("r", version=2) == {"inputs": {"n": 1}, "outputs": {"of": 1}}
    with pytest.raises(ReadOnlyError, match="begun already"), run:
        pass


def test_runs_at_one_time_need_names_of_their_own(fast: Archive) -> None:
    """A run neither writes into another's record, nor says how that ended."""
    first, second = fast.run("r", {"n": 1}), fast.run("r", {"n": 2})
    first.__enter__()
    second.__enter__()
    with pytest.raises(RecordExistsError, match="names of their own"):
        first["x"] = 1
    second["x"] = 2
    with pytest.raises(RecordExistsError):
        first.__exit__(None, None, None)
    assert status(fast, "r") == "running"
    second.__exit__(None, None, None)
    assert status(fast, "r") == "finished"
    assert fast.load("r") == {"inputs": {"n": 2}, "outputs": {"x": 2}}


def test_an_error_that_cannot_be_recorded_goes_on(fast: Archive) -> None:
    """Why the work failed matters more than why that could not be said."""

    def work() -> None:
        with fast.run("r"):
            fast.delete("r")
            raise ValueError("work")

    with pytest.raises(ValueError, match="work") as raised:
        work()
    (note,) = raised.value.__notes__
    assert note.startswith("the run 'r' could not be marked: ")
    with pytest.raises(RecordNotFoundError), fast.run("r"):
        fast.delete("r")


def test_a_run_keeps_its_record_under_another_name(fast: Archive) -> None:
    """Somebody may rename it while it goes on; its status makes no versions."""
    with fast.run("a", {"x": 1}) as run:
        fast.rename("a", "b/c")
        run["y"] = 2
        assert run.name == "b/c"
    assert list(fast) == ["b/c"]
    assert fast.load("b/c") == {"inputs": {"x": 1}, "outputs": {"y": 2}}
    assert status(fast, "b/c") == "finished"
    kinds = [change.kind for change in fast.history("b/c")]
    assert kinds == ["save", "rename", "edit", "annotate"]


def test_a_batch_holds_no_runs(fast: Archive) -> None:
    """Nobody would see that it runs."""
    with pytest.raises(BatchError, match="record runs"), fast.batch(), fast.run("r"):
        pytest.fail("the block was run")
    assert len(fast) == 0


def test_a_fork_does_not_end_the_run(fast: Archive) -> None:
    """Only the process that began a run says how it ended."""
    with fast.run("r") as run:
        real = os.getpid
        try:
            os.getpid = lambda: real() + 1
            run.__exit__(None, None, None)
        finally:
            os.getpid = real
        assert status(fast, "r") == "running"


def test_what_cannot_be_begun(fast: Archive) -> None:
    """Nothing is saved, and nothing is run."""
    with (
        pytest.raises(EncodeError, match="inputs/x"),
        fast.run("r", {"x": threading.Lock()}),
    ):
        pytest.fail("the block was run")
    with pytest.raises(InvalidNameError):
        fast.run("a//b")
    with pytest.raises(ValueError, match="pid, status"):
        fast.run("r", metadata={"status": "good", "pid": 1, "x": 2})
    assert len(fast) == 0
    run = fast.run("r")
    assert run.status is None
    for use in (lambda: run["x"], lambda: run.outputs, lambda: list(run)):
        with pytest.raises(ReadOnlyError, match="not begun"):
            use()
    with run:
        pass
    with pytest.raises(ReadOnlyError, match="has finished"):
        run["x"] = 1
    with pytest.raises(NameConflictError), fast.run("r/below"):
        pytest.fail("the block was run")


def test_an_output_that_cannot_be_stored_fails_the_run(fast: Archive) -> None:
    """It says so at once, and what was kept before is there."""
    run = fast.run("r")

    def work() -> None:
        with run:
            run["x"] = 1
            run["lock"] = threading.Lock()

    with pytest.raises(EncodeError, match="outputs/lock"):
        work()
    said = fast.record("r").metadata
    assert (said["status"], said["error"]["type"]) == (
        "failed",
        "archivedb.errors.EncodeError",
    )
    assert fast.load("r")["outputs"] == {"x": 1}


def test_inputs_may_be_a_group(fast: Archive) -> None:
    """The inputs of another run can be those of this one."""
    with fast.run("a", {"x": 1}):
        pass
    with fast.run(fast.record("a"), fast["a/inputs"]) as run:
        assert run.name == "a"
    assert fast.load("a")["inputs"] == {"x": 1}


# Functions ------------------------------------------------------------------


def relax(metal: str, /, cutoff: int = 400, *more: int, **rest: Any) -> dict[str, Any]:
    """Return what depends on all arguments."""
    return {"energy": -cutoff, "of": metal, "more": list(more), **rest}


def test_calls(fast: Archive) -> None:
    """Inputs are the arguments by name, outputs what is returned."""
    assert fast.call(relax, "al") == {"energy": -400, "of": "al", "more": []}
    found = fast.call(relax, "cu", 500, 1, 2, force=0.1)
    assert found == {"energy": -500, "of": "cu", "more": [1, 2], "force": 0.1}
    fast.call(relax, "ni", metal="x")
    first, second, third = sorted(fast)
    assert first.startswith(f"relax/{datetime.now(UTC):%Y}")
    assert fast.load(first)["inputs"] == {"metal": "al", "cutoff": 400, "more": ()}
    assert fast.load(second) == {
        "inputs": {"metal": "cu", "cutoff": 500, "more": (1, 2), "force": 0.1},
        "outputs": found,
    }
    assert fast.load(third)["inputs"] == {
        "metal": "ni",
        "cutoff": 400,
        "more": (),
        "rest": {"metal": "x"},
    }
    assert fast.find(status="finished").count() == 3
    assert fast.call(min, 3, 2) == 2
    (name,) = set(fast) - {first, second, third}
    assert fast.load(name)["inputs"] == {"args": (3, 2)}


def test_what_calls_return(fast: Archive) -> None:
    """A dict is the outputs, with any keys; all else is the result."""
    made: Any
    for number, made in enumerate([None, 3.5, {1: "a", "b/c": {}}, [1], {}]):
        assert fast.recorded(lambda made=made: made, name=f"r{number}")() is made
        expected = made if isinstance(made, dict) else {"result": made}
        assert fast.load(f"r{number}")["outputs"] == expected


def test_inputs_are_what_they_were_before_the_call(fast: Archive) -> None:
    """A function that changes its arguments is recorded with what it was given."""

    def fill(into: list[int]) -> int:
        into.append(3)
        return len(into)

    fast.call(fill, [1, 2])
    (name,) = fast
    assert name.startswith("fill/")
    assert fast.load(name) == {"inputs": {"into": [1, 2]}, "outputs": {"result": 3}}


def test_calls_that_fail(fast: Archive) -> None:
    """What the function raises goes on, and the run has failed."""
    with pytest.raises(ZeroDivisionError):
        fast.recorded(lambda x: 1 / x, name="bad")(0)
    assert fast.find(status="failed").one().name == "bad"
    called = []
    with pytest.raises(EncodeError, match="inputs/object"):
        fast.recorded(called.append, name="never")(threading.Lock())
    assert not called
    with pytest.raises(TypeError):
        fast.call(lambda: None, 3)  # type: ignore[call-arg]
    assert list(fast) == ["bad"]


def test_outputs_that_cannot_be_stored(fast: Archive) -> None:
    """What can be stored of them is, and the error says what that was."""
    bad = {"x": 1, "lock": threading.Lock(), "y": np.ones(2), 3: 4}
    with pytest.raises(EncodeError, match="outputs/lock") as raised:
        fast.recorded(lambda: bad, name="r")()
    assert raised.value.__notes__ == ["kept of it in 'r': 'x', 'y', 3"]
    assert list(fast.load("r")["outputs"]) == ["x", "y", 3]
    assert "kept of it" in fast.record("r").metadata["error"]["traceback"]
    assert status(fast, "r") == "failed"
    with pytest.raises(EncodeError, match="outputs/result") as raised:
        fast.call(threading.Lock)
    assert "nothing" in raised.value.__notes__[0]


def test_decorators(fast: Archive) -> None:
    """A recorded function is called, and looks, as it was."""

    @fast.recorded
    def plain(x: int, y: int = 2) -> int:
        """Add."""
        return x + y

    @fast.recorded(
        name="sum/{x}-{y:02d}", tags="good", metadata={"p": 1}, ignore="x", mode="json"
    )
    def named(x: int, y: int = 2) -> int:
        return x + y

    assert plain(1) == 3
    assert (plain.__name__, plain.__doc__) == ("plain", "Add.")
    assert named(1) == 3
    assert named(1) == 3
    record = fast.record("sum/1-02")
    assert (record.tags, record.metadata["p"], record.mode) == (("good",), 1, "json")
    assert fast.load(record)["inputs"] == {"y": 2}
    assert len(fast.versions("sum/1-02")) == 4
    assert sum(name.startswith("plain/") for name in fast) == 1


def test_names_of_runs(fast: Archive) -> None:
    """A name that does not fit is an error before the call."""
    for name in ("r/{z}", "r/{object.wrong}", "r/{object[3]}"):
        with pytest.raises(ValueError, match=r"there are object$"):
            fast.recorded([].append, name=name)("a")
    with pytest.raises(InvalidNameError):
        fast.recorded([].append, name="r/{object}")("")
    with pytest.raises(ValueError, match="no argument 'y'"):
        fast.recorded(lambda x: x, ignore=["x", "y"])
    assert not list(fast)
    names = set()
    for _ in range(20):
        fast.call(relax, "al")
        (new,) = set(fast) - names
        names.add(new)
        assert new == max(names)


class Relaxer:
    """What has methods, and is called."""

    def __init__(self, archive: Archive) -> None:
        self.twice = archive.recorded(self.double, name="bound")

    def double(self, x: int) -> int:
        """Return twice as much."""
        return 2 * x

    def __call__(self, x: int) -> int:
        """Return three times as much."""
        return 3 * x


def test_methods_and_other_callables(fast: Archive) -> None:
    """Whatever can be called can be recorded."""
    relaxer = Relaxer(fast)
    assert relaxer.twice(2) == 4
    assert fast.load("bound") == {"inputs": {"x": 2}, "outputs": {"result": 4}}

    class Recorded:
        @fast.recorded(name="method", ignore=["self"])
        def method(self, x: int) -> int:
            return x + 1

        @classmethod
        @fast.recorded(name="class", ignore=["cls"])
        def of_class(cls, x: int) -> int:
            return x + 2

        @staticmethod
        @fast.recorded(name="static")
        def static(x: int) -> int:
            return x + 3

    assert (Recorded().method(1), Recorded.of_class(1), Recorded.static(1)) == (2, 3, 4)
    for name in ("method", "class", "static"):
        assert fast.load(name)["inputs"] == {"x": 1}
    assert fast.call(relaxer, 2) == 6
    assert fast.call(functools.partial(relax, "al"), 7)["energy"] == -7
    folders = {name.partition("/")[0] for name in fast}
    assert folders == {"bound", "method", "class", "static", "Relaxer", "relax"}


def test_async_functions(fast: Archive) -> None:
    """The run goes on while the function is awaited."""

    @fast.recorded(name="async/{x}")
    async def work(x: int) -> int:
        await asyncio.sleep(0)
        assert status(fast, f"async/{x}") == "running"
        if x > 1:
            raise ValueError(x)
        return x

    async def main() -> list[Any]:
        calls = (work(0), work(1), work(2), fast.call(work, 5))
        return await asyncio.gather(*calls, return_exceptions=True)

    found = asyncio.run(main())
    assert found[:2] == [0, 1]
    assert isinstance(found[2], ValueError)
    assert status(fast, "async/1") == "finished"
    assert status(fast, "async/2") == "failed"

    class Caller:
        async def __call__(self) -> int:
            return 7

    assert asyncio.run(fast.recorded(Caller(), name="caller")()) == 7
    assert fast["caller/outputs/result"] == 7

    async def cancelled() -> None:
        @fast.recorded(name="cancelled")
        async def endless() -> None:
            await asyncio.sleep(60)

        task = asyncio.create_task(endless())
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
    said = fast.record("cancelled").metadata
    assert said["error"]["type"] == "asyncio.exceptions.CancelledError"


def test_what_cannot_be_recorded(fast: Archive) -> None:
    """Generators have no one result, and other things cannot be called."""

    def generator() -> Iterator[int]:
        yield 1

    async def agenerator() -> Any:
        yield 1

    for function in (generator, agenerator, functools.partial(generator)):
        with pytest.raises(TypeError, match="in parts"):
            fast.recorded(function)
    for thing in (3, classmethod(relax), staticmethod(relax)):
        with pytest.raises(TypeError, match="go above"):
            fast.recorded(thing)  # type: ignore[call-overload]
