"""
Fresh processes that cost a fork, where a new interpreter would import for a second.

A server per process that runs tests has imported what archivedb needs, and
archivedb, and forks a child for each program.  The child is a process of its own:
it has its own streams, directory, environment, ``__main__`` and end, may be killed,
and shares no state with whoever asked for it.  What it is not: an interpreter that
starts.  So what is imported, when, and with which variables of Python's own, is
tested with ``sys.executable``.
"""

from __future__ import annotations

import atexit
import functools
import os
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.fresh_client import Job

if TYPE_CHECKING:
    from collections.abc import Mapping

_HERE = Path(__file__).parent


@functools.cache
def _server() -> str:
    """Return the address of this process's server, which is started once."""
    # An address has a hundred characters, too few for a directory of pytest's.
    place = tempfile.mkdtemp(prefix="fresh-")
    address = f"{place}/socket"
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTHONWARNINGS")
    }
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        # Who asks before it has imported everything waits.
        listener.listen(100)
        number = listener.fileno()
        server = subprocess.Popen(
            [
                *(sys.executable, "-W", "error"),
                *(str(_HERE / "fresh_server.py"), str(number)),
            ],
            stdin=subprocess.PIPE,
            env=environment | ONE_THREAD,
            pass_fds=[number],
        )
    owner = os.getpid()

    def stop() -> None:
        if os.getpid() == owner:
            server.communicate()
            shutil.rmtree(place)

    atexit.register(stop)
    return address


ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""A process that has more should not be forked."""


class Streams:
    """This side's ends of another process's standard streams."""

    def __init__(self, feed: int, *ends: int) -> None:
        self.feed = feed
        self.said = {end: bytearray() for end in ends}
        self.selector = selectors.DefaultSelector()
        os.set_blocking(feed, False)
        self.selector.register(feed, selectors.EVENT_WRITE)
        for end in ends:
            self.selector.register(end, selectors.EVENT_READ)

    def talk(self, text: bytes, deadline: float) -> bool:
        """Write, and read until nobody can write; or return that it takes too long."""
        while self.selector.get_map():
            ready = self.selector.select(max(0, deadline - time.monotonic()))
            if not ready:
                return False
            for key, _ in ready:
                if key.fd == self.feed:
                    try:
                        text = text[os.write(self.feed, text[: 1 << 16]) :]
                    except BrokenPipeError:
                        text = b""
                    if not text:
                        self.end(key.fd)
                elif piece := os.read(key.fd, 1 << 16):
                    self.said[key.fd] += piece
                else:
                    self.end(key.fd)
        return True

    def end(self, stream: int) -> None:
        """Close a stream."""
        self.selector.unregister(stream)
        os.close(stream)

    def close(self) -> None:
        """Close those that are open."""
        for key in list(self.selector.get_map().values()):
            self.end(key.fd)
        self.selector.close()


def executable(command: str = "") -> str:
    """
    Return the path of what stands for ``python`` in a shell, or for a command.

    It has the name of what it stands for, in a directory of its own.
    """
    script = Path(_server()).with_name("bin") / (command or "python")
    if not script.exists():
        script.parent.mkdir(exist_ok=True)
        client = [sys.executable, "-I", "-S", str(_HERE / "fresh_client.py"), _server()]
        if command:
            client.append(str(Path(sys.executable).with_name(command)))
        exports = "".join(f"{k}={v} " for k, v in ONE_THREAD.items())
        script.write_text(f'#!/bin/sh\n{exports}exec {shlex.join(client)} "$@"\n')
        script.chmod(0o755)
    return str(script)


def run(
    *words: str | Path,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    directory: str | Path | None = None,
    timeout: float = 120,
) -> subprocess.CompletedProcess[str]:
    """
    Run what ``python`` would with these arguments, and wait for its end.

    Arguments:
        words: ``-W ACTION``, then ``-c CODE``, ``-m MODULE`` or a file, then more.
        stdin: What it reads.
        environment: Its whole environment, that of this process by default.
        directory: Where it works, by default where this process does.
        timeout: After how many seconds it is killed.

    """
    command = list(map(str, words))
    given = {**(os.environ if environment is None else environment), **ONE_THREAD}
    there, feed = os.pipe()
    out, told = os.pipe()
    err, complained = os.pipe()
    mine = Streams(feed, out, err)
    try:
        streams = (there, told, complained)
        place = str(directory or Path.cwd())
        job = Job(_server(), command, streams, place, given)
    except BaseException:
        mine.close()
        raise
    finally:
        for end in (there, told, complained):
            os.close(end)
    try:
        if not mine.talk(stdin.encode(), time.monotonic() + timeout):
            raise subprocess.TimeoutExpired(command, timeout)  # noqa: TRY301 - it is killed below
        code = job.wait()
    except BaseException:
        os.kill(job.pid, signal.SIGKILL)
        job.close()
        raise
    finally:
        mine.close()
    return subprocess.CompletedProcess(
        command, code, mine.said[out].decode(), mine.said[err].decode()
    )


def run_cold(
    *words: str | Path,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    directory: str | Path | None = None,
    timeout: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Do as `run` does, in an interpreter that starts and imports for itself."""
    return subprocess.run(
        [sys.executable, *map(str, words)],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        cwd=directory,
        env={**(os.environ if environment is None else environment), **ONE_THREAD},
    )
