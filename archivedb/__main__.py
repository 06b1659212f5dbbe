"""``python -m archivedb`` is the command ``archivedb``."""

from __future__ import annotations

from archivedb.cli import main

if __name__ == "__main__":
    main()
