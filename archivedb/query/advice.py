"""What to say of a path that no record has: the nearest that some have."""

from __future__ import annotations

import difflib
import heapq
import re
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from archivedb.query.mistakes import mistake
from archivedb.query.names import BARE, spelling
from archivedb.query.nodes import RECORD_FACTS, Path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from archivedb.errors import QueryError
    from archivedb.query.nodes import Span

_MOST_KNOWN = 200_000
_MOST_COMPARED = 400
_MOST_PROPOSED = 3
_CUTOFF = 0.6
_CUTOFF_OF_FACTS = 0.75
_MOST_SHOWN = 60
_CONSTANTS = {"true": "True", "false": "False", "null": "None", "none": "None"}
_CONSTANTS |= {"nan": "isnan(x)", "inf": 'float("inf")', "infinity": 'float("inf")'}
_CONSTANTS |= {"now": "now()", "today": "today()"}
_FACT = re.compile(r"/\$(dtype|ndim|shape|min|max|mean)(?=/|$)")
# What may belong to a path that was typed without its quotes.
_RUN = re.compile(r"[\w./\-\[\]\"'µÅ]+")
_SLASHED = re.compile(r"[^\W\d][\w.]*(?:/[^\W\d][\w.]*)+")
_UNDERSCORES = re.compile(r"(?<=[^_])__(?=[^_])")
_LEFT_OUT = dict.fromkeys(map(ord, " _-./[]\"'$"))
_BREAK = re.compile(r"[/\-.]")


def unknown_path(text: str, node: Path, known: Collection[str]) -> QueryError:
    """
    Return the error for a path that no record has.

    Args:
        text: The question.
        node: The path in it.
        known: The paths that records have, as the catalog spells them.

    >>> from archivedb.query.nodes import Path
    >>> wrong = Path("", ("outputs", "enrgy"), (0, 13))
    >>> print(unknown_path("outputs.enrgy < 0", wrong, ["outputs/energy"]))
    no path `outputs.enrgy`; did you mean `outputs.energy`?
      outputs.enrgy < 0
      ^^^^^^^^^^^^^
    """
    return mistake(text, node.at, _sentence(text, node, known))


def _sentence(text: str, node: Path, known: Collection[str]) -> str:
    typed = text[slice(*node.at)] or spelling(node.steps, node.side)
    start = f"no path `{_short(typed)}`"
    bare = len(node.steps) == 1 and not node.side
    # The shell took the quotes away, or nobody typed them.
    compared = bare and re.search(r"(?:==|!=|\bin|[\[(,])\s*$", text[: node.at[0]])
    # Facts of arrays are written like keys.
    node = replace(node, steps=tuple(_FACT.sub(r"/\1", node.path).split("/")))
    paths_known = [_FACT.sub(r"/\1", one) for one in islice(known, _MOST_KNOWN)]
    near = [
        spelling(one.split("/"), node.side) for one in _near(text, node, paths_known)
    ]
    if bare:
        near = [*_facts(node.path), *near]
    if bare and node.path.lower() in _CONSTANTS:
        near = [_CONSTANTS[node.path.lower()]]
    elif not near:
        inside = _inside(node, paths_known)
        if inside:
            return (
                f"`{_short(typed)}` is a group and has no value of its own; "
                f"in it are {_list(inside, 'and')}"
            )
    quotes = f"f it is text, write it in quotes: `'{_short(typed)}'`"
    if near:
        end = f" I{quotes}" if compared else ""
        return f"{start}; did you mean {_list(near, 'or')}?{end}"
    end = f"; i{quotes}" if compared else ""
    divided = _divided(text, node)
    if divided:
        end = f"; `/` divides: a path has dots, `{_short(divided)}`"
    return f"{start}{end}; `archivedb paths` lists what can be asked"


def _divided(text: str, node: Path) -> str:
    """Return the path that was typed with slashes, or nothing."""
    for match in _SLASHED.finditer(text):
        if match.start() <= node.at[0] and node.at[1] <= match.end():
            return match.group().replace("/", ".")
    return ""


def _facts(key: str) -> list[str]:
    """Return the facts of a record that a key may have meant."""
    near = difflib.get_close_matches(
        key[:_MOST_SHOWN].lower(), {*RECORD_FACTS, *BARE}, 1, _CUTOFF_OF_FACTS
    )
    return [spelling([each], "record") for each in near]


def nearest(text: str, known: Collection[str]) -> str:
    """
    Return the paths nearest to one, as the end of a sentence; or nothing.

    Args:
        text: The path, with slashes or dots.
        known: The paths that records have, as the catalog spells them.

    >>> nearest("outputs.enrgy", ["outputs/energy"])
    '; did you mean `outputs.energy`?'
    """
    node = Path("", tuple(text.replace(".", "/").split("/")))
    near = [spelling(each.split("/")) for each in _near("", node, [*known])]
    return f"; did you mean {_list(near, 'or')}?" if near else ""


def misread_keyword(key: str, value: object) -> str:
    """
    Return what to write for a keyword of `find` that is no path, or nothing.

    >>> print(misread_keyword("size", 3))
    no record has a key `size`; for the fact of records write find("record.size == 3")
    """
    shown = _short(repr(value))
    if key in RECORD_FACTS and key not in BARE:
        return (
            f"no record has a key `{key}`; for the fact of records write "
            f'find("record.{key} == {shown}")'
        )
    if _UNDERSCORES.search(key):
        path = _UNDERSCORES.sub(".", key)
        return (
            f"no record has a key `{_short(key)}`; a path is given as text: "
            f'find("{path} == {shown}"), or find(**{{"{path}": {shown}}})'
        )
    return ""


def passed_beside(text: str, at: Span, name: str, value: object) -> QueryError:
    """Return the error for a parameter that was given as a keyword of `find`."""
    shown = f'find("{_short(text)}", {{"{name}": {_short(repr(value))}}})'
    sentence = f"no path `{name}`; parameters are given as a dict: {shown}"
    return mistake(text, at, sentence)


def _short(text: str) -> str:
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "…"


def _list(items: list[str], word: str) -> str:
    shown = [f"`{item}`" for item in items]
    last = shown.pop()
    return f"{', '.join(shown)} {word} {last}" if shown else last


def _inside(node: Path, known: Iterable[str]) -> list[str]:
    prefix = node.path + "/"
    found = (
        spelling(one.split("/"), node.side) for one in known if one.startswith(prefix)
    )
    return list(islice(found, _MOST_PROPOSED))


def _near(text: str, node: Path, known: list[str]) -> list[str]:
    """Return the likeliest paths, the surest reasons first."""
    return (
        _typed_together(text, node, known)
        or _alike(node, known)
        or _below(node, known)
        or ([] if _has_inside(node, known) else _similar(node, known))
    )


def _has_inside(node: Path, known: Iterable[str]) -> bool:
    return any(one.startswith(node.path + "/") for one in known)


def _typed_together(text: str, node: Path, known: list[str]) -> list[str]:
    """
    Return the path that was typed with ``/`` or ``-``, and read as arithmetic.

    ``outputs/energy``, ``outputs.k-points``: the whole run of characters is
    tried, then what is left without its last pieces.
    """
    for match in _RUN.finditer(text):
        if match.start() <= node.at[0] and node.at[1] <= match.end():
            run = match.group()
            break
    else:
        return []
    folded = {_fold(one): one for one in reversed(known)} if _BREAK.search(run) else {}
    while _BREAK.search(run):
        if _fold(run) in folded and match.start() + len(run) >= node.at[1]:
            return [folded[_fold(run)]]
        run = run[: [one.start() for one in _BREAK.finditer(run)][-1]]
    return []


def _fold(path: str) -> str:
    """Return a path without what people leave out or mix up: case, ``-``, ``.``."""
    return path.translate(_LEFT_OUT).casefold()


def _alike(node: Path, known: list[str]) -> list[str]:
    wanted = _fold(node.path)
    return [one for one in known if _fold(one) == wanted][:_MOST_PROPOSED]


def _below(node: Path, known: list[str]) -> list[str]:
    """Return the paths that end like this one: its beginning was left out."""
    end = "/" + node.path.casefold()
    found = (one for one in known if one.casefold().endswith(end))
    return heapq.nsmallest(_MOST_PROPOSED, found, key=lambda one: (one.count("/"), one))


def _pairs(path: str) -> set[str]:
    return {path[n : n + 2] for n in range(len(path) - 1)}


def _similar(node: Path, known: list[str]) -> list[str]:
    """
    Return the paths that look like this one.

    Comparing 100,000 of them closely takes seconds; so only those with the most
    pairs of letters in common are.
    """
    wanted = node.path.casefold()[:200]
    pairs = _pairs(wanted)
    shortlist = heapq.nlargest(
        _MOST_COMPARED,
        known,
        key=lambda one: (len(pairs & _pairs(one.casefold())), -len(one)),
    )
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted)
    scored = []
    for one in shortlist:
        whole = one.casefold()[:400]
        tail = "/".join(whole.split("/")[-len(node.steps) :])
        # The end of a longer path is a little less likely than a whole one.
        score = max(_ratio(matcher, whole), 0.95 * _ratio(matcher, tail))
        if score >= _CUTOFF:
            scored.append((-score, one))
    best = heapq.nsmallest(_MOST_PROPOSED, scored)
    # Whatever is much worse than the best is noise.
    return [one for score, one in best if score <= best[0][0] + 0.1]


def _ratio(matcher: difflib.SequenceMatcher[str], text: str) -> float:
    matcher.set_seq1(text)
    if matcher.real_quick_ratio() < _CUTOFF or matcher.quick_ratio() < _CUTOFF:
        return 0.0
    return matcher.ratio()
