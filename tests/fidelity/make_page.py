"""
Save and load every kind of value in every mode, and write ``docs/values.md``.

Usage: python -m tests.fidelity.make_page
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from archivedb.values import signing
from tests.fidelity.catalogue import KINDS
from tests.fidelity.page import MODES, PAGE, render
from tests.fidelity.refusing import refusals
from tests.fidelity.saving import outcomes


def main() -> None:
    """Write the page."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        os.environ[signing.ENVIRONMENT] = str(place / "signing.key")
        found = {
            mode: outcomes(KINDS, place, mode) | refusals(place / f"no-{mode}", mode)
            for mode in MODES
        }
        page = render(found)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
