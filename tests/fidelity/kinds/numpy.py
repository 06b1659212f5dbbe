"""numpy: scalars and arrays of every dtype and layout, and its odd classes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.fidelity.kind import Kind, each, exactly
from tests.support.exact import difference

Text = np.dtypes.StringDType
UNITS = ("Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as")
SCALARS = (
    *(np.bool_, np.byte, np.ubyte, np.short, np.ushort, np.intc, np.uintc),
    *(np.int_, np.uint, np.longlong, np.ulonglong, np.half, np.single, np.double),
    *(np.longdouble, np.csingle, np.cdouble, np.clongdouble),
)
STRUCTURE = [("x", "<f8"), ("name", "<U4"), ("m", ">i2", (2, 2))]


def _scalars() -> list[Kind]:
    made = [
        Kind(f"numpy scalar {kind.__name__}", lambda kind=kind: kind(1), exactly)
        for kind in SCALARS
    ]
    return made + each(
        {
            "float64 NaN": lambda: np.float64("nan"),
            "float64 -0.0": lambda: np.float64(-0.0),
            "float64 NaN with bits": lambda: np.uint64(0x7FF8000000000001).view("f8"),
            "float32 0.1": lambda: np.float32(0.1),
            "float16 denormal": lambda: np.float16(6e-8),
            "longdouble 1/3": lambda: np.longdouble(1) / 3,
            "longdouble inf": lambda: np.longdouble("-inf"),
            "complex128 with NaN": lambda: np.complex128(complex(math.nan, -0.0)),
            "int64 smallest": lambda: np.int64(-(2**63)),
            "uint64 largest": lambda: np.uint64(2**64 - 1),
            "str_": lambda: np.str_("é"),
            "str_ with trailing NUL": lambda: np.str_("a\0"),
            "str_ with a surrogate": lambda: np.str_("\ud800"),
            "bytes_": lambda: np.bytes_(b"a"),
            "bytes_ with trailing NUL": lambda: np.bytes_(b"a\0\0"),
            "void": lambda: np.void(b"\0\xff\0"),
            "void of fields": lambda: np.array([(1.5, "é", 2)], STRUCTURE)[0],
            "record": lambda: np.rec.array([(1.5, "é")], "f8,U2")[0],
        },
        prefix="numpy scalar ",
    )


def _dates() -> list[Kind]:
    made: dict[str, Any] = {}
    for unit in UNITS:
        made[f"datetime64[{unit}]"] = lambda unit=unit: np.datetime64(7, unit)
        made[f"timedelta64[{unit}]"] = lambda unit=unit: np.timedelta64(-7, unit)
        made[f"array of datetime64[{unit}] with NaT"] = lambda unit=unit: np.array(
            [1, "NaT", -5], f"M8[{unit}]"
        )
        made[f"array of timedelta64[{unit}] with NaT"] = lambda unit=unit: np.array(
            [1, "NaT", -5], f"m8[{unit}]"
        )
    return each(
        made
        | {
            "datetime64 NaT without a unit": lambda: np.datetime64("NaT"),
            "timedelta64 NaT without a unit": lambda: np.timedelta64("NaT"),
            "timedelta64 without a unit": lambda: np.timedelta64(3),
            "datetime64[25s]": lambda: np.datetime64(7, "25s"),
            "datetime64 NaT[ns]": lambda: np.datetime64("NaT", "ns"),
            "array of datetime64, big-endian": lambda: np.array(
                ["2026-01-01", "NaT"], ">M8[D]"
            ),
            "array of datetime64 without a unit": lambda: np.array(["NaT"], "M8"),
        },
        prefix="numpy ",
    )


def _filled(dtype: Any, shape: tuple[int, ...] = (2, 3)) -> Any:
    dtype = np.dtype(dtype)
    count = math.prod(shape)
    if dtype.kind in "US":
        return np.array([str(n) for n in range(count)], dtype).reshape(shape)
    return (
        (np.arange(count) - (0.5 if dtype.kind in "fc" else 0))
        .astype(dtype)
        .reshape(shape)
    )


def _objects(*items: Any) -> Any:
    made = np.empty(len(items), object)
    for index, item in enumerate(items):
        made[index] = item
    return made


def _bits() -> Any:
    return np.array([0x7FF8000000000001, 0xFFF0000000000002, 1 << 63], "u8").view("f8")


def _locked() -> Any:
    made = np.arange(3)
    made.flags.writeable = False
    return made


def _arrays() -> list[Kind]:
    dtypes = [
        *("?", "i1", "u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4"),
        *("<f8", "g", "<c8", "<c16", "G", ">i2", ">u4", ">i8", ">f2", ">f4", ">f8"),
        *(">c8", ">c16", "S3", "S1", "<U2", ">U3"),
        *(np.dtype("g").newbyteorder(">"), "q", "Q", "l", "L"),
    ]
    made: dict[str, Any] = {
        f"of {dtype if isinstance(dtype, str) else 'big-endian longdouble'}": (
            lambda dtype=dtype: _filled(dtype)
        )
        for dtype in dtypes
    }
    shapes = ((), (0,), (1,), (2, 0, 3), (1,) * 32, (1,) * 64)
    made |= {
        f"of shape {shape if len(shape) < 9 else f'1 by {len(shape)} axes'}": (
            lambda shape=shape: _filled("<f8", shape)
        )
        for shape in shapes
    }
    return each(
        made
        | {
            "0-d of text": lambda: np.array("é\0x"),
            "0-d of objects": lambda: _objects({"a": 1}).reshape(()),
            "0-d datetime64": lambda: np.array("2026", "M8[Y]"),
            "in Fortran's order": lambda: np.asfortranarray(_filled("f8")),
            "strided": lambda: np.arange(20.0)[::3],
            "with negative strides": lambda: np.arange(6).reshape(2, 3)[::-1, ::-1],
            "transposed": lambda: np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1),
            "broadcast": lambda: np.broadcast_to(np.arange(3.0), (4, 3)),
            "read-only": _locked,
            "of NaNs with bits": _bits,
            "of bools of other bytes": lambda: np.array([0, 1, 1], "u1").view("?"),
            "U with trailing NUL": lambda: np.array(["a\0b", "c\0\0", ""]),
            "U with surrogates": lambda: np.array(["\ud800", "\ud83d\ude00"]),
            "U of no width": lambda: np.zeros(2, "U0"),
            "S with trailing NUL": lambda: np.array([b"a\0b", b"c\0\0"], "S5"),
            "S of no width": lambda: np.zeros(2, "S0"),
            "of void": lambda: np.array([b"\0\xff\0\1"] * 2, "V4"),
            "StringDType": lambda: np.array(["a", "é\0", "", "long " * 100], Text()),
            "StringDType with NaN": lambda: np.array(
                ["a", np.nan], Text(na_object=np.nan)
            ),
            "StringDType with None": lambda: np.array(
                [["a", None]], Text(na_object=None)
            ),
            "StringDType, not coercing": lambda: np.array(["a"], Text(coerce=False)),
            "structured": lambda: np.array(
                [(1.5, "é", [[1, 2], [3, 4]])] * 2, STRUCTURE
            ),
            "structured, aligned": lambda: np.zeros(
                3, np.dtype([("a", "i1"), ("b", "f8")], align=True)
            ),
            "structured with offsets": lambda: np.ones(
                2, {"names": ["b", "a"], "formats": ["u1", "f8"], "offsets": [17, 1]}
            ),
            "structured with titles": lambda: np.zeros(2, [(("the a", "a"), "f8")]),
            "structured, nested": lambda: np.zeros(
                2, [("in", [("p", "i4"), ("q", "U2")])]
            ),
            "structured with objects": lambda: np.array(
                [(1.0, {"a": [1]}), (2.0, None)], [("n", "f8"), ("o", "O")]
            ),
            "structured without fields": lambda: np.zeros(2, []),
            "structured, big-endian": lambda: np.ones(
                2, [("x", ">f8"), ("t", ">M8[s]")]
            ),
            "structured, 0-d": lambda: np.array(
                (1.5, "é", [[1, 2], [3, 4]]), STRUCTURE
            ),
            "of sub-arrays": lambda: np.ones(2, [("m", "f4", (2, 3)), ("v", "i2", 3)]),
            "field of a structured one": lambda: np.zeros(3, "f8,f8")["f1"],
            "of objects, mixed": lambda: _objects(
                1,
                "1",
                None,
                2.5,
                b"x",
                (1, [2]),
                True,  # noqa: FBT003
            ),
            "of objects, 2 by 2": lambda: _objects(1, [2], {"a": 3}, None).reshape(
                2, 2
            ),
            "of objects, empty": lambda: np.empty((0, 3), object),
            "of arrays": lambda: _objects(np.arange(3), np.eye(2), np.array("x")),
            "of object arrays": lambda: _objects(_objects(1, "a"), _objects()),
            "of sets and dates": lambda: _objects(
                {1, 2}, np.datetime64("2026"), {1: 2}
            ),
            "of lists of one length": lambda: _objects([1, 2], [3, 4]),
        },
        prefix="numpy array ",
    )


def _mask(**more: Any) -> Any:
    return np.ma.masked_array([1.5, 2.5, 3.5], [False, True, False], **more)


def _hard() -> Any:
    made = _mask()
    made.harden_mask()
    return made


def _masks() -> list[Kind]:
    return each(
        {
            "with mask": _mask,
            "with fill value": lambda: _mask(fill_value=-1.0),
            "without a mask": lambda: np.ma.masked_array([1, 2]),
            "with a whole mask": lambda: np.ma.masked_array(np.eye(2), mask=True),
            "with a hard mask": _hard,
            "of ints, 2-d": lambda: np.ma.masked_equal(np.arange(6).reshape(2, 3), 4),
            "of text": lambda: np.ma.masked_array(["a", "b"], [True, False]),
            "of datetime64": lambda: np.ma.masked_array(
                np.array(["2026", "NaT"], "M8[D]"), [False, True]
            ),
            "structured": lambda: np.ma.masked_array(
                [(1, 2.5)], [(1, 0)], [("a", "i4"), ("b", "f8")]
            ),
            "of objects": lambda: np.ma.masked_array(
                _objects([1], "a"), [False, True], dtype=object
            ),
            "with -0.0 and NaN under the mask": lambda: np.ma.masked_array(
                [-0.0, math.nan], [True, True]
            ),
            "0-d": lambda: np.ma.masked_array(3.5, mask=True),
            "empty": lambda: np.ma.masked_array(np.zeros((0, 2))),
        },
        prefix="numpy masked array ",
    )


def _matrices() -> list[Kind]:
    return each(
        {
            "matrix": lambda: np.array([[1, 2], [3, 4]]).view(np.matrix),
            "matrix, big-endian": lambda: np.eye(2, dtype=">f4").view(np.matrix),
            "recarray": lambda: np.rec.array([(1, 2.5, "é")] * 2, "i4,f8,U2"),
            "recarray by names": lambda: np.rec.fromarrays(
                [np.arange(3), np.ones(3)], names="n,energy"
            ),
            "recarray, empty": lambda: np.rec.array(np.zeros(0, "i4,f8")),
            "chararray": lambda: np.array(["a", "b "]).view(np.char.chararray),
        },
        prefix="numpy ",
    )


DTYPES = [
    *(np.dtype(char) for char in "?bhilqBHILQefdgFDGSUVOMm"),
    *(np.dtype(name) for name in (">f8", ">i2", ">U5", ">M8[25s]", "m8[ns]", "S7")),
    *(Text(), Text(coerce=False), Text(na_object=None), Text(na_object=np.nan)),
    np.dtype(STRUCTURE),
    np.dtype(("f4", (2, 3))),
    np.dtype([("a", "i1"), ("b", "f8")], align=True),
    np.dtype((np.record, STRUCTURE)),
    np.dtype("f8", metadata={"unit": "eV"}),
]


def _dtypes() -> list[Kind]:
    names = [
        f"numpy dtype {index + 1}: {str(dtype)[:40]}"
        for index, dtype in enumerate(DTYPES)
    ]
    return [
        Kind(name, lambda dtype=dtype: dtype, exactly)
        for name, dtype in zip(names, DTYPES, strict=True)
    ]


def _drawn(bits: Any) -> Any:
    generator = np.random.Generator(bits)
    generator.random(7)
    generator.integers(0, 9, dtype="i4")
    return generator


def _legacy() -> Any:
    state = np.random.RandomState(5)
    state.normal()
    return state


def _same_future(original: Any, loaded: Any) -> None:
    assert type(loaded) is type(original)
    bits = [getattr(each, "bit_generator", None) for each in (original, loaded)]
    assert type(bits[0]) is type(bits[1])
    for _ in range(3):
        drawn = [each.normal(size=9) for each in (original, loaded)]
        assert difference(*drawn) is None


def _same_bits(original: Any, loaded: Any) -> None:
    assert type(loaded) is type(original)
    assert difference(original.state, loaded.state) is None
    assert (original.random_raw(9) == loaded.random_raw(9)).all()


def _generators() -> list[Kind]:
    names = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
    generators = {
        f"Generator of {name}": lambda name=name: _drawn(getattr(np.random, name)(5))
        for name in names
    }
    bits = {name: lambda name=name: getattr(np.random, name)(5) for name in names}
    return [
        *each(generators, _same_future, "numpy "),
        *each({"RandomState": _legacy}, _same_future, "numpy "),
        *each(bits, _same_bits, "numpy bit generator "),
        *each(
            {
                "SeedSequence": lambda: np.random.SeedSequence(
                    2**70, spawn_key=(1, 2), pool_size=8
                ),
                "Generator that has spawned": _spawned,
            },
            _same_spawn,
            "numpy ",
        ),
    ]


def _spawned() -> Any:
    generator = np.random.default_rng(3)
    generator.spawn(2)
    return generator


def _same_spawn(original: Any, loaded: Any) -> None:
    assert type(loaded) is type(original)
    if isinstance(original, np.random.Generator):
        original, loaded = (each.bit_generator.seed_seq for each in (original, loaded))
    assert original.state == loaded.state
    for one, two in zip(original.spawn(2), loaded.spawn(2), strict=True):
        assert one.state == two.state
        assert (one.generate_state(4) == two.generate_state(4)).all()


def _polynomials() -> list[Kind]:
    names = ("Polynomial", "Chebyshev", "Hermite", "HermiteE", "Laguerre", "Legendre")
    made: dict[str, Any] = {
        name: lambda name=name: getattr(np.polynomial, name)(
            [1, -0.0, 2.5], domain=[-2, 2], window=[0, 1], symbol="z"
        )
        for name in names
    }
    return each(
        made
        | {
            "Polynomial of complex": lambda: np.polynomial.Polynomial([1j, 2]),
            "poly1d": lambda: np.poly1d([1.0, 0, -2.5], variable="q"),
            "poly1d, empty": lambda: np.poly1d([]),
            "ufunc": lambda: np.add,
            "function": lambda: np.linalg.norm,
        },
        prefix="numpy ",
    )


KINDS = [
    *each(
        {
            "of 5 MiB, in blocks": lambda: np.arange(5 << 17, dtype="<f8"),
            "of 5 MiB in Fortran's order": lambda: np.asfortranarray(
                np.arange(5 << 17, dtype="<f8").reshape(512, -1)
            ),
        },
        prefix="numpy array ",
        large=True,
    ),
    *_scalars(),
    *_dates(),
    *_arrays(),
    *_masks(),
    *_matrices(),
    *_dtypes(),
    *_generators(),
    *_polynomials(),
]
