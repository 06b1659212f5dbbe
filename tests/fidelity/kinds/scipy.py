"""scipy: every sparse class, rotations, interpolations and optimisation results."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import interpolate, optimize, sparse, stats
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from tests.fidelity.kind import Kind, behaving, each, exactly
from tests.support.exact import difference

LAYOUTS = ("csr", "csc", "coo", "bsr", "dia", "lil", "dok")
CLASSES = [f"{layout}_{kind}" for layout in LAYOUTS for kind in ("array", "matrix")]
PARTS = ("data", "indices", "indptr", "row", "col", "offsets", "rows")
DENSE = np.array([[0, 1.5, 0, -0.0], [2, 0, 0, 0], [0, 0, np.nan, 4]])


def _sparse(original: Any, loaded: Any) -> None:
    assert type(loaded) is type(original)
    assert loaded.shape == original.shape
    assert loaded.dtype == original.dtype
    if original.format == "dok":
        # Keys are ints of one type or another, by how it was made.
        assert list(loaded.keys()) == list(original.keys())
        exactly(list(original.values()), list(loaded.values()))
        return
    for name in PARTS:
        part = getattr(original, name, None)
        if isinstance(part, np.ndarray):
            what = difference(part, getattr(loaded, name))
            assert what is None, f"{name}: {what}"
    if original.format == "coo":
        assert difference(list(original.coords), list(loaded.coords)) is None


def _duplicates() -> Any:
    rows, columns = np.array([2, 0, 2, 2]), np.array([1, 1, 1, 0])
    return sparse.coo_array((np.array([1.0, 0.0, 3.0, 1.0]), (rows, columns)), (3, 4))


def _unsorted() -> Any:
    data, indices = np.array([1.0, 0.0, 3.0]), np.array([3, 1, 0])
    return sparse.csr_array((data, indices, np.array([0, 2, 2, 3])), (3, 4))


def _wide() -> Any:
    made = _unsorted()
    made.indices, made.indptr = made.indices.astype("i8"), made.indptr.astype("i8")
    return made


def _made(name: str, dtype: str) -> Any:
    dense = np.nan_to_num(DENSE) if np.dtype(dtype).kind in "ib" else DENSE
    return getattr(sparse, name)(dense.astype(dtype))


ODD: dict[str, Any] = {
    "with doubled entries": _duplicates,
    "with unsorted indices and explicit zeros": _unsorted,
    "with indices of 64 bits": _wide,
    "of three axes": lambda: sparse.coo_array(np.arange(24).reshape(2, 3, 4) % 5),
    "of one axis": lambda: sparse.coo_array(np.array([0, 1, 2], "i1")),
    "of 10¹² by 10¹²": lambda: sparse.coo_array((10**12, 10**12)),
    "bsr of blocks": lambda: sparse.bsr_array(
        np.kron(np.eye(2), np.ones((2, 3))), blocksize=(2, 3)
    ),
    "dia off the diagonal": lambda: sparse.dia_array(
        (np.arange(8.0).reshape(2, 4), [-1, 5]), shape=(4, 4)
    ),
    "empty": lambda: sparse.csr_matrix((0, 5)),
    "of longdouble": lambda: sparse.csr_array(np.array([[0, 1, 2]], np.longdouble)),
}


def _rotations(original: Any, loaded: Any) -> None:
    assert type(loaded) is type(original)
    assert difference(original.as_quat(), loaded.as_quat()) is None


KINDS = [
    *(
        Kind(
            f"scipy.sparse.{name} of {dtype}",
            lambda name=name, dtype=dtype: _made(name, dtype),
            _sparse,
        )
        for name in CLASSES
        for dtype in ("f8", "c16", "i1", "?")
    ),
    *each(ODD, _sparse, "scipy.sparse "),
    *each(
        {
            "Rotation": lambda: Rotation.from_euler("xyz", [0.1, 0.2, 0.3]),
            "Rotation of many": lambda: Rotation.from_rotvec(np.eye(3)),
        },
        _rotations,
        "scipy ",
    ),
    *each(
        {
            "CubicSpline": lambda: interpolate.CubicSpline(range(5), [0, 1, 4, 9, 16]),
            "PchipInterpolator": lambda: interpolate.PchipInterpolator(
                range(4), [0, 1, 4, 9]
            ),
        },
        behaving(lambda value: value(np.linspace(0, 3, 7))),
        "scipy ",
    ),
    *each(
        {"OptimizeResult": lambda: optimize.OptimizeResult(x=np.arange(3), fun=-1.5)},
        lambda original, loaded: exactly(
            (type(original).__name__, dict(original)),
            (type(loaded).__name__, dict(loaded)),
        ),
        "scipy ",
    ),
    *each(
        {"frozen distribution": lambda: stats.norm(1, 2)},
        behaving(lambda value: value.pdf(0.5)),
        "scipy ",
    ),
    *each(
        {"cKDTree": lambda: cKDTree(np.arange(12.0).reshape(4, 3))},
        behaving(lambda value: list(value.query([1, 2, 3]))),
        "scipy ",
    ),
]
