"""Facts about where a save came from, gathered by themselves."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from archivedb.values.encode import encode_inline

GIT_SECONDS = 10.0
"""How long a commit and its dirty flag are believed."""

_SLURM_IDS = ("SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_PROCID", "SLURM_ARRAY_TASK_ID")

_lock = threading.Lock()
_facts: tuple[Any, Any] | None = None
_git: tuple[str, float, dict[str, Any]] | None = None


def _new_lock() -> None:
    global _lock  # noqa: PLW0603 - a thread of the parent may hold the old one
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_new_lock)


def provenance() -> Any:
    """
    Return user, host, Python, package versions, git commit, argv and SLURM facts.

    They are gathered when they have changed, not at every save, and come
    encoded inline, as envelopes hold them.
    """
    global _facts  # noqa: PLW0603 - facts of the process
    with _lock:
        directory = _directory()
        git = _git_facts(directory)
        # New modules bring new versions, a new step new SLURM facts; their
        # number, and its id, tell at once.
        step = tuple(map(os.environ.get, _SLURM_IDS))
        state = (directory, len(sys.modules), tuple(sys.argv), step, git)
        if _facts is None or _facts[0] != state:
            gathered = _gather(directory, git)
            _facts = (state, encode_inline(gathered, "provenance"))
        return _facts[1]


def _gather(directory: str, git: dict[str, Any]) -> dict[str, Any]:
    system = os.uname()
    slurm = {k: v for k, v in os.environ.items() if k.startswith("SLURM_")}
    facts: dict[str, Any] = {
        "user": _user(),
        "host": socket.gethostname(),
        # platform.platform() holds a lock that would not survive a fork.
        "platform": f"{system.sysname} {system.release} {system.machine}",
        "python": ".".join(map(str, sys.version_info[:3])),
        "argv": [_text(argument) for argument in sys.argv],
        "directory": _text(directory),
        "packages": _packages(),
    }
    if git:
        facts["git"] = git
    if slurm:
        facts["slurm"] = {_text(k): _text(v) for k, v in sorted(slurm.items())}
    return facts


def _text(value: str) -> str:
    """Return text of the system's as UTF-8, whatever bytes it was made of."""
    return value.encode("utf-8", "backslashreplace").decode()


def _directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - text is wanted
    except FileNotFoundError:
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no such user in this container
        return str(os.getuid())


def _packages() -> dict[str, str]:
    """Return the versions of what is imported."""
    found = {}
    for name, module in sorted(sys.modules.items()):
        if "." in name or name.startswith("_") or name in sys.stdlib_module_names:
            continue
        # Asking a lazy module for its version might import it.
        version = getattr(module, "__dict__", {}).get("__version__")
        if isinstance(version, str):
            found[name] = _text(version)
    return found


def _git_facts(directory: str) -> dict[str, Any]:
    global _git  # noqa: PLW0603 - facts of the process
    now = time.monotonic()
    if _git is None or _git[0] != directory or now - _git[1] > GIT_SECONDS:
        _git = (directory, now, _ask_git(directory))
    return _git[2]


def _ask_git(directory: str) -> dict[str, Any]:
    if not _in_checkout(directory):
        return {}
    try:
        done = subprocess.run(
            ["git", "status", "--porcelain=v2", "--branch", "--untracked-files=no"],  # noqa: S607 - the user's git
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
            env=os.environ | {"GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return {}
    lines = done.stdout.splitlines()
    heads = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# "))
    commit = heads.get("branch.oid", "")
    if not commit or commit == "(initial)":
        return {}
    dirty = any(not line.startswith("#") for line in lines)
    return {"commit": commit, "dirty": dirty}


def _in_checkout(directory: str) -> bool:
    start = Path(directory)
    return any((folder / ".git").exists() for folder in (start, *start.parents))
