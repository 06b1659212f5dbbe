"""numpy's odd arrays, polynomials and generators come back as they are."""

from __future__ import annotations

import functools
import warnings
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archivedb.errors import EncodeError
from archivedb.values.adapters import adapter_named
from archivedb.values.adapters.numpy_arrays import SHORT
from archivedb.values.encode import encode
from tests.support import exact, payloads, strategies

Text = np.dtypes.StringDType
NAN = float("nan")
MIXED = np.dtype([("n", "f8"), ("o", "O"), ("in", [("p", "O", (2,)), ("q", "i4")])])
RECORD = np.dtype((np.record, [("x", "f8"), ("y", "U3")]))


def through(value: Any, mode: str = "json") -> Any:
    """Return a value as it comes back, having run no code."""
    assert not encode(value).executable
    return payloads.read(mode, payloads.build(mode, {"value": value}))[0]["value"]


def _check(value: Any) -> None:
    for mode in ("json", "hdf5"):
        assert exact.difference(value, through(value, mode)) is None
    assert exact.difference([value, (value, 1)], through([value, (value, 1)])) is None


# dtypes -----------------------------------------------------------------------

ALIGNED = np.dtype([("a", "i1"), ("b", "f8")], align=True)
DTYPES = [
    *(np.dtype(char) for char in "?bhilqpBHILQPefdgFDGSUVOMm"),
    *(np.dtype(name) for name in (">f8", "<i2", ">U5", ">M8[25s]", "m8[ns]", "S7")),
    *(np.dtype(char).newbyteorder(">") for char in "lqLQgG"),
    *(Text(), Text(coerce=False), Text(na_object=None), Text(na_object=np.nan)),
    *(Text(na_object=""), Text(na_object="missing", coerce=False)),
    np.dtype(("f4", (2, 3))),
    np.dtype((MIXED, (2,))),
    *(np.dtype([]), MIXED, RECORD, ALIGNED, np.dtype((np.record, ALIGNED))),
    np.dtype([("outer", RECORD), ("\ud800", "f8")]),
    np.dtype({"names": ["b", "a"], "formats": ["u1", "f8"], "offsets": [17, 1]}),
    np.dtype({"names": ["a"], "formats": ["O"], "offsets": [8], "itemsize": 32}),
    np.dtype([(("the title", "a"), "f8"), ("b", "q")]),
    np.dtype({"names": ["a", "b"], "formats": ["f8", "O"], "titles": [b"t", None]}),
    np.dtype("f8", metadata={"unit": "eV", "of": [1]}),
    np.dtype([("a", np.dtype("f8", metadata={1: 2}))], metadata={"x": None}),
    np.dtype(("i4", [("low", "i2"), ("high", "i2")])),
    functools.reduce(lambda inner, _: np.dtype([("x", inner)]), range(20), MIXED),
]


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: ascii(dtype)[:60])
def test_dtypes(dtype: np.dtype[Any]) -> None:
    """All that a dtype says is kept, even what its ``==`` overlooks."""
    _check(dtype)


@given(strategies.dtypes)
def test_any_dtype(dtype: np.dtype[Any]) -> None:
    """A dtype of bytes comes back as it was."""
    assert exact.difference(dtype, through(dtype)) is None


def test_the_missing_value_that_is_compared_by_identity() -> None:
    """A NaN that marks what is missing is numpy's own."""
    own = np.nan
    assert through(Text(na_object=own)).na_object is own
    assert through(Text(na_object=NAN)).na_object is own


# Plain arrays of odd dtypes ---------------------------------------------------


def _mixed(*shape: int) -> Any:
    made = np.zeros(shape, MIXED)
    for index, at in enumerate(np.ndindex(shape)):
        made["n"][at] = [NAN, -0.0, 1.5][index % 3]
        made["o"][at] = [[1], None, "x"][index % 3]
        made["in"]["p"][at] = [index, Fraction(1, 3)]
        made["in"]["q"][at] = -index
    return made


def _texts(*items: Any, shape: Any = None, **more: Any) -> Any:
    return np.array(items, Text(**more)).reshape(shape or len(items))


def _bytes_of(dtype: np.dtype[Any], count: int) -> Any:
    raw = np.arange(count * dtype.itemsize, dtype=np.uint8)
    return np.ndarray(count, dtype, buffer=raw.data)


ODD_ARRAYS = [
    *(_texts("a", "", "é\0b\0", "x" * 5000), _texts(), _texts(shape=(0, 3))),
    _texts("a", None, "None", None, shape=(2, 2), na_object=None),
    _texts("a", NAN, "nan", na_object=np.nan),
    _texts("a", "", "missing", na_object="missing"),
    _texts(None, na_object=None).reshape(()),
    _texts(*map(str, range(2 * SHORT)), shape=(2, 1, SHORT)),
    _texts(*(None if i % 7 else "é" * i for i in range(2 * SHORT)), na_object=None),
    _texts(*"abcdef").reshape(2, 3).T,
    _texts(*"abcdef", coerce=False)[::-2],
    *(_mixed(3), _mixed(0), _mixed(), _mixed(2, 3), _mixed(2, 3).T, _mixed(4)[::-2]),
    np.zeros((2, 0), MIXED),
    np.empty(2, [("a", "O", (0,)), ("b", "i1")]),
    *(np.zeros(3, RECORD), _bytes_of(np.dtype((np.record, ALIGNED)), 3)),
    _bytes_of(np.dtype([("a", RECORD), ("b", "i1")])[["b"]], 2),
    _bytes_of(np.dtype([("\ud800", "i4"), ("b", "S2")]), 3).reshape(3, 1),
    _bytes_of(np.dtype({"names": ["a"], "formats": ["i4"], "titles": [b"t"]}), 5),
    _bytes_of(np.dtype(("i4", [("low", "i2"), ("high", "i2")])), 2),
]


@pytest.mark.parametrize("array", ODD_ARRAYS, ids=lambda array: ascii(array.dtype)[:60])
def test_arrays_of_odd_dtypes(array: Any) -> None:
    """Texts of any length, objects in fields and records are kept."""
    _check(array)


def test_memory_maps_of_odd_dtypes(tmp_path: Any) -> None:
    """A map of records comes back as an array of records."""
    mapped = np.memmap(tmp_path / "map", RECORD, "w+", shape=3)
    mapped["x"] = [1, 2, 3]
    assert exact.difference(np.asarray(mapped), through(mapped)) is None


def test_objects_in_fields_are_the_same_objects() -> None:
    """What a field shares with the rest of a value is still shared."""
    array, shared = _mixed(2), [1]
    array["o"][0] = shared
    again, also = through([array, shared])
    assert again["o"][0] is also
    assert again["in"]["p"][1].tolist() == [1, Fraction(1, 3)]


@given(
    st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]))),
    st.booleans(),
)
def test_any_texts(items: list[str | None], repeated: bool) -> None:  # noqa: FBT001
    """Texts are kept whether there are few or many."""
    array = _texts(*items * (SHORT if repeated else 1), na_object=None)
    assert exact.difference(array, through(array)) is None


SCALARS = [
    _mixed(3)[0],
    _mixed(3)[1]["in"],
    np.zeros(1, RECORD)[0],
    _bytes_of(np.dtype([("\ud800", "i4")]), 1)[0],
    np.void(b"ab\0"),
]


@pytest.mark.parametrize("scalar", SCALARS, ids=ascii)
def test_structured_scalars(scalar: Any) -> None:
    """Scalars with fields are kept, records as records."""
    _check(scalar)


# Arrays of other classes ------------------------------------------------------


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize(
    "make",
    [
        lambda: np.matrix([[1.5, 2]]),
        lambda: np.matrix(np.zeros((0, 3), ">f4")),
        lambda: np.matrix([[[1], None]], object),
        lambda: np.zeros(3, RECORD).view(np.recarray),
        lambda: np.rec.fromarrays([[1, 2], ["a", "b"]], names="x,y"),
        lambda: np.rec.array([(1, [2]), (3, None)], [("x", "f8"), ("y", "O")]),
        lambda: np.arange(6).reshape(2, 3).view(np.recarray),
        lambda: np.zeros(2, [("a", RECORD), ("b", "i1")]).view(np.recarray),
        lambda: np.rec.array([(1.5, 2)], [("x", "f8"), ("y", "i1")], aligned=True),
        lambda: np.array(["a ", "bc"]).view(np.char.chararray),
        lambda: np.array([[b"a\0b", b""]]).view(np.char.chararray),
    ],
)
def test_other_classes(make: Any) -> None:
    """Matrices, record arrays and character arrays stay what they are."""
    value = make()
    _check(value)
    value.note = "x"
    with pytest.raises(EncodeError, match="note"):
        encode(value)


# Masked arrays ----------------------------------------------------------------


def _masked(*args: Any, **more: Any) -> Any:
    return np.ma.MaskedArray(*args, **more)


def _asked(value: Any) -> Any:
    value.fill_value  # noqa: B018 - asking makes it be there
    return value


def _softened(value: Any) -> Any:
    value[0] = np.ma.masked
    return value


FIELDS = [("a", "f8"), ("b", "i4", (2,))]
MASKED = [
    *(
        _masked([1.0, NAN, -0.0]),
        _masked([1, 2, 3], [0, 1, 0]),
        _masked([], dtype="f4"),
    ),
    _masked([1.0, 2], mask=[0, 0]),
    _masked([1.0, 2], mask=True, fill_value=NAN),
    _masked(np.arange(6).reshape(2, 3), [[0, 1, 0], [1, 0, 0]], hard_mask=True),
    _masked(5.0),
    _masked(5.0, mask=True),
    _asked(_masked([1, 2])),
    _asked(_masked([1, 2], dtype=">i4")),
    _masked(["a", "bc"], [0, 1], fill_value="N/A"),
    _masked([b"a\0", b"bc"], [0, 1], fill_value=b"\0x"),
    _masked(
        np.array(["2026", "NaT"], "M8[D]"), [1, 0], fill_value=np.datetime64(5, "D")
    ),
    _masked([1.5], dtype=np.longdouble, fill_value=np.longdouble(1) / 3),
    _masked([1j], fill_value=complex(NAN, -0.0)),
    _masked([[1], None], [0, 1], dtype=object),
    _masked(np.array([{1: 2}, "x"], object), [0, 1], fill_value="?"),
    _masked(np.zeros(2, FIELDS)),
    _masked(np.zeros(2, FIELDS), [(1, (0, 1)), (0, (1, 0))], fill_value=(1.5, 7)),
    _masked(np.zeros(2, FIELDS), [(1, (0, 1)), (0, (1, 0))])["a"],
    _masked(np.zeros(2, FIELDS), [(1, (0, 1)), (0, (1, 0))])[0],
    _masked(_mixed(2)["in"], [1, 0]),
    _masked(np.arange(6), [0, 1] * 3)[::2],
    _masked(np.zeros(2, RECORD), [(0, 1), (1, 0)]),
    _softened(_masked([1, 2, 3])),
    _masked([True, False], [0, 1]),
]


@pytest.mark.parametrize("value", MASKED, ids=lambda value: ascii(value.dtype)[:60])
def test_masked_arrays(value: Any) -> None:
    """What is masked, what lies below, what fills it and how hard: all is kept."""
    before = value._fill_value
    _check(value)
    assert value._fill_value is before
    again = through(value)
    again.fill_value  # noqa: B018
    str(again)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_masked_arrays_of_other_classes() -> None:
    """A masked matrix is a matrix below its mask."""
    value = np.ma.MaskedArray(np.matrix([[1, 2]]), [[0, 1]])
    _check(value)
    assert type(through(value).data) is np.matrix


def test_masked_itself() -> None:
    """There is one `numpy.ma.masked`, which programs compare with by identity."""
    assert through(np.ma.masked) is np.ma.masked
    assert through([np.ma.masked])[0] is np.ma.masked


def test_shared_masks() -> None:
    """Two arrays of one mask keep it together."""
    one = _masked([1, 2, 3], [0, 1, 0])
    two = np.ma.MaskedArray([4, 5, 6], one._mask, copy=False)
    two._mask = one._mask
    again = through([one, two])
    again[0][0] = np.ma.masked
    assert again[1].mask.tolist() == [True, True, False]


def test_masked_arrays_with_more() -> None:
    """Attributes that nothing would bring back are refused."""
    value = _masked([1])
    value.note = "x"
    with pytest.raises(EncodeError, match="note"):
        encode(value)
    other = _masked([1])
    other._optinfo["note"] = "x"
    with pytest.raises(EncodeError, match="information"):
        encode(other)


# Polynomials ------------------------------------------------------------------

SERIES = [
    getattr(np.polynomial, name)
    for name in ("Chebyshev", "Hermite", "HermiteE", "Laguerre", "Legendre")
] + [np.polynomial.Polynomial]


@pytest.mark.parametrize("cls", SERIES, ids=lambda cls: cls.__name__)
def test_polynomials(cls: Any) -> None:
    """Series keep coefficients, domain, window and symbol, and go on computing."""
    _check(cls([1, -0.0, 3]))
    _check(cls([NAN, 2j], domain=[0, 1], window=[-3, 4.5], symbol="z"))
    _check(cls(np.array([Fraction(1, 3), 2], object)))
    again = through(cls([1, 2, 3], [0, 1]))
    assert again == cls([1, 2, 3], [0, 1])
    assert again(0.5) == cls([1, 2, 3], [0, 1])(0.5)
    assert again.deriv() == cls([1, 2, 3], [0, 1]).deriv()


def _with_zeros() -> Any:
    made = np.poly1d([1.0, 2.0])
    made[1] = 0
    return made


@pytest.mark.parametrize(
    "value",
    [
        *(np.poly1d([1, 2]), np.poly1d([]), np.poly1d([1.5, NAN], variable="z")),
        *(np.poly1d([2, 3], r=True), np.poly1d([1j], variable="é"), _with_zeros()),
    ],
    ids=ascii,
)
def test_poly1d(value: Any) -> None:
    """The old polynomials are kept, leading zeros and all."""
    _check(value)
    assert through(value)(2) == value(2) or np.isnan(value(2))


# Random generators ------------------------------------------------------------

BITS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")


@pytest.mark.parametrize("name", BITS)
@pytest.mark.parametrize("drawn", [0, 1, 3, 700])
def test_generators_go_on(name: str, drawn: int) -> None:
    """A restored generator draws what the original draws next, and its children too."""
    rng = np.random.Generator(getattr(np.random, name)(7))
    rng.spawn(2)
    rng.random(drawn)
    rng.integers(1 << 16, size=drawn, dtype=np.int32)
    _check(rng)
    _check(rng.bit_generator)
    again = through(rng)
    assert again.standard_normal(50).tolist() == rng.standard_normal(50).tolist()
    small = {"size": 3, "dtype": np.int32}
    assert again.integers(9, **small).tolist() == rng.integers(9, **small).tolist()
    assert again.spawn(1)[0].random() == rng.spawn(1)[0].random()


@pytest.mark.parametrize(
    "make",
    [
        *(lambda: np.random.RandomState(3), np.random.RandomState),
        lambda: np.random.RandomState(np.random.Philox(3)),
    ],
)
@pytest.mark.parametrize("drawn", [0, 1, 2])
def test_old_generators_go_on(make: Any, drawn: int) -> None:
    """A RandomState keeps the second of two normals that it drew."""
    state = make()
    state.standard_normal(drawn)
    _check(state)
    assert (
        through(state).standard_normal(5).tolist() == state.standard_normal(5).tolist()
    )


def test_shared_bit_generators() -> None:
    """Generators of one source still draw from one."""
    bits = np.random.PCG64(1)
    one, two = through([np.random.Generator(bits), np.random.Generator(bits)])
    assert one.bit_generator is two.bit_generator


@pytest.mark.parametrize(
    "seeds",
    [
        *(np.random.SeedSequence(), np.random.SeedSequence(1 << 200)),
        np.random.SeedSequence([1, 2], spawn_key=(3,), pool_size=8),
        np.random.SeedSequence(np.array([1, 2], np.uint32)),
        np.random.SeedSequence(range(5)),
        np.random.SeedSequence(7).spawn(3)[2],
    ],
    ids=range(6),
)
def test_seed_sequences(seeds: Any) -> None:
    """A seed sequence goes on spawning where it was."""
    seeds.spawn(2)
    _check(seeds)
    again, here = through(seeds).spawn(1)[0], seeds.spawn(1)[0]
    assert again.generate_state(4).tolist() == here.generate_state(4).tolist()


def test_seeds_that_changed() -> None:
    """Entropy that is no longer what it was is refused."""
    entropy = [1, 2]
    seeds = np.random.SeedSequence(entropy)
    entropy.append(3)
    with pytest.raises(EncodeError, match="changed"):
        encode(seeds)


# Hostile states ---------------------------------------------------------------

_GOOD_PHILOX = {
    "state": {"counter": np.zeros(4, "u8"), "key": np.zeros(2, "u8")},
    "buffer": np.zeros(4, "u8"),
    "buffer_pos": 4,
    "has_uint32": 0,
    "uinteger": 0,
}
_GOOD_SEEDS = {"entropy": 1, "spawn_key": (), "pool_size": 4, "n_children_spawned": 0}
_OBJECT = {"names": ["o"], "formats": ["|O"], "offsets": [0], "itemsize": 1 << 30}
_ONE = np.zeros(1)
_OBJECTS = np.empty(1, object)


def _laughing() -> Any:
    state: Any = "|V0"
    for _ in range(30):
        names = ["a", "b"]
        state = {
            "names": names,
            "formats": [state, state],
            "offsets": [0, 0],
            "itemsize": 0,
        }
    return state


def _nested() -> Any:
    state: Any = "<f8"
    for _ in range(100_000):
        state = {"base": state, "shape": [1]}
    return state


HOSTILE = [
    *(("numpy.dtype", x) for x in (5, "no dtype", {}, {"base": "<f8"}, ["<f8"])),
    ("numpy.dtype", {"of": "<f8", "metadata": [1]}),
    ("numpy.dtype", {"coerce": 5}),
    ("numpy.dtype", {**_OBJECT, "offsets": [1 << 40]}),
    ("numpy.dtype", {**_OBJECT, "number": "<f8"}),
    *(("numpy.dtype", _laughing()), ("numpy.dtype", _nested())),
    ("numpy.ndarray", {"dtype": "|O", "values": _ONE}),
    ("numpy.ndarray", {"dtype": "|O", "shape": [1], "bytes": np.zeros(8, "u1")}),
    ("numpy.ndarray", {"dtype": "<f8", "values": _OBJECTS}),
    ("numpy.ndarray", {"dtype": "<f4", "values": _ONE}),
    ("numpy.ndarray", {"dtype": "|V8", "values": np.array(["a"], Text())}),
    ("numpy.ndarray", {"dtype": "<f8", "shape": [1 << 60], "bytes": np.zeros(8, "u1")}),
    ("numpy.ndarray", {"dtype": "<f8", "shape": [-1], "bytes": np.zeros(8, "u1")}),
    ("numpy.ndarray", {"dtype": _OBJECT, "shape": [1], "fields": {"o": _OBJECTS}}),
    (
        "numpy.ndarray",
        {"dtype": _OBJECT, "shape": [1 << 40], "fields": {"o": _OBJECTS}},
    ),
    ("numpy.ndarray", {"dtype": _OBJECT, "shape": [1], "fields": {}}),
    ("numpy.ndarray", {"dtype": _OBJECT, "shape": [1], "fields": {"o": _ONE}}),
    ("numpy.ndarray", {"dtype": {"coerce": True}, "shape": [1 << 60], "items": []}),
    ("numpy.ndarray", {"dtype": {"coerce": True}, "shape": [1], "items": [None]}),
    *(
        (
            "numpy.ndarray",
            {"dtype": {"coerce": True}, "shape": [2], "text": "ab", "lengths": lengths},
        )
        for lengths in (
            *(np.array([1, 2]), np.array([3, -1]), np.array([1.0, 1.0]), [1, 1]),
            np.array([1, (1 << 63) - 1]),
        )
    ),
    *(("numpy.void", {"item": _ONE}), ("numpy.void", {"item": np.zeros(1, "f8,f8")})),
    *(
        ("numpy.matrix", {"values": [1]}),
        ("numpy.matrix", {"values": np.zeros((1, 1, 2))}),
    ),
    ("numpy.char.chararray", {"values": _ONE}),
    ("numpy.ma.MaskedArray", {"data": [1]}),
    ("numpy.ma.MaskedArray", {"data": _ONE, "mask": np.zeros(2, bool)}),
    ("numpy.ma.MaskedArray", {"data": _ONE, "mask": np.zeros(1, "u1")}),
    ("numpy.ma.MaskedArray", {"data": _ONE, "mask": True}),
    ("numpy.ma.MaskedArray", {"data": _ONE, "fill_value": "x"}),
    ("numpy.ma.MaskedArray", {"data": _ONE, "hard_mask": 1}),
    *(("numpy.ma.masked", 5), ("numpy.ma.MaskedArray", {"data": _ONE, "_mask": 1})),
    ("numpy.polynomial.Polynomial", {"coef": [1], "symbol": "x"}),
    ("numpy.polynomial.Polynomial", {"coef": _ONE, "symbol": 5}),
    ("numpy.polynomial.Legendre", {"coef": np.zeros((1, 1)), "symbol": "x"}),
    *(("numpy.poly1d", {"coeffs": 5, "variable": "x"}), ("numpy.poly1d", {})),
    ("numpy.random.MT19937", {"state": {"key": np.zeros(624, "u4"), "pos": 625}}),
    ("numpy.random.MT19937", {"state": {"key": np.zeros(624, "u4"), "pos": -1}}),
    ("numpy.random.MT19937", {"state": {"key": np.zeros(623, "u4"), "pos": 0}}),
    *(
        ("numpy.random.Philox", {**_GOOD_PHILOX, **bad})
        for bad in (
            *({"buffer_pos": -1}, {"buffer_pos": 5}, {"buffer": _ONE}, {"more": 1}),
            *({"has_uint32": 2}, {"uinteger": 1 << 32}, {"seed_seq": 5}, {"state": 1}),
            {"buffer_pos": True},
        )
    ),
    ("numpy.random.PCG64", {**_GOOD_PHILOX}),
    ("numpy.random.Generator", {"bit_generator": 5}),
    ("numpy.random.RandomState", {"bit_generator": 5, "has_gauss": 0, "gauss": 0.0}),
    *(
        ("numpy.random.SeedSequence", {**_GOOD_SEEDS, **bad})
        for bad in (
            *({"pool_size": 1 << 40}, {"pool_size": -1}, {"entropy": range(1 << 40)}),
            *({"entropy": "x"}, {"entropy": [[1]]}, {"spawn_key": ("a",)}, {"more": 1}),
            *({"n_children_spawned": -1}, {"entropy": np.zeros(1)}),
        )
    ),
]


def _named(part: Any) -> str | None:
    # Some states would take for ever to be shown.
    return part if isinstance(part, str) else "state"


@pytest.mark.parametrize(("kind", "state"), HOSTILE, ids=_named)
def test_hostile_states(kind: str, state: Any) -> None:
    """A state that no value has raises; it neither runs nor allocates."""
    unpack = adapter_named(kind).unpack
    assert unpack is not None
    with payloads.within(5), pytest.raises(Exception) as caught:  # noqa: PT011
        unpack(state)
    assert not isinstance(caught.value, MemoryError)


def test_good_states() -> None:
    """What the hostile states were made from is good."""
    for kind, state in (("Philox", _GOOD_PHILOX), ("SeedSequence", _GOOD_SEEDS)):
        unpack = adapter_named(f"numpy.random.{kind}").unpack
        assert unpack is not None
        unpack(state)


def test_no_deprecation_is_met() -> None:
    """Asking for all adapters of numpy warns of nothing."""
    from archivedb.values.adapters import numpy

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len({one.kind for one in numpy.adapters()}) > 20
