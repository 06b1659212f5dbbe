"""What the golden archives hold; never change it, add to it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

MODES = ("hdf5", "json", "cloudpickle")

METADATA: dict[str, Any] = {"project": "golden", "big": 2**70, "pair": (1, None)}

VERSIONS: tuple[dict[Any, Any], ...] = (
    {"energy": -3.7, "note": "the first version"},
    {
        "inputs": {"structure": "fcc", "k-points": (4, 4, 4), "odd/key": {"": "%"}},
        "outputs": {
            "energy": -3.7,
            "forces": np.linspace(-1, 1, 96).reshape(32, 3),
            "odd": [float("inf"), -0.0, 1e-323, 0.1 + 0.2],
            "complex": np.array([1 + 2j, 3 - 4j], np.complex64),
            "dates": np.array(["2024-02-29", "NaT"], "M8[D]"),
            "words": np.array(["é", "日本"]),
            "mask": np.array([True, False]),
            "empty": np.zeros((0, 3), np.int16),
            "big-endian": np.arange(3, dtype=">i4"),
        },
        "ints": {"small": -1, "big": 2**64, "huge": -(3**90)},
        "bytes": bytes(range(256)),
        "text": "µ Å \U0001f600 \0 \ud800",
        "mixed": [None, True, 1, 1.0, "1", b"1", (1,), {}],
        7: {"seven": (2, 3)},
        "deep": {"a": {"b": {"c": {"d": [[[1, 2], [3]]]}}}},
        "scalar": np.float32(0.1),
    },
)

OBJECTS: dict[str, Any] = {"objects": [Fraction(1, 3), {"f": Fraction}], "plain": 1}

DELETED: dict[str, Any] = {"gone": "for good"}
