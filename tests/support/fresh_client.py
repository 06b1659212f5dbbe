"""
Let the server of `fresh` run a program; in a shell, stand for ``python``.

Usage: python -I -S fresh_client.py SOCKET [-W ACTION] (-c CODE | -m MODULE | FILE) …

There it gives away its own streams, directory and environment, waits, and ends as
the process did that ran.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from typing import Any


class Job:
    """A process that the server has forked, and its end."""

    def __init__(
        self,
        server: str,
        words: list[str],
        streams: tuple[int, int, int],
        directory: str,
        environment: dict[str, str],
    ) -> None:
        """Begin what a command line of ``python`` would."""
        words, options = list(words), []
        while words[0] == "-W":
            options.append(words[1])
            del words[:2]
        umask = os.umask(0o077)
        os.umask(umask)
        job = {
            "kind": words.pop(0) if words[0] in ("-c", "-m") else "file",
            "what": words[0],
            "arguments": words[1:],
            "warnings": options,
            "directory": directory,
            "environment": environment,
            "umask": umask,
        }
        text = json.dumps(job).encode()
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.connect(server)
        socket.send_fds(self.connection, [len(text).to_bytes(8, "big")], streams)
        self.connection.sendall(text)
        self._said = self.connection.makefile("rb")
        answer = self.hear()
        if "refused" in answer:
            self.close()
            raise RuntimeError(f"only a new interpreter could: {answer['refused']}")
        self.pid: int = answer["pid"]

    def hear(self) -> dict[str, Any]:
        """Return what the server says next."""
        line = self._said.readline()
        if not line:
            raise RuntimeError("the server of fresh processes has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def wait(self) -> int:
        """Return how the process ended, as `subprocess` says it."""
        code: int = self.hear()["code"]
        self.close()
        return code

    def close(self) -> None:
        """Listen no more: the server kills a process that nobody waits for."""
        self._said.close()
        self.connection.close()


def main() -> None:
    """Run what the command line says."""
    server, *words = sys.argv[1:]
    job = Job(server, words, (0, 1, 2), os.getcwd(), dict(os.environ))  # noqa: PTH109 - pathlib costs more to import than all else
    code = job.wait()
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main()
