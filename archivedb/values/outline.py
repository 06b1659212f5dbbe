"""A skeleton as lines for people: groups, dtypes, shapes, small values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archivedb.records import Node, counted, readable_size
from archivedb.values import dtypes, skeleton
from archivedb.values.decode import decode_inline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archivedb.values.skeleton import Skeleton, Tree

WIDTH = 60
"""Characters of a value that a line shows."""

_KINDS = {None: "list", "$tuple": "tuple", "$objects": "array"}


def outline(source: Skeleton, node: Tree, path: str = "") -> Iterator[Node]:
    """
    Yield a line for everything below a node, depth first.

    Nothing is restored and no array is read, so a stranger's record is as safe
    to look at as one's own.
    """
    with skeleton.well_formed("skeleton"):
        yield from _outline(source, node, path)


def _outline(source: Skeleton, node: Tree, path: str) -> Iterator[Node]:
    stack = [(0, path, token, child) for token, child in _below(source, node)][::-1]
    while stack:
        depth, above, token, child = stack.pop()
        here = f"{above}/{token}" if above else token
        child = source.unfold(child)
        kind, text = describe(child)
        yield Node(depth, token, here, kind, text)
        if skeleton.is_container(child) and short_list(child) is None:
            below = [(depth + 1, here, t, c) for t, c in skeleton.children(child)]
            stack.extend(reversed(below))


def describe(node: Tree) -> tuple[str, str]:
    """Return the kind of a node, and what a line says of it."""
    tag = skeleton.tag_of(node)
    if skeleton.is_object(node):
        return "object", _object(node)
    if skeleton.is_group(node):
        return "group", counted(len(node if tag is None else node["$dict"]), "key")
    if skeleton.is_container(node):
        if tag == "$objects":
            return "array", f"object {_shape(node['shape'])}"
        short = short_list(node)
        if short is not None:
            return _KINDS[tag], short
        return _KINDS[tag], counted(len(node if tag is None else node[tag]), "item")
    if tag == "$array":
        return _array(node)
    if tag == "$parts":
        return "array", _joined(node[tag])
    if tag == skeleton.PATH_TAG:
        # A path is there to be pasted, so it is cut only where nobody would.
        return "value", cut(f"the same object as {node[tag] or 'the whole'}", 1000)
    # Python refuses to write an int of over 4,300 digits in decimal.
    text = node[tag] if tag == "$int" else _repr(decode_inline(node))
    return "value", cut(text)


def cut(text: str, width: int = WIDTH) -> str:
    """Return a text, cut if it is long."""
    return text if len(text) <= width else text[: width - 1] + "…"


def _object(node: Tree) -> str:
    """Return the class of an object, the route it took, and its value if small."""
    if skeleton.tag_of(node) == "$object":
        state = node.get("state")
        member = state.get("name") if node["by"] == "enum" else None
        called = f"{node['$object']}.{member}" if member else node["$object"]
        return f"{cut(called, 1000)} ({node['by']})"
    kind, state = node["$adapted"], node["state"]
    small = "" if state is None or type(state) in (dict, list) else f" {state!r}"
    short = "" if type(state) is not list else short_list(state) or ""
    text = f"{kind}{small or (short and ' ' + short)}"
    return f"{cut(text)} (adapter)" if "." in kind else cut(text)


def _joined(parts: list[Tree]) -> str:
    first = parts[0]
    rows = sum(part["shape"][0] for part in parts)
    size = readable_size(sum(map(_nbytes, parts)))
    shape = _shape([rows, *first["shape"][1:]])
    dtype = dtypes.tree_dtype(first["dtype"])
    return f"{dtype} {shape} {size} in {counted(len(parts), 'part')}"


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - numpy's own fails for some structures
        return f"a {type(value).__name__}"


def short_list(node: Tree) -> str | None:
    """Return a list or tuple of a few plain scalars as Python writes it, or None."""
    tag = skeleton.tag_of(node)
    if skeleton.is_group(node) or tag in {"$objects", "$object"}:
        return None
    if tag == "$adapted":
        return short_list(node["state"]) if type(node["state"]) is list else None
    items = node if tag is None else node[tag]
    if len(items) > WIDTH // 2 or any(type(item) in (dict, list) for item in items):
        return None
    text = repr(items if tag is None else tuple(items))
    return text if len(text) <= WIDTH else None


def _array(node: Tree) -> tuple[str, str]:
    kind = node.get("as", "array")
    size = readable_size(_nbytes(node))
    if kind == "pickle":
        return "object", f"{node['class']} ({size}, cloudpickle)"
    if kind == "str":
        return "value", f"text of {size}"
    if kind == "bytes":
        return "value", f"bytes of {size}"
    dtype = dtypes.tree_dtype(node["dtype"])
    of = "list of " if kind == "list" else ""
    return "array", f"{of}{dtype} {_shape(node['shape'])} {size}"


def _nbytes(node: Tree) -> int:
    count = dtypes.tree_dtype(node["dtype"]).itemsize
    for length in node["shape"]:
        count *= length
    return int(count)


def _shape(shape: list[int]) -> str:
    return "\N{MULTIPLICATION SIGN}".join(map(str, shape)) if shape else "scalar"


def _below(source: Skeleton, node: Tree) -> Iterator[tuple[str, Any]]:
    node = source.resolve(node)
    if skeleton.is_container(node):
        return skeleton.children(node)
    return iter([("value", node)])
