"""
A skeleton as the graph that it stands for: a reference leads to the very node.

What was looked into for an edit has its content beside its node, so that the
skeleton stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from archivedb.values import paths, skeleton
from archivedb.values.scalars import text_tree
from archivedb.values.skeleton import Skeleton, Tree, tag_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from archivedb.values.encode import Encoded


@dataclass(frozen=True, slots=True)
class Source:
    """A skeleton that nodes come from, and its arrays."""

    skeleton: Skeleton
    arrays: Sequence[Any]


Handle: TypeAlias = tuple[Source, Tree]
"""A node, and the skeleton that its numbers and references belong to."""

Group: TypeAlias = dict[str, tuple[Any, Handle]]
"""The content of a dict: by token, key and child.  A key is as it is encoded,
but one that is an object in its own right is the handle of its node."""

Content: TypeAlias = Group | list[Handle] | tuple[Handle, ...]
"""What is in a dict; in a list, or an array of parts; in what never changes."""


def handle_of(value: Encoded, steps: tuple[str, ...]) -> Handle:
    """Return the root of a value whose references begin with these steps."""
    made = Skeleton(value.skeleton)
    handle = Source(made, value.arrays), made.root
    # So that its own references lead into it, wherever they are resolved.
    for token in reversed(steps):
        made.root = {skeleton.written_key(paths.token_key(token)): made.root}
    return handle


def resolved(handle: Handle) -> Handle:
    """Return what a node stands for, if it is a reference or in the node table."""
    source, node = handle
    return source, source.skeleton.resolve(node)


def contained(source: Source, node: Tree) -> Content | None:
    """Return what is in a container; None if it is a leaf or an object."""
    tag = tag_of(node)
    if tag in ("$tuple", "$objects"):
        return tuple((source, child) for child in node[tag])
    if type(node) is list:
        return [(source, child) for child in node]
    return children_of(source, node) if skeleton.is_group(node) else None


def children_of(source: Source, node: Tree) -> Group:
    """Return the content of a dict."""
    if tag_of(node) is None:
        return {
            token: (skeleton.read_key(written), (source, child))
            for written, (token, child) in zip(
                node, skeleton.children(node), strict=True
            )
        }
    return group_of(
        (
            (source, key[skeleton.KEY_TAG]) if skeleton.is_object_key(key) else key,
            (source, child),
        )
        for key, child in node["$dict"]
    )


def group_of(pairs: Iterable[tuple[Any, Handle]]) -> Group:
    """Return the content of a dict with these pairs: each gets its token."""
    listed = list(pairs)
    keys = [[pair_key(key), None] for key, _ in listed]
    tokens = (token for token, _ in skeleton.children({"$dict": keys}))
    return dict(zip(tokens, listed, strict=True))


def pair_key(key: Any) -> Tree:
    """Return a key as the skeleton has it in a pair, without the node of an object."""
    return {skeleton.KEY_TAG: None} if type(key) is tuple else key


def locate(content: Content, token: str) -> Any:
    """Return the key or index in a content that a token means, or None."""
    if isinstance(content, dict):
        if token in content:
            return token
        token = paths.key_token(paths.token_key(token))
        return token if token in content else None
    index = paths.token_item(token)
    return index if index is not None and index < len(content) else None


def child_at(content: Content, key: Any) -> Handle:
    """Return what stands at a key or index that `locate` has found."""
    return content[key][1] if isinstance(content, dict) else content[key]


def new_token(step: str) -> str:
    """Return the token of the text key that a step makes, however it is spelt."""
    return paths.key_token(paths.token_key(step))


def put(content: Group, token: str, child: Handle) -> None:
    """Set a key that is there, or add a text key."""
    if token in content:
        content[token] = content[token][0], child
        return
    key = paths.token_key(token)
    content[paths.key_token(key)] = text_tree(key), child
