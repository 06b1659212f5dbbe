"""The page ``docs/values.md``: what comes back exactly, and by which route."""

from __future__ import annotations

from typing import Any

from archivedb.values.encode import encode
from archivedb.values.skeleton import Skeleton, tag_of
from tests.fidelity.catalogue import GROUPS, KINDS, REFUSED
from tests.fidelity.saving import EXACT, ROOT
from tests.fidelity.saving import REFUSED as REFUSED_WORD

PAGE = ROOT / "docs" / "values.md"
MODES = ("hdf5", "json", "cloudpickle")

INTRODUCTION = """\
# Values: what comes back, and how

Every kind of value below was saved in each mode: at the top of a record, and
in a dict, a list, a tuple and an object array.  A fresh process loaded it and
compared it with a new one: types, the bits of floats, dtypes, order, identity.

**exact** means that it came back as it was.  **refused** means that `save`
raised an `EncodeError` with the path to it, and wrote nothing.  There is no
third answer.

The route is what `archivedb tree` shows behind a value:

| route | what is stored |
|---|---|
| native | JSON of the skeleton, or an array; any mode shows it to other tools |
| adapter | a plain state of a known class; reading it runs no code |
| storable | what the class's own `_store` has put into its group |
| dataclass, attrs, state | the attributes of the object |
| enum, reference | the name of a member, or of a class or function |
| reduce | the parts that the pickle protocol takes an object apart into |
| cloudpickle | code: what no module has under a name |

All below `adapter` in this list can run code when it is read, and so is signed.

`python -m tests.fidelity.make_page` writes this page from what came back; a test
saves every kind in every mode, and fails if one is not as this page says.  Kinds of
some megabytes, or 5,000 levels deep, are saved at the top of a record only.
Functions, and what belongs to classes that no module has, are compared by what they
do and hold.
"""


def outcomes_expected() -> dict[str, dict[str, str]]:
    """Return what the tests of the modes require."""
    every = dict.fromkeys((kind.name for kind in KINDS), EXACT)
    every |= dict.fromkeys((kind.name for kind in REFUSED), REFUSED_WORD)
    return dict.fromkeys(MODES, every)


def route_of(value: Any) -> tuple[str, str]:
    """Return the route that a value takes, and the name of its adapter."""
    node = Skeleton(encode(value).skeleton).root
    tag = tag_of(node)
    if tag == "$adapted":
        return "adapter", str(node["$adapted"])
    if tag == "$object":
        return str(node["by"]), ""
    if tag == "$array" and node.get("as") == "pickle":
        return "cloudpickle", ""
    return "native", ""


def _words(route: tuple[str, str]) -> str:
    return f"{route[0]} `{route[1]}`" if route[1] else route[0]


def _word(outcome: str) -> str:
    for word in (EXACT, REFUSED_WORD):
        if outcome.startswith(word):
            return word
    return "**wrong**"


def _cell(name: str) -> str:
    return name.replace("|", "\\|").replace("*", "\\*")


def _rows(names: list[str], routes: list[str] | None, found: Any) -> list[str]:
    heads = ["kind", *(["route"] if routes is not None else []), *MODES]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for index, name in enumerate(names):
        cells = [_cell(name), *([routes[index]] if routes is not None else [])]
        cells += [_word(found[mode][name]) for mode in MODES]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def render(found: Any) -> str:
    """Return the page for what came of every kind, by mode."""
    lines = INTRODUCTION.splitlines()
    for title, kinds in GROUPS.items():
        routes = [_words(route_of(kind.make())) for kind in kinds]
        lines += ["", f"## {title}", ""]
        lines += _rows([kind.name for kind in kinds], routes, found)
    lines += [
        *("", "## What is refused", ""),
        "None of these is anything once its process has ended.  Store what is in it:",
        "the text of a file, or an `archivedb.File`; the list of what a generator",
        "yields; the bytes of a memoryview; the results of a calculator.",
        *("", *_rows([kind.name for kind in REFUSED], None, found)),
        *("", "## Counts", ""),
        "| mode | exact | refused | wrong |",
        "|---|---|---|---|",
    ]
    for mode in MODES:
        words = [_word(outcome) for outcome in found[mode].values()]
        counts = [words.count(word) for word in (EXACT, REFUSED_WORD, "**wrong**")]
        lines.append(f"| {mode} | {' | '.join(map(str, counts))} |")
    return "\n".join(lines) + "\n"
