"""``archivedb trust``: a colleague with a key of their own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import fresh

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from typer.testing import Result

    Run = Callable[..., Result]
    Shell = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def colleague(shell: Shell, tmp_path: Path) -> Callable[..., str]:
    """Return what runs a command as somebody with another key."""

    def call(*arguments: str, who: str = "ann", stdin: str = "") -> str:
        key = str(tmp_path / who / "key")
        done = shell(*arguments, stdin=stdin, ARCHIVEDB_KEY=key)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


SAVE = "Archive('r.db').save({'s': http.HTTPStatus.OK}, sys.argv[1])"
PLAIN = "archivedb.save({'s': http.HTTPStatus.OK}, 'plain', 'cloudpickle')"


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., None]:
    """Return what runs a line of Python as somebody with another key."""

    def call(line: str, *arguments: str, who: str = "ann") -> None:
        script = f"import http, sys, archivedb; from archivedb import Archive; {line}"
        environment = os.environ | {"ARCHIVEDB_KEY": str(tmp_path / who / "key")}
        done = fresh.run("-c", script, *arguments, environment=environment)
        assert done.returncode == 0, done.stderr

    return call


@pytest.fixture
def strange(python: Callable[..., None]) -> str:
    """Return the address of an archive in which a colleague has saved an enum."""
    python(SAVE, "x")
    return "r.db"


@pytest.fixture
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command believe that a person can answer."""
    from typer.testing import _NamedTextIOWrapper

    monkeypatch.setattr(_NamedTextIOWrapper, "isatty", lambda _: True)


def test_exchanging_keys(
    run: Run, colleague: Callable[..., str], strange: str, tmp_path: Path
) -> None:
    """A colleague exports a key; whoever adds it can load what they saved."""
    refused = run("load", "x", "--db", strange, code=1)
    for way in ("trust add colleague.pub", "trust PATH", "trust=True", '"stub"'):
        assert way in refused.stderr
    printed = colleague("trust", "export")
    assert colleague("trust", "export", "ann.pub") == ""
    assert Path("ann.pub").read_text() == printed
    key, owner = printed.split()
    assert len(bytes.fromhex(key)) == 32
    assert "@" in owner

    assert key[:16] in run("trust", "add", "ann.pub").stdout
    assert "as before" in run("trust", "add", "ann.pub").stdout
    assert json.loads(run("load", "x", "--db", strange).stdout) == {"s": 200}
    assert f"trusted key\t{key}\t{owner}\n" in run("trust").stdout
    listed = json.loads(run("trust", "list", "--json").stdout)
    assert listed["own"] is None
    assert [each["key"] for each in listed["keys"]] == [key]
    assert not (tmp_path / "keys" / "signing.key").exists()

    run("trust", "remove", key[:8])
    run("load", "x", "--db", strange, code=1)
    run("trust", "add", "ann.pub")
    run("trust", "remove", "ann.pub")
    run("load", "x", "--db", strange, code=1)
    assert run("trust").stdout == ""
    assert "was not trusted" in run("trust", "remove", key, code=1).stderr


def test_accepting_an_archive(
    run: Run,
    colleague: Callable[..., str],
    python: Callable[..., None],
    strange: str,
) -> None:
    """An archive is accepted with what is in it, and nothing that comes later."""
    key = colleague("trust", "export").split()[0]
    shown = run("trust", strange, code=1)
    assert shown.stdout == ""
    assert f"1 version signed by the key {key[:16]}: http:HTTPStatus" in shown.stderr
    assert "--yes" in shown.stderr
    run("load", "x", "--db", strange, code=1)

    assert run("trust", strange, "--yes").stdout.startswith("accepted ")
    assert json.loads(run("load", "x", "--db", strange).stdout) == {"s": 200}
    row = run("trust").stdout.split("\t")
    assert row[0] == "archive"
    assert row[2] == f"{Path(strange).resolve()}\n"
    (listed,) = json.loads(run("trust", "--json").stdout)["archives"]
    assert listed["archive"] == row[1]
    assert listed["keys"] == [key]

    python(SAVE, "y", who="eve")
    run("load", "y", "--db", strange, code=1)
    run("trust", "remove", strange)
    run("load", "x", "--db", strange, code=1)


def test_ways_to_take_it_back(run: Run, strange: str) -> None:
    """An archive is revoked by path, by uuid, by a key, or by where it lay."""
    accept = ("trust", strange, "-y", "--json")
    uuid = json.loads(run(*accept).stdout)["archive"]
    removed = json.loads(run("trust", "remove", uuid, "--json").stdout)
    assert removed == [{"archive": uuid}]
    assert run("trust").stdout == ""
    key = json.loads(run(*accept).stdout)["signers"][0]["key"]
    run("trust", "remove", key[:16])
    assert run("trust").stdout == ""
    run(*accept)
    Path(strange).unlink()
    os.rename("r.payloads", "moved")  # noqa: PTH104 - in the working directory
    run("trust", "remove", strange)
    assert run("trust").stdout == ""
    run("trust", "remove", strange, code=1)


@pytest.mark.usefixtures("_terminal")
def test_a_person_is_asked(run: Run, strange: str) -> None:
    """On a terminal it asks, and only a yes accepts."""
    for answer in ("n\n", "\n", ""):
        run("trust", strange, code=1, stdin=answer)
        run("load", "x", "--db", strange, code=1)
    result = run("trust", strange, stdin="y\n")
    assert "let its code run?" in result.stderr
    run("load", "x", "--db", strange)
    assert "archive" in run("trust").stdout


def test_db_and_words_that_are_paths(run: Run, strange: str) -> None:
    """``accept`` is for --db, and for a path that is called like a word."""
    Path(strange).rename("list")
    os.rename("r.payloads", "list.payloads")  # noqa: PTH104 - as above
    run("trust", "accept", "list", "-y")
    run("trust", "remove", "list")
    run("trust", "accept", "-y", "--db", "list")
    assert run("trust", "list").stdout.startswith("archive\t")


def test_a_plain_directory(run: Run, shell: Shell, python: Callable[..., None]) -> None:
    """A directory of `archivedb.save` is accepted, too, and not written to."""
    python(PLAIN)
    look = "import archivedb; print(archivedb.load('plain')['s'].name)"
    refused = fresh.run("-c", look)
    assert "UntrustedPayloadError" in refused.stderr
    run("trust", "plain", "-y")
    assert len(list(Path("plain").iterdir())) == 1
    assert fresh.run("-c", look).stdout == "OK\n"
    run("trust", "remove", "plain")
    assert shell("trust").stdout == ""


def test_plain_values_need_no_trust(
    run: Run, colleague: Callable[..., str], archive: str
) -> None:
    """An archive that runs nothing is not accepted: there is nothing to accept."""
    # Its pickle of the whole is signed, but there for other readers only.
    colleague("save", "-", "z", "--mode", "cloudpickle", "--db", archive, stdin="{}")
    assert run("load", "z", "--db", archive).stdout == "{}\n"
    assert "nothing in" in run("trust", archive).stderr
    assert run("trust").stdout == ""


def test_ones_own_key(run: Run) -> None:
    """The own key is shown, exported without harm, and never distrusted."""
    key = run("trust", "export", "me.pub", "--json").stdout
    key = json.loads(key)["key"]
    assert run("trust").stdout.startswith(f"own key\t{key}\t")
    assert "is there already" in run("trust", "export", "me.pub", code=1).stderr
    assert "your own" in run("trust", "add", "me.pub", code=1).stderr
    assert "your own" in run("trust", "remove", key, code=1).stderr


@pytest.mark.usefixtures("_terminal")
def test_people_get_a_table(run: Run, strange: str) -> None:
    """On a terminal keys are shown by their first digits."""
    key = json.loads(run("trust", "export", "--json").stdout)["key"]
    run("trust", strange, "-y")
    text = run("trust").stdout
    assert key[:16] in text
    assert key not in text


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("add",), 2),
        (("remove",), 2),
        (("list", "x"), 2),
        (("export", "a", "b"), 2),
        (("a.db", "b.db"), 2),
        (("add", "none.pub"), 1),
        (("add", "."), 1),
        (("add", "loop"), 1),
        (("add", "/dev/zero"), 1),
        (("remove", "loop"), 1),
        (("remove", "12345678"), 1),
        (("remove", "1234"), 1),
        (("export", "no/such/folder.pub"), 1),
        (("none.db",), 3),
        (("loop",), 1),
        ((".",), 3),
        (("",), 3),
        (("accept",), 3),
    ],
)
def test_what_is_wrong_is_a_sentence(
    run: Run, arguments: tuple[str, ...], code: int
) -> None:
    """Whatever is wrong is said on stderr, and nothing is trusted or made."""
    Path("loop").symlink_to("loop")
    result = run("trust", *arguments, code=code)
    assert result.stdout == ""
    assert "bug" not in result.stderr
    assert run("trust").stdout.count("trusted") == 0
    assert [path.name for path in Path().iterdir()] == ["loop"]


def test_a_digit_too_few(run: Run, tmp_path: Path) -> None:
    """Digits that fit several keys remove none of them."""
    trusted = tmp_path / "keys" / "trusted"
    trusted.mkdir(parents=True)
    for name, end in (("a", "a"), ("b", "b")):
        (trusted / f"{name}.pub").write_text("0" * 63 + end)
    assert "say more digits" in run("trust", "remove", "0" * 8, code=1).stderr
    assert run("trust").stdout.count("\n") == 2
    run("trust", "remove", "0" * 63 + "a")
    assert run("trust").stdout.count("\n") == 1


def test_a_damaged_key_is_named(run: Run, tmp_path: Path) -> None:
    """What cannot be believed is named, after everything that can."""
    trusted = tmp_path / "keys" / "trusted"
    trusted.mkdir(parents=True)
    (trusted / "good.pub").write_text("0" * 64 + " \x1b[2Jann")
    (trusted / "bad.pub").write_text("nothing")
    for arguments in ((), ("list", "--json")):
        result = run("trust", *arguments, code=1)
        assert "0" * 64 in result.stdout
        assert "\x1b" not in result.stdout
        assert "bad.pub" in result.stderr


def test_a_private_key_that_others_can_read(run: Run, tmp_path: Path) -> None:
    """A private key that is not private is said to be, with what to run."""
    run("trust", "export")
    key = tmp_path / "other" / "key"
    key.parent.mkdir()
    key.write_bytes((tmp_path / "keys" / "signing.key").read_bytes())
    key.chmod(0o644)
    for words in ([], ["export"]):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ARCHIVEDB_KEY", str(key))
            assert "chmod 600" in run("trust", *words, code=1).stderr
