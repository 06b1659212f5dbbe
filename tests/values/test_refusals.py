"""What cannot be stored exactly is refused, and the message says where it is."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from archivedb.errors import ArchiveError, EncodeError
from archivedb.values.encode import encode, encode_inline

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("kind", ["generator", "text file", "file", "lock", "socket"])
def test_the_path_is_named(kind: str, tmp_path: Path) -> None:
    """Whatever lives only in this process is refused with the path to it."""
    place = tmp_path / "log"
    place.touch()
    with place.open() as text, place.open("rb") as raw, socket.socket() as door:
        value = {
            "generator": (x for x in "ab"),
            "text file": text,
            "file": raw,
            "lock": threading.Lock(),
            "socket": door,
        }[kind]
        with pytest.raises(EncodeError, match=r"^outputs/log/\[3\]: "):
            encode({"inputs": 1, "outputs": {"log": [0, 1, 2, value]}})


@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (lambda bad: bad, "the value itself"),
        (lambda bad: {"a/b": (bad,)}, "a%2Fb/[0]"),
        (lambda bad: {1: {None: bad}}, "$1/$null"),
        (lambda bad: {"": {".": bad}}, "%/%2E"),
        (lambda bad: {"x": _objects(bad)}, "x/[1]"),
    ],
)
def test_any_path_is_named(wrap: Any, path: str) -> None:
    """The path in the message is spelt as paths are."""
    with pytest.raises(EncodeError) as caught:
        encode(wrap(threading.Lock()))
    assert str(caught.value).startswith(f"{path}: ")


def _objects(item: Any) -> Any:
    array = np.empty(2, object)
    array[1] = item
    return array


def test_keys_that_are_objects() -> None:
    """A key is never pickled: it is refused, and where its dict stands is said."""
    with pytest.raises(EncodeError, match=r"^steps/\[0\]: the key .*object"):
        encode({"steps": [{object(): 1}]})


@pytest.mark.parametrize("value", [np.arange(3), object(), {1, 2}, [np.zeros(2)]])
def test_metadata_is_plain(value: Any) -> None:
    """Metadata holds neither arrays nor objects."""
    with pytest.raises(EncodeError, match=r"^project.*part of metadata"):
        encode_inline({"project": value}, "metadata")


@pytest.mark.parametrize(
    "dtype",
    [
        np.dtype([("\ud800", "f8")]),
        np.dtype({"names": ["a"], "formats": ["f8"], "titles": [b"title"]}),
    ],
    ids=ascii,
)
def test_dtypes_that_json_cannot_name(dtype: np.dtype[Any]) -> None:
    """A field's odd name or title is kept by pickling, or refused with the path."""
    try:
        encoded = encode({"outputs": np.zeros(1, dtype)})
    except ArchiveError as error:
        assert "outputs" in str(error)  # noqa: PT017 - either is right
    else:
        assert encoded.executable
