"""What of two skeletons' nodes can be likened: kinds, keys, signs, and words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archivedb.values import digest, json, outline, paths, skeleton
from archivedb.values.decode import decode_inline
from archivedb.values.skeleton import tag_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from archivedb.values.skeleton import Skeleton, Tree

AROUND = 20
"""Characters of two long texts that are shown before they part."""

_FEW = 3
_SCALAR_TAGS = frozenset({"$int", "$float", "$complex", "$str", "$bytes", "$numpy"})
_ITEMS = frozenset({"array", "list"})
_STATED = frozenset({"state", "class", "version"})
_TIMES = frozenset({"datetime.datetime", "datetime.time"})


def both(one: Tree, two: Tree) -> bool:
    """Return whether there is something on both sides."""
    return one is not ... and two is not ...


def is_node(tree: Tree) -> bool:
    """Return whether something is more than a plain scalar."""
    return type(tree) is dict or type(tree) is list


def kind_of(node: Tree) -> str:
    """Return what a node can be likened to: others of the same kind."""
    if type(node) is list:
        return "list"
    tag = tag_of(node)
    if type(node) is not dict or tag in _SCALAR_TAGS:
        return "scalar"
    if tag is None or tag == "$dict":
        return "group"
    if skeleton.is_object(node):
        return "object"
    if tag == "$parts" or (tag == "$array" and stands_for(node) in _ITEMS):
        return "array"
    return "blob" if tag == "$array" else str(tag)


# Scalars ----------------------------------------------------------------


def is_same(one: Tree, two: Tree) -> bool:
    """Return whether two nodes are surely the same scalar, to the bit."""
    kind = type(one)
    if kind is not type(two) or kind is list:
        return False
    if kind is dict:
        return tag_of(one) in _SCALAR_TAGS and json.dumps(one) == json.dumps(two)
    if kind is float and one == 0:
        return bool(two == 0 and math.copysign(1, one) == math.copysign(1, two))
    return bool(one == two)


def value_of(node: Tree) -> Any:
    """Return the value of a scalar."""
    return decode_inline(node) if type(node) is dict else node


# Arrays -----------------------------------------------------------------


def pieces(node: Tree) -> list[Tree]:
    """Return the ``$array`` nodes whose rows make an array."""
    return list(node["$parts"]) if "$parts" in node else [node]


def stands_for(node: Tree) -> str:
    """Return what an array stands for; ``"array"`` for itself."""
    return str(node.get("as", "array"))


def shape_of(parts: list[Tree]) -> list[int]:
    """Return the shape of the array that parts make."""
    first = parts[0]["shape"]
    if len(parts) == 1:
        return list(first)
    return [sum(part["shape"][0] for part in parts), *first[1:]]


def facts(node: Tree) -> bytes:
    """Return all that an ``$array`` node says but where its bytes lie."""
    return json.dumps({**node, "$array": 0})


def head(node: Tree) -> bytes:
    """Return what tells objects apart before their states are compared."""
    said = {key: value for key, value in node.items() if key not in _STATED}
    return json.dumps([said, sorted({"state", "class"} & node.keys())])


def scalars_of(node: Tree) -> dict[str, Any]:
    """Return the plain scalars in the state of an adapted object that has few."""
    state = node.get("state") if tag_of(node) == "$adapted" else None
    if type(state) is not dict or tag_of(state) is not None or len(state) > _FEW:
        return {}
    return {key: child for key, child in state.items() if not is_node(child)}


# Groups -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Items:
    """The children of a group, by what tells its keys apart."""

    children: Mapping[Any, Tree]
    token: Callable[[Any], str]


def items_of(
    before: Skeleton, after: Skeleton, one: Tree, two: Tree
) -> tuple[Items, Items]:
    """Return the children of two groups, by keys that can be compared."""
    if tag_of(one) is None and tag_of(two) is None:
        return Items(one, _token), Items(two, _token)
    return _spelt(before, one), _spelt(after, two)


def _token(written: str) -> str:
    return paths.key_token(skeleton.read_key(written))


def _spelt(source: Skeleton, node: Tree) -> Items:
    """Return the children by key and count: two NaNs are two keys."""
    if tag_of(node) is None:
        keys: list[Tree] = [skeleton.read_key(key) for key in node]
    else:
        keys = [key for key, _ in node["$dict"]]
    tokens, children, count = {}, {}, dict[bytes, int]()
    for key, (token, child) in zip(keys, skeleton.children(node), strict=True):
        sign = signature(source, key)
        spelt = sign, count.setdefault(sign, 0)
        count[sign] += 1
        tokens[spelt], children[spelt] = token, child
    return Items(children, tokens.__getitem__)


def in_order(mine: Items, theirs: Items) -> bool:
    """Return whether the keys that both have stand in one order."""
    ours = [key for key in mine.children if key in theirs.children]
    return ours == [key for key in theirs.children if key in mine.children]


def signature(source: Skeleton, node: Tree) -> bytes:
    """Return bytes that are equal where two nodes stand for one value."""
    found: list[bytes] = []
    todo: list[Any] = [node]
    while todo:
        node = todo.pop()
        if type(node) is bytes:
            found.append(node)
            continue
        node = source.unfold(node)
        if type(node) is list:
            found.append(b"[")
            todo += [b"]", *reversed(node)]
        elif type(node) is not dict:
            found.append(json.dumps(node) + b",")
        elif tag_of(node) == "$array":
            found.append(facts(node))
        else:
            found.append(b"{")
            todo.append(b"}")
            for key, child in reversed(node.items()):
                todo += [child, json.dumps(key) + b":"]
    return b"".join(found)


# Words ------------------------------------------------------------------


def path_of(trail: Any) -> str:
    """Return the path of a trail ``(((None, "a"), "b"), 3)``: ``a/b/[3]``."""
    tokens = []
    while trail is not None:
        trail, step = trail
        tokens.append(paths.item_token(step) if type(step) is int else step)
    return paths.join(reversed(tokens))


def text(node: Tree) -> str:
    """Return what a line says of a node, its kind included."""
    kind, said = outline.describe(node)
    own = scalars_of(node)
    if type(own.get("iso")) is str and node["$adapted"] in _TIMES:
        return outline.cut(own["iso"] + _zone(node["state"].get("tz")))
    if own:
        values = [str(child) for child in own.values()]
        if len(own) > 1:
            values = [f"{key} {child}" for key, child in own.items()]
        return outline.cut(f"{node['$adapted']} {', '.join(values)}")
    if kind == "group":
        return f"dict of {said}"
    if kind in ("list", "tuple") and outline.short_list(node) is None:
        return f"{kind} of {said}"
    return said


def with_zone(source: Skeleton, node: Tree) -> Tree:
    """Return a time with its zone in it, which may stand elsewhere, too."""
    state = node.get("state") if tag_of(node) == "$adapted" else None
    if type(state) is not dict or node["$adapted"] not in _TIMES or "tz" not in state:
        return node
    return {**node, "state": {**state, "tz": source.resolve(state["tz"])}}


def _zone(node: Tree) -> str:
    """Return the zone of a time as it stands behind it."""
    state = node.get("state") if type(node) is dict else None
    said = state if type(state) is dict else {}
    seconds, key = said.get("seconds"), said.get("key")
    if type(seconds) is int:
        minutes, rest = divmod(abs(seconds), 60)
        offset = f"{'-' if seconds < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"
        return f"{offset}:{rest:02}" if rest else offset
    if type(key) is str:
        return f" {key}"
    return "" if node is None else " in a zone"


def texts(one: Tree, two: Tree) -> tuple[str, str]:
    """Return what lines say of two nodes that differ, so that they do, too."""
    before, after = text(one), text(two)
    if before != after:
        return before, after
    if type(one) is str and type(two) is str:
        # Where they part is what somebody wants to see.
        parted = (i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b)
        start = max(next(parted, min(len(one), len(two))) - AROUND, 0)
        return f"…{text(one[start:])}", f"…{text(two[start:])}"
    return f"{before} {_mark(one)}", f"{after} {_mark(two)}"


def _mark(node: Tree) -> str:
    """Return a few digits that tell a node from another that is described alike."""
    known = digest.digest(json.dumps(node))
    if tag_of(node) == "$array":
        known = str(node["digest"])
    return f"({known.partition(':')[2][:8]})"
