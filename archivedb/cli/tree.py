"""``archivedb tree``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.cli._names import split
from archivedb.cli._where import reading
from archivedb.errors import KeyNotFoundError
from archivedb.records import Node

if TYPE_CHECKING:
    from archivedb import Archive


def tree(
    name: options.Place = "",
    *,
    db: options.Db = None,
    version: options.Version = None,
    depth: Annotated[
        int | None,
        typer.Option("--depth", "-L", min=1, metavar="N", help="No deeper than this."),
    ] = None,
    json: options.Json = False,
) -> None:
    """
    Show what is inside a record, or the folders and records of an archive.

    Of a record it shows groups, the dtypes and shapes of arrays, and small
    values, without reading any array.

    Examples:
        archivedb tree al/fcc/run-1
        archivedb tree --depth 1
    """
    name = options.folder_of(name)
    with reading(db) as archive:
        found = split(archive, name)
        if found is not None:
            nodes = _outline(archive, *found, version)
        else:
            if name:
                archive.listing(name)  # an error if there is no such folder
            nodes = _folders(archive.names(name), name)
        nodes = [node for node in nodes if depth is None or node.depth < depth]
    if json:
        output.print_json(output.document(nodes))
    elif output.on_terminal():
        _print_tree(name or archive.address, nodes)
    else:
        output.lines(f"{'  ' * node.depth}{_line(node)}" for node in nodes)


def _outline(
    archive: Archive, name: str, inside: str, version: int | None
) -> Iterable[Node]:
    """Return the lines of a record, or of the part at a path inside it."""
    nodes = archive.outline(name, version=version)
    if not inside:
        return nodes
    here = [node for node in nodes if node.path == inside]
    if not here:
        raise KeyNotFoundError(
            f"there is no {inside!r} in {name!r}; see `archivedb tree {name}`"
        )
    below = [node for node in nodes if node.path.startswith(f"{inside}/")]
    up = here[0].depth + 1 if below else here[0].depth
    return [replace(node, depth=node.depth - up) for node in below or here]


def _folders(names: Iterable[str], above: str) -> Iterator[Node]:
    """Yield the folders and records of an archive as the lines of a tree."""
    skip = above.count("/") + 1 if above else 0
    shown: list[str] = []
    for name in sorted(names, key=lambda name: name.split("/")):
        *folders, last = name.split("/")[skip:]
        same = 0
        while same < min(len(folders), len(shown)) and folders[same] == shown[same]:
            same += 1
        for depth in range(same, len(folders)):
            path = "/".join(name.split("/")[: skip + depth + 1])
            yield Node(depth, folders[depth], path, "folder", "")
        shown = folders
        yield Node(len(folders), last, name, "record", "")


def _line(node: Node) -> str:
    slash = "/" if node.kind in ("folder", "group") else ""
    return f"{node.label}{slash}  {node.text}".rstrip()


def _print_tree(title: str, nodes: Iterable[Node]) -> None:
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    root = Tree(Text(output.printable(title)))
    branches = [root]
    for node in nodes:
        del branches[node.depth + 1 :]
        style = "bold" if node.kind in ("folder", "group") else ""
        branches.append(
            branches[-1].add(Text(output.printable(_line(node)), style=style))
        )
    Console().print(root)
