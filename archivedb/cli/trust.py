"""``archivedb trust``."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archivedb.cli import _options as options
from archivedb.cli import _output as output
from archivedb.errors import ArchiveError

if TYPE_CHECKING:
    from archivedb.values.trusting import Accepted, PublicKey


def trust(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH | list | add | export | remove | accept] …",
            help="An archive to accept, or one of these words; list if left out.",
        ),
    ] = None,
    *,
    db: options.Db = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: options.Json = False,
) -> None:
    """
    Say whose objects may be restored: restoring one runs its maker's code.

    PATH accepts what lies in the archive at PATH now: the keys that signed it
    are trusted in that archive only.  It shows what is inside, and asks.

    add FILE trusts a colleague's key everywhere; export [FILE] makes the file
    that you give to colleagues; remove KEY, or remove PATH, takes it back;
    list shows them all; accept [PATH] is for a PATH called like one of these
    words, and without it means --db.

    Examples:
        archivedb trust export me.pub
        archivedb trust add colleague.pub
        archivedb trust colleagues/runs.db
        archivedb trust remove 3f2a91c07d5be846
    """
    word, *rest = words or ["list"]
    if word not in _WORDS:
        word, rest = "accept", [word, *rest]
    limit, run = _WORDS[word]
    if len(rest) > limit:
        raise typer.BadParameter(f"{word} takes no {rest[limit]!r}")
    run(rest, _Options(db, yes=yes, json=json))


class _Options:
    """The options of a command."""

    def __init__(self, db: str | None, *, yes: bool, json: bool) -> None:
        self.db, self.yes, self.json = db, yes, json


def _list(_: list[str], said: _Options) -> None:
    from archivedb.values import signing

    own = signing.own_key()
    keys, damaged = signing.others().keys()
    archives, more = signing.others().archives()
    if said.json:
        output.print_json(
            {
                "own": own,
                "keys": output.document(keys),
                "archives": [_summary(each) for each in archives],
                "damaged": [str(each) for each in damaged + more],
            }
        )
    else:
        _print(own, keys, archives)
    if damaged or more:
        raise ArchiveError("; ".join(map(str, damaged + more)))


def _summary(accepted: Accepted) -> dict[str, object]:
    return {
        "archive": accepted.archive,
        "address": accepted.address,
        "accepted_at": accepted.accepted_at,
        "keys": sorted(accepted.keys),
        "contents": len(accepted.contents),
    }


def _print(own: str | None, keys: list[PublicKey], archives: list[Accepted]) -> None:
    from archivedb.values.trusting import fingerprint

    people = output.on_terminal()

    def shown(key: str) -> str:
        return fingerprint(key) if people else key

    rows = [] if own is None else [("own key", shown(own), _owner())]
    rows += [("trusted key", shown(each.key), each.comment) for each in keys]
    rows += [("archive", each.archive, each.address) for each in archives]
    if people:
        output.table(("trusted", "which", "whose, or where"), rows)
        if own is None:
            output.note("the first save of an object makes your own key")
    else:
        output.columns(rows)


def _add(rest: list[str], said: _Options) -> None:
    from archivedb.values import signing, trusting

    if not rest:
        raise typer.BadParameter("add needs a file: archivedb trust add colleague.pub")
    for path in rest:
        public = trusting.read_public_key(path)
        if public.key == signing.own_key():
            raise ArchiveError(f"{path} is your own key, which you trust already")
        new = signing.others().add(public)
        if said.json:
            output.print_json(output.document(public) | {"new": new})
        else:
            known = "" if new else ", as before"
            name = f" of {public.comment}" if public.comment else ""
            number = trusting.fingerprint(public.key)
            output.line(f"the key {number}{name} is trusted{known}")


def _export(rest: list[str], said: _Options) -> None:
    from archivedb.values import signing
    from archivedb.values.trusting import PublicKey

    public = PublicKey(signing.public_key(), _owner())
    if rest:
        try:
            with Path(rest[0]).open("x", encoding="utf-8") as file:
                file.write(public.line())
        except FileExistsError:
            raise ArchiveError(f"{rest[0]} is there already; name another") from None
    if said.json:
        output.print_json({"key": public.key, "comment": public.comment})
    elif rest:
        output.note(f"wrote {rest[0]}: give it to those who shall load your objects")
    else:
        output.line(public.line().rstrip("\n"))


def _owner() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # no such user in this container
        user = str(os.getuid())
    owner = f"{user}@{socket.gethostname()}"
    return owner.encode("utf-8", "backslashreplace").decode()


def _accept(rest: list[str], said: _Options) -> None:
    from archivedb.cli._accept import accept

    accept(rest[0] if rest else said.db, yes=said.yes, json=said.json)


def _remove(rest: list[str], said: _Options) -> None:
    from archivedb.cli._accept import remove

    if not rest:
        raise typer.BadParameter("remove needs a key, or the path of an archive")
    for each in rest:
        remove(each, json=said.json)


_WORDS: dict[str, tuple[int, Callable[[list[str], _Options], None]]] = {
    "list": (0, _list),
    "add": (1000, _add),
    "export": (1, _export),
    "remove": (1000, _remove),
    "accept": (1, _accept),
}
"""What each first word does, and how many others may follow it."""
