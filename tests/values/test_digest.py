"""Digests are frozen: they name content for as long as there are archives."""

from __future__ import annotations

import numpy as np
import pytest
from blake3 import blake3

from archivedb.values import digest
from archivedb.values.encode import encode

MIB = 1 << 20


def independent(raw: bytes) -> str:
    """Return an array's digest as `docs/format.md` says, with blake3 alone."""
    if len(raw) <= 4 * MIB:
        return "blake3:" + blake3(raw).hexdigest()
    parts = [blake3(raw[at : at + MIB]).digest() for at in range(0, len(raw), MIB)]
    return "blake3:" + blake3(b"".join(parts)).hexdigest()


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
        (1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"),
        (4 * MIB, "4e94e6f582581a0f3855f3ce504b153e951e65036fe9e2f010b7e25473c54f98"),
        (
            4 * MIB + 1,
            "e8e6aaec00a1d28d48d478fd2156a247f54a2dc25b93710bda868739b9ce756b",
        ),
    ],
)
def test_arrays(size: int, expected: str) -> None:
    """An array's digest is that of its bytes, or above 4 MiB that of its blocks'."""
    array = (np.arange(size) % 251).astype("u1")
    assert independent(array.tobytes()) == f"blake3:{expected}"
    stored = encode({"x": array}).arrays[0]
    assert stored.digest == f"blake3:{expected}"
    if size <= 4 * MIB:
        assert stored.blocks is None
    else:
        assert stored.blocks is not None
        assert len(stored.blocks) == digest.blocks_bytes(size) == 5 * 32
        assert "blake3:" + blake3(stored.blocks).hexdigest() == stored.digest


def test_a_value() -> None:
    """The skeleton's bytes, and so the digest of a value, never change."""
    forces = np.arange(6.0).reshape(2, 3)
    encoded = encode({"energy": -3.7, "forces": forces, "n": 3, "label": "fcc"})
    assert encoded.skeleton == (
        b'{"energy":-3.7,"forces":{"$array":0,"dtype":"<f8","shape":[2,3],"digest":'
        b'"blake3:117c0f24662950a55a27ec086e1dd1bb820d83a592d77fb97a616cd9fb115350"},'
        b'"n":3,"label":"fcc"}'
    )
    assert encoded.digest == (
        "blake3:14ca84fdff997411533bf79fc0509c23683979c6c58a2b31e84b2366f9eda5d1"
    )


def test_threads_make_no_difference() -> None:
    """Blocks hashed by many threads are those hashed by one."""
    raw = np.random.default_rng(0).bytes(17 * MIB + 5)
    assert digest.array_digest(memoryview(raw))[0] == independent(raw)


def test_name_digits() -> None:
    """A file's name has the first 32 hex digits of the digest of its bytes."""
    assert digest.name_digits([b"ab", b"", b"c"]) == blake3(b"abc").hexdigest()[:32]


@pytest.mark.parametrize(
    ("size", "expected"), [(0, 0), (4 * MIB, 0), (4 * MIB + 1, 160), (5 * MIB, 160)]
)
def test_blocks_bytes(size: int, expected: int) -> None:
    """Only arrays of more than 4 MiB have blocks, of 32 bytes a MiB."""
    assert digest.blocks_bytes(size) == expected


def test_equal_values_have_equal_digests() -> None:
    """Where an array lies in memory does not change a digest; its dtype does."""
    array = np.arange(6.0).reshape(2, 3)
    same = encode({"x": np.asfortranarray(array)})
    assert same.digest == encode({"x": array}).digest
    assert same.digest != encode({"x": array.astype(">f8")}).digest
    assert encode({"a": 1, "b": 2}).digest != encode({"b": 2, "a": 1}).digest
