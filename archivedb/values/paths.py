"""
Names of records, and paths inside them.

A path is the keys joined by slashes.  One text form serves catalog, HDF5 links
and people, and every key has exactly one spelling in it:

- in a text key, ``%``, ``/``, controls and surrogates are percent-encoded as
  their (surrogatepass) UTF-8 bytes, and so is a leading ``[`` or ``$``;
- the whole keys ``.``, ``..`` and ``.archivedb`` have their dots encoded, and
  the empty key is a bare ``%``;
- an item of a list or tuple is ``[i]``;
- a key that is not text is ``$`` and its JSON.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from archivedb.errors import InvalidNameError

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_NAME_BYTES = 1024
RESERVED = ".archivedb"
"""The HDF5 group that holds envelope and skeleton beside the user's own."""

_UNSAFE = re.compile("[%/\x00-\x1f\x7f\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_WHOLE = {"": "%", ".": "%2E", "..": "%2E%2E", RESERVED: "%2Earchivedb"}
# More digits than any list has items.
_ITEM = re.compile(r"\[(\d{1,18})\]")


def _quote(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def key_token(key: str) -> str:
    """
    Return the spelling of a text key in a path.

    >>> key_token("a/b"), key_token("50%"), key_token("")
    ('a%2Fb', '50%25', '%')
    """
    if key in _WHOLE:
        return _WHOLE[key]
    token = _UNSAFE.sub(lambda match: _quote(match.group()), key)
    return _quote(token[0]) + token[1:] if token[0] in "[$" else token


def token_key(token: str) -> str:
    """
    Return the text key that a token spells.

    A ``%`` that begins no escape stands for itself, so that people may type
    ``50%``.

    >>> token_key("a%2Fb")
    'a/b'
    """
    if "%" not in token:
        return token
    if token == "%":  # noqa: S105 - a path's token, nobody's secret
        return ""
    raw = unquote_to_bytes(token.encode("utf-8", "surrogatepass"))
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return token


def item_token(index: int) -> str:
    """Return the spelling of a list's item: ``[3]``."""
    return f"[{index}]"


def token_item(token: str) -> int | None:
    """Return the index that a token spells, or None."""
    match = _ITEM.fullmatch(token)
    return int(match.group(1)) if match else None


def join(tokens: Iterable[str]) -> str:
    """Return the path of these tokens."""
    return "/".join(tokens)


def parts(path: str | tuple[Any, ...]) -> tuple[Any, ...]:
    """
    Return the steps of a path: text keys as tokens, other keys as they are.

    >>> parts("a/b"), parts(("a", 3, "x/y"))
    (('a', 'b'), ('a', 3, 'x%2Fy'))
    """
    if isinstance(path, tuple):
        return tuple(key_token(key) if type(key) is str else key for key in path)
    return tuple(path.split("/")) if path else ()


def is_utf8(text: str) -> bool:
    """Return whether text can be written as UTF-8: lone surrogates cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_name(name: str) -> str:
    """
    Return a record's name if it can be one.

    Raises:
        InvalidNameError: It is empty, longer than 1,024 bytes, not UTF-8, has
            control characters, or has a part that is empty, ``.`` or ``..``.

    >>> check_name("al/fcc/run-1")
    'al/fcc/run-1'
    """
    if not isinstance(name, str):
        msg = f"a record's name is text, not {type(name).__name__}"
        raise InvalidNameError(msg)
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        msg = f"the name {name!r} is not valid UTF-8"
        raise InvalidNameError(msg) from None
    if size > MAX_NAME_BYTES:
        msg = f"the name {name[:40]!r}… takes {size} bytes, more than {MAX_NAME_BYTES}"
        raise InvalidNameError(msg)
    if _CONTROL.search(name):
        msg = f"the name {name!r} holds a control character"
        raise InvalidNameError(msg)
    for part in name.split("/"):
        if part in ("", ".", ".."):
            msg = (
                f"the name {name!r} has the part {part!r}; "
                "names are slash-separated, like 'al/fcc/run-1'"
            )
            raise InvalidNameError(msg)
    return name


def prefixes(name: str) -> list[str]:
    """
    Return the folders above a name, nearest the root first.

    >>> prefixes("al/fcc/run-1")
    ['al', 'al/fcc']
    """
    pieces = name.split("/")
    return ["/".join(pieces[:n]) for n in range(1, len(pieces))]
