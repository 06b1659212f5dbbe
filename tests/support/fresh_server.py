"""
The process that `fresh` forks others from; it has imported what archivedb needs.

Usage: python -W error fresh_server.py LISTENING_SOCKET

It opens no archive, has one thread, as whoever forks should, and ends when its
standard input does.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import time
import types
import warnings
from pathlib import Path
from typing import Any

PRELOADED = (
    *("alembic.command", "blake3", "cloudpickle", "h5py", "numpy", "orjson"),
    *("cryptography.hazmat.primitives.asymmetric.ed25519", "packaging.version"),
    *("cryptography.hazmat.primitives.serialization", "platformdirs", "typer"),
    *("rich.console", "sqlalchemy.dialects.sqlite", "sqlite3"),
    *(
        "archivedb.archive.comparing.differing",
        "archivedb.cli._app",
        "archivedb.formats.hdf5",
    ),
    *("archivedb.formats.json", "archivedb.formats.pickle"),
    *("archivedb.integrity.reindex", "archivedb.integrity.verify"),
    *("archivedb.storage.files", "archivedb.storage.memory"),
)
# An interpreter looks at these only when it starts, as some libraries do.
_AT_START = ("PYTHON", "LANG", "LC_", "OPENBLAS", "OMP", "HDF5")
_LATER = ("PYTHONPATH", "PYTHONWARNINGS")

Job = dict[str, Any]


def receive(connection: socket.socket) -> tuple[Job, list[int]]:
    """Return what somebody asks for, and their standard streams."""
    length, streams, *_ = socket.recv_fds(connection, 8, 3)
    text = b""
    while len(text) < int.from_bytes(length, "big"):
        text += connection.recv(1 << 20)
    return json.loads(text), list(streams)


def why_not(job: Job) -> str | None:
    """Return what only a new interpreter could do, if something of it is asked."""
    for name in sorted({*os.environ, *job["environment"]}):
        if name.startswith(_AT_START) and name not in _LATER:
            here, there = os.environ.get(name), job["environment"].get(name)
            if here != there:
                return f"{name} is {there!r} for it, and {here!r} for the server"
    return None


class Server:
    """Forks a child for each job, and tells how the child ended."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.children: dict[int, socket.socket] = {}
        self.selector = selectors.DefaultSelector()
        self.ended, self.wake = os.pipe()
        for end in (self.ended, self.wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self.wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for waiting in (0, self.ended, listener):
            self.selector.register(waiting, selectors.EVENT_READ)

    def serve(self) -> tuple[Job, list[int]] | None:
        """Return a job in the child that is to do it, and None at the end."""
        while True:
            for key, _ in self.selector.select():
                if key.fd == 0:
                    return None
                if key.fd == self.ended:
                    os.read(self.ended, 1 << 12)
                    self.reap()
                elif key.fd == self.listener.fileno():
                    begun = self.begin()
                    if begun is not None:
                        return begun
                elif key.data in self.children:
                    # Whoever asked for it is gone, and so it goes, too.
                    os.kill(key.data, signal.SIGKILL)
                    self.selector.unregister(key.fileobj)

    def begin(self) -> tuple[Job, list[int]] | None:
        """Fork a child, and return in it what it is to do."""
        connection, _ = self.listener.accept()
        job, streams = receive(connection)
        refusal = why_not(job)
        pid = 0 if refusal else os.fork()
        if pid == 0 and not refusal:
            self.leave()
            connection.close()
            return job, streams
        for stream in streams:
            os.close(stream)
        if refusal:
            self.say(connection, refused=refusal)
            connection.close()
        else:
            self.children[pid] = connection
            self.selector.register(connection, selectors.EVENT_READ, pid)
            self.say(connection, pid=pid)
        return None

    def leave(self) -> None:
        """Forget in a child that this was a server."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.selector.close()
        self.listener.close()
        os.close(self.ended)
        os.close(self.wake)
        for connection in self.children.values():
            connection.close()

    def reap(self) -> None:
        """Tell how those children ended that did."""
        for pid in list(self.children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                connection = self.children.pop(pid)
                with contextlib.suppress(KeyError):
                    self.selector.unregister(connection)
                self.say(connection, code=os.waitstatus_to_exitcode(status))
                connection.close()

    @staticmethod
    def say(connection: socket.socket, **what: Any) -> None:
        """Say something to whoever asked, if they still listen."""
        with contextlib.suppress(OSError):
            connection.sendall(json.dumps(what).encode() + b"\n")


def become(job: Job, streams: list[int]) -> None:
    """Make this process what a new interpreter would be before it runs anything."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        mode = "w" if number else "r"
        old = getattr(sys, name)
        raw = io.open(number, f"{mode}b", closefd=False)  # noqa: SIM115, UP020
        new = io.TextIOWrapper(
            raw,
            encoding=old.encoding,
            errors=old.errors,
            newline="\n" if mode == "w" else None,
            line_buffering=name == "stderr" or os.isatty(number),
        )
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)
    os.chdir(job["directory"])
    os.umask(job["umask"])
    os.environ.clear()
    os.environ.update(job["environment"])
    time.tzset()
    wanted = os.environ.get("PYTHONWARNINGS", "")
    sys.warnoptions[:] = [*filter(None, wanted.split(",")), *job["warnings"]]
    # That of the server's own command line.
    warnings.filters.remove(("error", None, Warning, None, 0))  # type: ignore[attr-defined]
    warnings._processoptions(sys.warnoptions)  # type: ignore[attr-defined]


def run(kind: str, what: str, arguments: list[str]) -> None:
    """Run a program as the only one of this process, as ``python`` does."""
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(":") if path]
    if kind == "file":
        what, given = str(Path(what).absolute()), what
    first = {"-c": "", "-m": str(Path.cwd())}.get(kind, str(Path(what).parent))
    # The first is the directory of this file.
    sys.path[:] = [first, *paths, *sys.path[1:]]
    sys.argv[:] = [given if kind == "file" else kind, *arguments]
    main = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = main
    if kind == "-m":
        runpy._run_module_as_main(what)  # type: ignore[attr-defined]
        return
    if kind == "file":
        main.__file__ = what
        # A null byte or an unknown encoding is the compiler's to complain about.
        code = compile(Path(what).read_bytes(), what, "exec", dont_inherit=True)
    else:
        code = compile(what, "<string>", "exec", dont_inherit=True)
    exec(code, main.__dict__)  # noqa: S102 - the tests' own programs


def child() -> Job | None:
    """Serve, and return in each child what it is to run."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    for name in PRELOADED:
        importlib.import_module(name)
    gc.collect()
    # So that a child's own collections do not touch, and so copy, every page.
    gc.freeze()
    with listener:
        begun = Server(listener).serve()
    if begun is not None:
        become(*begun)
        return begun[0]
    return None


if __name__ == "__main__" and (job := child()) is not None:
    # From here an exception or an exit ends the process as it would any other.
    run(job["kind"], job["what"], job["arguments"])
