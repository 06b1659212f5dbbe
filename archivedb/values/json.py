"""
JSON as bytes: the one module that knows orjson.

orjson turns NaN into null and refuses lone surrogates, so nothing reaches it
that `encode` has not tagged before.
"""

from __future__ import annotations

from typing import Any

import orjson

from archivedb.errors import DecodeError


def dumps(tree: Any) -> bytes:
    """Return the canonical bytes: compact, keys in their given order."""
    return orjson.dumps(tree)


def dumps_sorted(tree: Any) -> bytes:
    """Return bytes that do not depend on the order of keys, to compare them."""
    return orjson.dumps(tree, option=orjson.OPT_SORT_KEYS)


def dumps_readable(tree: Any) -> bytes:
    """Return indented bytes, one item a line, for people and for diffs."""
    return orjson.dumps(tree, option=orjson.OPT_INDENT_2)


def verbatim(text: bytes) -> Any:
    """Return bytes that are JSON already, to be put into a tree as they are."""
    return orjson.Fragment(text)


def loads(text: bytes | memoryview, what: str) -> Any:
    """
    Parse JSON.

    Args:
        text: UTF-8 bytes.
        what: What they are, for the error: ``"envelope of 3f/…json"``.

    Raises:
        DecodeError: They are not JSON.

    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        msg = f"the {what} is not JSON: {error}"
        raise DecodeError(msg) from error
