"""
A run: a record that says while a program works what it has come to.

It is there, as *running*, before the work begins; each output is durable at
once; at the end it says *finished*, or *failed* and why.  A program that is
killed leaves it running, with the host and the process.
"""

from __future__ import annotations

import os
import socket
import time
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from archivedb.archive.writing.changing import merged
from archivedb.errors import EncodeError, ReadOnlyError, RecordExistsError
from archivedb.records import Record
from archivedb.storage.generic import loaded
from archivedb.values.paths import check_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType

    from archivedb.archive.archive import Archive
    from archivedb.storage.generic import Key
    from archivedb.storage.group import Group

RUNNING, FINISHED, FAILED = "running", "finished", "failed"

FACTS = frozenset(
    {"status", "started", "finished", "wall_time", "host", "pid", "slurm", "error"}
)
"""What a run says of itself in its metadata."""

LONGEST = 20_000
"""Characters of a traceback that are kept: its beginning and its end."""

_SLURM = ("JOB_ID", "JOB_NAME", "STEP_ID", "PROCID", "ARRAY_JOB_ID", "ARRAY_TASK_ID")


class Run:
    """
    A run that is recorded while it goes on; what `Archive.run` returns.

    The record is ``{"inputs": …, "outputs": {…}}``.  ``run["energy"] = -3.7``
    is ``outputs/energy``, durable when it returns, and ``run["energy"]`` reads
    it.  The metadata has ``status`` (``"running"``, ``"finished"`` or
    ``"failed"``), ``started``, ``host``, ``pid`` and ``slurm`` (the job); in
    the end ``finished`` and ``wall_time`` in seconds; of a failed one also
    ``error``, with ``type``, ``message`` and ``traceback``.

    Whatever is raised fails the run and goes on, Ctrl-C included; only
    ``sys.exit()`` without an error finishes it.

    Args:
        archive: The archive.
        name: The record's name; if there is one, the run is a new version.
        inputs: What the run begins with.
        metadata: Further facts about it.
        tags: Words about it.
        mode: How it is encoded; the archive's if left out.

    Raises:
        InvalidNameError: The text cannot be a name.
        ValueError: The metadata say what a run says of itself.

    Example:
        >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
        >>> with archive.run("al/run-7", {"cutoff": 500}) as run:
        ...     run["energy"] = -3.7
        >>> archive.load("al/run-7")
        {'inputs': {'cutoff': 500}, 'outputs': {'energy': -3.7}}
        >>> run.status, run.record.metadata["status"]
        ('finished', 'finished')

    """

    def __init__(  # noqa: PLR0913 - the options of a run
        self,
        archive: Archive,
        name: str | Record,
        inputs: Any,
        *,
        metadata: Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        mode: str | None = None,
    ) -> None:
        self._archive = archive
        self._name = check_name(name.name if isinstance(name, Record) else name)
        self._inputs = inputs
        self._said = dict(metadata or {})
        _require_own_words(self._said)
        self._tags = (tags,) if isinstance(tags, str) else tuple(tags)
        self._mode = mode
        self._facts: dict[str, Any] = {}
        self._began = 0.0
        self._group: Group | None = None
        self._status: str | None = None

    # Looking ------------------------------------------------------------

    @property
    def name(self) -> str:
        """The record's name, which another may have changed meanwhile."""
        return self._name if self._group is None else self._group.path

    @property
    def inputs(self) -> Any:
        """What the run began with: the object that was given."""
        return self._inputs

    @property
    def status(self) -> str | None:
        """``"running"``, ``"finished"``, ``"failed"``, or None before it begins."""
        return self._status

    @property
    def record(self) -> Record:
        """
        Everything about the record but its data, as it is now.

        Raises:
            ReadOnlyError: The run has not begun.
            RecordNotFoundError: It was deleted.

        """
        # Looking at the group finds what it is called by now.
        _ = "outputs" in self._opened()
        return self._archive.record(self.name)

    @property
    def outputs(self) -> Group:
        """The outputs as a group: ``with run.outputs as out:`` is one edit."""
        self._require_own()
        found: Group = self._opened()["outputs"]
        return found

    # Outputs ------------------------------------------------------------

    def __getitem__(self, key: Key) -> Any:
        """
        Return what stands at a path in the outputs.

        Raises:
            KeyNotFoundError: Nothing does.

        """
        return self._opened()["outputs"][key]

    def __contains__(self, key: object) -> bool:
        """Return whether anything stands at a path in the outputs."""
        if not isinstance(key, (str, tuple)):
            return False
        return key in self._opened()["outputs"]

    def __iter__(self) -> Iterator[str]:
        """Yield the keys of the outputs."""
        return iter(self._opened()["outputs"])

    def __setitem__(self, key: Key, value: Any) -> None:
        """
        Keep an output; it is on the disk when this returns.

        Raises:
            EncodeError: It cannot be stored exactly; nothing was changed.
            ReadOnlyError: The run has ended, or not begun.
            RecordExistsError: Another run of this name has begun since.

        """
        self.outputs[key] = value

    def __delitem__(self, key: Key) -> None:
        """Remove an output."""
        del self.outputs[key]

    def append(self, key: Key, rows: Any) -> None:
        """Extend an array of the outputs along its first axis; see `Group.append`."""
        self.outputs.append(key, rows)

    def keep(self, outputs: dict[Any, Any]) -> None:
        """
        Make a dict the outputs, in the place of what is there, as one edit.

        Raises:
            EncodeError: Part of it cannot be stored; what can be was.

        """
        self._require_own()
        group = self._opened()
        try:
            group["outputs"] = outputs
        except EncodeError as error:
            stored = {key: item for key, item in outputs.items() if _storable(item)}
            group["outputs"] = stored
            kept = ", ".join(map(repr, stored)) or "nothing"
            error.add_note(f"kept of it in {self._name!r}: {kept}")
            raise

    # What is known of it ------------------------------------------------

    def annotate(self, facts: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """
        Merge facts into the metadata; see `Archive.annotate`.

        Raises:
            EncodeError: A fact cannot be metadata; says which.
            ReadOnlyError: The run has ended, or not begun.
            ValueError: It is a fact that a run says of itself.

        Example:
            >>> archive = Archive("/tmp/archivedb-doctest/runs.db")
            >>> with archive.run("al/run-7", {"cutoff": 500}) as run:
            ...     run.annotate(quality="good")
            ...     run.tag("converged")
            >>> archive.find(quality="good", tags="converged").one().name
            'al/run-7'

        """
        said = merged(facts, more)
        _require_own_words(said)
        self._require_own()
        self._archive.annotate(self.name, said)

    def tag(self, *tags: str) -> None:
        """Add tags; see `Archive.tag`."""
        self._require_own()
        self._archive.tag(self.name, *tags)

    # Beginning and end --------------------------------------------------

    def __enter__(self) -> Self:
        """
        Save the record, as running.

        Raises:
            EncodeError: The inputs cannot be stored exactly.
            NameConflictError: The name would be record and folder at once.

        """
        if self._status is not None:
            msg = f"the run {self._name!r} has begun already: make another one"
            raise ReadOnlyError(msg)
        self._facts = _whereabouts()
        self._began = time.monotonic()
        record = self._archive.save(
            {"inputs": loaded(self._inputs), "outputs": {}},
            self._name,
            mode=self._mode,
            metadata={**self._said, "status": RUNNING, **self._facts},
            tags=self._tags,
        )
        self._status = RUNNING
        self._group = self._archive.open(record.name)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Say how the run ended; what was raised goes on."""
        if os.getpid() != self._facts["pid"]:
            return  # a fork of the program, whose run it is not
        try:
            self._end(error)
        except Exception as second:
            if error is None:
                raise
            # Why the work failed matters more than why that was not recorded.
            error.add_note(f"the run {self._name!r} could not be marked: {second}")

    def _end(self, error: BaseException | None) -> None:
        ended = datetime.now(UTC)
        good = error is None or (
            isinstance(error, SystemExit) and error.code in (None, 0)
        )
        self._require_own()
        status = FINISHED if good else FAILED
        facts: dict[str, Any] = {
            "status": status,
            "finished": ended,
            "wall_time": time.monotonic() - self._began,
        }
        if error is not None and not good:
            facts["error"] = describe(error)
        self._archive.annotate(self.name, facts)
        self._status = status

    # Inside -------------------------------------------------------------

    def _opened(self) -> Group:
        if self._group is None:
            msg = f"the run {self._name!r} has not begun: with archive.run(…) as run:"
            raise ReadOnlyError(msg)
        return self._group

    def _require_own(self) -> None:
        """Raise unless the run goes on, and the newest version is its own."""
        if self._status in (FINISHED, FAILED):
            msg = (
                f"the run {self._name!r} has {self._status}; edit its record: "
                f"archive.open({self._name!r})"
            )
            raise ReadOnlyError(msg)
        self._opened()
        said = self.record.metadata
        if any(said.get(key) != self._facts[key] for key in ("started", "host", "pid")):
            msg = (
                f"another {self._name!r} was saved while this run went on; runs at "
                "one time need names of their own"
            )
            raise RecordExistsError(msg)

    def __repr__(self) -> str:
        """Return the name and the status."""
        return f"<Run {self.name!r}, {self._status or 'not begun'}>"


def _require_own_words(said: Mapping[str, Any]) -> None:
    own = sorted(map(str, FACTS & said.keys()))
    if own:
        msg = f"a run says {', '.join(own)} of itself: choose another word for it"
        raise ValueError(msg)


def _whereabouts() -> dict[str, Any]:
    """Return when and where a run begins."""
    facts = {
        "started": datetime.now(UTC),
        "host": socket.gethostname(),
        "pid": os.getpid(),
    }
    slurm = {
        name.lower(): value.encode("utf-8", "backslashreplace").decode()
        for name in _SLURM
        if (value := os.environ.get(f"SLURM_{name}")) is not None
    }
    return facts | ({"slurm": slurm} if slurm else {})


def describe(error: BaseException) -> dict[str, str]:
    """Return the type, the message and the traceback of an error."""
    kind = type(error)
    own = kind.__module__ in ("builtins", "__main__")
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - whatever somebody's __str__ raises
        message = ""
    lines = "".join(traceback.format_exception(error))
    if len(lines) > LONGEST:
        half = LONGEST // 2
        lines = f"{lines[:half]}\n[…]\n{lines[-half:]}"
    return {
        "type": kind.__qualname__ if own else f"{kind.__module__}.{kind.__qualname__}",
        "message": message[:LONGEST],
        "traceback": lines,
    }


def _storable(value: Any) -> bool:
    from archivedb.values.encode import encode

    try:
        encode(value)
    except EncodeError:
        return False
    return True
