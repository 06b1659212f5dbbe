"""
Adapters of numpy's random generators: each goes on exactly where it was.

numpy believes the positions in a generator's state and would read beyond its
buffers; so nothing reaches it that was not checked here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence

from archivedb.errors import EncodeError
from archivedb.values.adapters.base import Adapter
from archivedb.values.adapters.checks import (
    packing,
    require,
    require_keys,
    require_that,
)


def adapters() -> list[Adapter]:
    """Return the adapters of `numpy.random`."""
    return [
        *(_bit_generator(getattr(np.random, name)) for name in _STATES),
        Adapter(
            "numpy.random.Generator",
            np.random.Generator,
            lambda value: {"bit_generator": value.bit_generator},
            lambda state: np.random.Generator(_bits(state, set())),
        ),
        Adapter(
            "numpy.random.RandomState",
            np.random.RandomState,
            _pack_random_state,
            _unpack_random_state,
        ),
        Adapter(
            "numpy.random.SeedSequence",
            np.random.SeedSequence,
            _pack_seeds,
            _unpack_seeds,
        ),
    ]


# Bit generators ---------------------------------------------------------------

_WORD = range(1 << 32)
_HALF = {"has_uint32": range(2), "uinteger": _WORD}
_WIDE = range(1 << 128)
_PCG: dict[str, Any] = {"state": {"state": _WIDE, "inc": _WIDE}, **_HALF}
_STATES: dict[str, dict[str, Any]] = {
    "MT19937": {"state": {"key": ("u4", 624), "pos": range(625)}},
    "PCG64": _PCG,
    "PCG64DXSM": _PCG,
    "Philox": {
        "state": {"counter": ("u8", 4), "key": ("u8", 2)},
        "buffer": ("u8", 4),
        "buffer_pos": range(5),
        **_HALF,
    },
    "SFC64": {"state": {"state": ("u8", 4)}, **_HALF},
}
"""For each its state: numbers within a range, arrays of a dtype and length."""


def _bit_generator(cls: Any) -> Adapter:
    name = cls.__name__
    form = _STATES[name]

    def pack(value: Any) -> dict[str, Any]:
        state = dict(value.state)
        del state["bit_generator"]
        with packing():
            _require_form(state, form)
        if value.seed_seq is not None:
            # It counts its children, on whom `spawn` depends.
            state["seed_seq"] = value.seed_seq
        return state

    def unpack(state: Any) -> Any:
        rest = {key: item for key, item in require(state, dict).items() if key in form}
        require_keys(state, form.keys(), {"seed_seq"})
        _require_form(rest, form)
        seeds = state.get("seed_seq")
        known = seeds is None or isinstance(seeds, ISeedSequence)
        require_that(known, "a seed sequence that is none")
        made = cls(0)
        made.__setstate__(({"bit_generator": name, **rest}, seeds))
        return made

    return Adapter(f"numpy.random.{name}", cls, pack, unpack)


def _require_form(state: Any, form: Any) -> None:
    if isinstance(form, dict):
        require_keys(state, form.keys())
        for key, below in form.items():
            _require_form(state[key], below)
    elif isinstance(form, range):
        require_that(require(state, int) in form, "a number is out of bounds")
    else:
        dtype, length = form
        array = require(state, np.ndarray)
        good = array.dtype == np.dtype(dtype) and array.shape == (length,)
        require_that(good, "an array has another dtype or length")


def _bits(state: Any, others: set[str]) -> Any:
    bits = require_keys(state, {"bit_generator", *others})["bit_generator"]
    known = isinstance(bits, np.random.BitGenerator)
    require_that(known, "a bit generator that is none")
    return bits


def _pack_random_state(value: Any) -> dict[str, Any]:
    state = value.get_state(legacy=False)
    return {
        "bit_generator": value._bit_generator,  # noqa: SLF001 - there is no other way
        "has_gauss": state["has_gauss"],
        "gauss": state["gauss"],
    }


def _unpack_random_state(state: Any) -> np.random.RandomState:
    bits = _bits(state, {"has_gauss", "gauss"})
    made = np.random.RandomState(bits)
    has = require(state["has_gauss"], int)
    require_that(has in range(2), "a number is out of bounds")
    gauss = require(state["gauss"], float)
    made.set_state({**bits.state, "has_gauss": has, "gauss": gauss})
    return made


# Seeds ------------------------------------------------------------------------

_LARGEST_POOL = 1 << 10
"""Making a pool takes time that grows with the square of its size."""
_LONGEST_RANGE = 1 << 16


def _pack_seeds(value: Any) -> dict[str, Any]:
    state = dict(value.state)
    if value.pool_size > _LARGEST_POOL or not _is_entropy(state["entropy"]):
        msg = f"a seed sequence of a pool of {value.pool_size}, or of strange entropy"
        raise EncodeError(msg)
    if not np.array_equal(np.random.SeedSequence(**state).pool, value.pool):
        msg = "the entropy of a seed sequence has changed since it was used"
        raise EncodeError(msg)
    return state


def _unpack_seeds(state: Any) -> np.random.SeedSequence:
    require_keys(state, {"entropy", "spawn_key", "pool_size", "n_children_spawned"})
    size = require(state["pool_size"], int)
    require_that(0 <= size <= _LARGEST_POOL, "a pool that is too large")
    require_that(_is_entropy(state["entropy"]), "entropy that is none")
    key = require(state["spawn_key"], tuple, list)
    require_that(all(map(_is_integer, key)), "a spawn key of no numbers")
    children = require(state["n_children_spawned"], int)
    require_that(children >= 0, "a number is out of bounds")
    return np.random.SeedSequence(**state)


def _is_entropy(entropy: Any) -> bool:
    if isinstance(entropy, np.ndarray):
        return entropy.dtype.kind in "iu"
    if isinstance(entropy, range):
        # It takes no more than two numbers to ask for all memory.
        return len(entropy) <= _LONGEST_RANGE
    if type(entropy) in (list, tuple):
        return all(map(_is_integer, entropy))
    return entropy is None or _is_integer(entropy)


def _is_integer(value: Any) -> bool:
    return isinstance(value, (int, np.integer))
