"""``key=value`` on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import typer

from archivedb.cli._json import one_line
from archivedb.cli._options import check_text
from archivedb.cli._output import document


def parse_pairs(texts: Iterable[str], option: str) -> dict[str, Any]:
    """
    Return the facts that ``key=value`` texts state.

    A value is JSON if it parses, else text: ``cutoff=350`` is a number and
    ``project=al`` a word; ``run="350"``, with the quotes, is text.

    Args:
        texts: What was typed.
        option: Where, for errors.

    Raises:
        BadParameter: One has no ``=``, or a key comes twice.

    """
    facts: dict[str, Any] = {}
    for text in texts:
        check_text(text)
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise typer.BadParameter(
                f"{text!r} is not of the form key=value", param_hint=f"'{option}'"
            )
        if key in facts:
            raise typer.BadParameter(
                f"the key {key!r} is given twice", param_hint=f"'{option}'"
            )
        facts[key] = _value(value)
    return facts


def format_pairs(facts: Mapping[str, Any]) -> str:
    """Return facts as they may be typed again."""
    return " ".join(f"{key}={_text(value)}" for key, value in facts.items())


def _text(value: Any) -> str:
    shown = document(value)
    if isinstance(shown, str) and _value(shown) == shown:
        return shown
    return one_line(shown)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
