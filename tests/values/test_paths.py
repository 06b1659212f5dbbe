"""Every key has exactly one spelling, and what is printed pastes back."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archivedb.errors import InvalidNameError, KeyNotFoundError, NotAGroupError
from archivedb.values import paths
from archivedb.values.decode import decode_inline
from archivedb.values.encode import encode, encode_inline
from archivedb.values.skeleton import Skeleton, children, is_container, key_step
from tests.support import strategies
from tests.support.exact import difference
from tests.support.strategies import ODD_KEYS, Shown

UNSAFE = re.compile("[/\0-\x1f\x7f\ud800-\udfff]")


@given(st.text(strategies.characters) | st.sampled_from(ODD_KEYS))
def test_a_token_is_its_key(key: str) -> None:
    """A key's token is safe in a path, an HDF5 link and UTF-8, and spells the key."""
    token = paths.key_token(key)
    assert paths.token_key(token) == key
    assert token not in {"", ".", "..", ".archivedb"}
    assert not UNSAFE.search(token)
    assert token[0] not in "[$"
    assert paths.token_item(token) is None


@given(
    st.text(strategies.characters) | st.sampled_from(ODD_KEYS),
    st.text(strategies.characters) | st.sampled_from(ODD_KEYS),
)
def test_two_keys_have_two_tokens(one: str, two: str) -> None:
    """No two keys share a token."""
    assert (paths.key_token(one) == paths.key_token(two)) == (one == two)


@pytest.mark.parametrize(
    ("key", "token"),
    [
        ("plain", "plain"),
        ("", "%"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("...", "..."),
        (".archivedb", "%2Earchivedb"),
        ("a/b", "a%2Fb"),
        ("50%", "50%25"),
        ("[0]", "%5B0]"),
        ("a[0]", "a[0]"),
        ("$x", "%24x"),
        ("x$", "x$"),
        ("\0", "%00"),
        ("\ud800", "%ED%A0%80"),
        ("Å µ", "Å µ"),
    ],
)
def test_spellings_are_frozen(key: str, token: str) -> None:
    """These spellings lie in payloads and catalogs; they never change."""
    assert paths.key_token(key) == token
    assert paths.token_key(token) == key


@pytest.mark.parametrize(
    ("typed", "key"), [("50%", "50%"), ("%zz", "%zz"), ("%ff", "%ff"), ("%41", "A")]
)
def test_people_may_type_percents(typed: str, key: str) -> None:
    """A percent sign that begins no escape stands for itself."""
    assert paths.token_key(typed) == key


@pytest.mark.parametrize(("token", "index"), [("[0]", 0), ("[12]", 12), ("[-1]", None)])
def test_items(token: str, index: int | None) -> None:
    """A list's item is its index in brackets."""
    assert paths.token_item(token) == index


def test_items_beyond_all_lists() -> None:
    """An index of 5,000 digits is nowhere, and no error of int's."""
    with pytest.raises(KeyNotFoundError):
        Skeleton(b"[1]").at(paths.parts("[" + "9" * 5000 + "]"))


def test_parts() -> None:
    """Text is split at slashes; a tuple's text keys are spelt out."""
    assert paths.parts("") == ()
    assert paths.parts("a/b/[3]") == ("a", "b", "[3]")
    assert paths.parts(("a/b", 3, None, "")) == ("a%2Fb", 3, None, "%")
    assert paths.join(["a", "[0]"]) == "a/[0]"


@pytest.mark.parametrize(
    "name", ["a", "al/fcc/run-1", "é/ü x", "...", "a.b", "%", "$", "x" * 1024, "😀"]
)
def test_good_names(name: str) -> None:
    """Names are any UTF-8 text of non-empty parts."""
    assert paths.check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            "./a",
            "a/.",
            "a\0",
            "a\nb",
        ),
        *("\x7f", "\x85", "\ud800", "x" * 1025, "é" * 513, 5, None, b"a", ("a", "b")),
    ],
    ids=ascii,
)
def test_bad_names(name: Any) -> None:
    """A name that could leave the store, or cannot be stored, is refused."""
    with pytest.raises(InvalidNameError):
        paths.check_name(name)


@given(st.text(strategies.characters))
def test_any_name(name: str) -> None:
    """Any text is a name or refused, and all its folders are names again."""
    try:
        paths.check_name(name)
    except InvalidNameError:
        return
    for folder in paths.prefixes(name):
        assert paths.check_name(folder) == folder
        assert name.startswith(f"{folder}/")


def test_prefixes() -> None:
    """The folders above a name, nearest the root first."""
    assert paths.prefixes("a") == []
    assert paths.prefixes("a/b/c") == ["a", "a/b"]


def _walk(source: Skeleton) -> list[str]:
    found, todo = [], [("", source.root)]
    while todo:
        path, node = todo.pop()
        node = source.unfold(node)
        if path:
            found.append(path)
        if is_container(node):
            todo += [
                (f"{path}/{token}" if path else token, child)
                for token, child in children(node)
            ]
    return found


@given(strategies.shown(strategies.trees))
def test_every_printed_path_pastes_back(shown: Shown) -> None:
    """Paths are unique, and each leads where it was found."""
    source = Skeleton(encode(shown.value).skeleton)
    found = _walk(source)
    assert len(set(found)) == len(found)
    for path in found:
        source.at(paths.parts(path))


@given(st.dictionaries(strategies.keys, st.integers(0, 9), max_size=5))
def test_keys_lead_to_their_values(value: dict[Any, int]) -> None:
    """A tuple of keys and the text of its path find what the dict has there."""
    source = Skeleton(encode_tree({"top": value}))
    below = list(children(source.at(("top",))))
    assert [child for _, child in below] == list(value.values())
    for (token, _), (key, item) in zip(below, value.items(), strict=True):
        assert source.at(paths.parts(f"top/{token}")) == item
        if key == key and "nan" not in repr(key):  # noqa: PLR0124 - NaN
            assert key_step(paths.parts((key,))[0]) == token
            assert source.at(paths.parts(("top", key))) == item


def encode_tree(value: Any) -> bytes:
    """Return a value's skeleton."""
    return encode(value).skeleton


STEPS: Any = {
    "steps": [{"a/b": 1}, (2, 3)],
    "": {".": 4},
    "$x": {"$array": 5},
    "odd": {1: "int", "1": "text", None: "none", (1, "a"): "pair"},
    "objects": np.array([None, 7], object),
}


@pytest.mark.parametrize(
    ("steps", "text", "expected"),
    [
        (("steps", 0, "a/b"), "steps/[0]/a%2Fb", 1),
        (("steps", 1, 1), "steps/[1]/[1]", 3),
        (("steps", -1, -1), "steps/[1]/[1]", 3),
        (("", "."), "%/%2E", 4),
        (("$x", "$array"), "%24x/%24array", 5),
        (("odd", "1"), "odd/1", "text"),
        (("odd", None), "odd/$null", "none"),
        (("odd", (1, "a")), 'odd/${"$tuple":[1,"a"]}', "pair"),
        (("objects", 1), "objects/[1]", 7),
    ],
)
def test_both_forms_of_a_path(steps: tuple[Any, ...], text: str, expected: Any) -> None:
    """A tuple of keys and a text path are two spellings of one place."""
    source = Skeleton(encode(STEPS).skeleton)
    for path in (steps, text):
        node = source.resolve(source.at(paths.parts(path)))
        assert difference(expected, decode_inline(node)) is None


@pytest.mark.parametrize(
    "path",
    ["nowhere", "steps/[2]", "steps/0", ("steps", "0"), ("odd", 2), "steps/[-3]"],
)
def test_nothing_is_there(path: Any) -> None:
    """A path that leads nowhere says which key is missing."""
    source = Skeleton(encode(STEPS).skeleton)
    with pytest.raises(KeyNotFoundError, match="there is no key"):
        source.at(paths.parts(path))


def test_nothing_is_below_a_leaf() -> None:
    """A path that goes on below a leaf says so."""
    source = Skeleton(encode(STEPS).skeleton)
    with pytest.raises(NotAGroupError, match=r"steps/\[0\]/a%2Fb"):
        source.at(paths.parts("steps/[0]/a%2Fb/c"))


@given(strategies.python_leaves)
def test_scalars_stand_alone(value: Any) -> None:
    """Metadata comes back exactly, whatever scalar it is."""
    tree = encode_inline({"x": [value]}, "metadata")
    assert difference([value], decode_inline(tree)["x"]) is None
