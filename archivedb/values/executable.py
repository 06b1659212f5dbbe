"""What in a skeleton would run code when it is restored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archivedb.values.skeleton import tag_of

if TYPE_CHECKING:
    from archivedb.values.skeleton import Skeleton, Tree


def class_names(source: Skeleton) -> list[str]:
    """Return ``module:QualName`` of every class that would be imported, sorted."""
    found: set[str] = set()
    todo: list[Tree] = [source.root, source.nodes]
    while todo:
        node = todo.pop()
        if type(node) is list:
            todo += node
        elif type(node) is dict:
            tag = tag_of(node)
            if tag == "$object":
                found.add(str(node[tag]))
            elif tag == "$array" and node.get("as") == "pickle":
                found.add(str(node.get("class")))
            todo += node.values()
    return sorted(found)
