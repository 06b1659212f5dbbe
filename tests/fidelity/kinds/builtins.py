"""Python's own scalars, in odd forms."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import fractions
import math
import pathlib
import struct
import types
import uuid
from typing import Any

import numpy as np

from tests.fidelity.kind import constants, each, identical, objects


def _nan(bits: int) -> float:
    (value,) = struct.unpack("<d", struct.pack("<Q", bits))
    return float(value)


INTS = {
    "int 0": 0,
    "int -1": -1,
    "int 2⁵³+1": 2**53 + 1,
    "int 2⁶³-1": 2**63 - 1,
    "int 2⁶³": 2**63,
    "int -2⁶³": -(2**63),
    "int -2⁶³-1": -(2**63) - 1,
    "int 2⁶⁴": 2**64,
    "int of 10,000 digits": 10**9999 + 7,
    "int of -10,000 digits": -(10**9999) - 7,
    "bool True": True,
    "bool False": False,
}
FLOATS = {
    "float 0.1": 0.1,
    "float 1.0, not the int": 1.0,
    "float -0.0": -0.0,
    "float inf": math.inf,
    "float -inf": -math.inf,
    "float NaN": math.nan,
    "float -NaN": -math.nan,
    "float NaN with bits": _nan(0x7FF8000000000001),
    "float signalling NaN": _nan(0x7FF0000000000001),
    "float smallest denormal": 5e-324,
    "float largest denormal": 2.225073858507201e-308,
    "float largest": 1.7976931348623157e308,
    "float 2⁵³ as 9007199254740992.0": 2.0**53,
    "complex": 1 + 2j,
    "complex with -0.0": complex(-0.0, 0.0),
    "complex with NaN and inf": complex(math.nan, -math.inf),
    "complex with NaN of bits": complex(_nan(0xFFF8000000000003), 1),
}
TEXTS = {
    "str empty": "",
    "str of ASCII": "fcc",
    "str with accents and emoji": "Å é 😀",
    "str in NFD": "e\u0301",
    "str with NUL": "a\0b",
    "str with trailing NUL": "a\0",
    "str of one NUL": "\0",
    "str with controls": "\r\n\t\x7f\x1b",
    "str with a lone high surrogate": "\ud800",
    "str with a lone low surrogate": "x\udfff",
    "str with a surrogate pair as two characters": "\ud83d\ude00",
    "str that looks like a tag": "$array",
    "str that looks like JSON": '{"$ref": ""}',
    "str with a byte order mark": "\ufeffx",
    "str of 100 kB": "0123456789" * 10_240,
    "str of 100 kB with surrogates": "é\ud800\0" * 20_000,
    "str of 4,097 bytes": "x" * 4097,
    "bytes empty": b"",
    "bytes": b"\0\xff\0",
    "bytes of 100 kB": bytes(range(256)) * 400,
    "bytes that are UTF-8": "é".encode(),
}
SINGLETONS = {
    "None": None,
    "Ellipsis": ...,
    "NotImplemented": NotImplemented,
}
TYPES: dict[str, Any] = {
    "type int": int,
    "type float": float,
    "type object": object,
    "type type": type,
    "type None": type(None),
    "type Ellipsis": type(...),
    "type ValueError": ValueError,
    "type OrderedDict": collections.OrderedDict,
    "type datetime": dt.datetime,
    "type Decimal": decimal.Decimal,
    "type Fraction": fractions.Fraction,
    "type Path": pathlib.Path,
    "type UUID": uuid.UUID,
    "type SimpleNamespace": types.SimpleNamespace,
    "type FunctionType": types.FunctionType,
    "type numpy.ndarray": np.ndarray,
    "type numpy.float64": np.float64,
    "type numpy.ma.MaskedArray": np.ma.MaskedArray,
}


def _named(table: dict[str, Any], **more: Any) -> Any:
    names = {id(value): name for name, value in table.items()}
    return constants(table.values(), lambda value: names[id(value)], **more)


KINDS = [
    *_named(SINGLETONS, check=identical),
    *_named(INTS),
    *_named(FLOATS),
    *_named(TEXTS),
    *each(
        {
            "bytearray empty": bytearray,
            "bytearray": lambda: bytearray(b"\0\xff"),
            "bytearray of 100 kB": lambda: bytearray(b"\0\xff" * 50_000),
            "range": lambda: range(2, -9, -3),
            "range, empty": lambda: range(0),
            "range of large ints": lambda: range(2**70, 2**71, 2**69),
            "slice": lambda: slice(1, None, 2),
            "slice of odd ends": lambda: slice("a", [1], 2.5),
        }
    ),
    *_named(TYPES, check=identical),
    *each(
        {
            "generic alias list[int]": lambda: list[int],
            "generic alias dict[str, list[float]]": lambda: dict[str, list[float]],
            "union int | None": lambda: int | None,
        },
        check=lambda original, loaded: objects(
            (original == loaded, type(loaded)), (True, type(original))
        ),
    ),
]
