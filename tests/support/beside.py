"""Writers in processes of their own, beside what a test does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Self

PROGRAM = Path(__file__).parents[1] / "integrity" / "programs" / "writing.py"


class writing:  # noqa: N801 - it is used as a function is
    """Run writers that save, prune and delete; check that none of them failed."""

    def __init__(self, address: str, place: Path, writers: int = 2) -> None:
        self._stop = place / "stop"
        self._address, self._writers = address, writers

    def __enter__(self) -> Self:
        """Start them, and wait until each has begun."""
        self._workers = [
            subprocess.Popen(
                [
                    *(sys.executable, str(PROGRAM)),
                    *(self._address, str(self._stop), str(number)),
                ],
                stdout=subprocess.PIPE,
            )
            for number in range(self._writers)
        ]
        try:
            for worker in self._workers:
                assert worker.stdout is not None
                assert worker.stdout.readline() == b"ready\n"
        except BaseException:
            for worker in self._workers:
                worker.kill()
                worker.communicate()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        """Stop them."""
        self._stop.touch()
        for worker in self._workers:
            said, _ = worker.communicate(timeout=100)
            assert worker.returncode == 0
            assert int(said) > 0
        self._stop.unlink()
