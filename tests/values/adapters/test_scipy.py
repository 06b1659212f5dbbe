"""Sparse arrays of scipy come back entry by entry."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

sparse = pytest.importorskip("scipy.sparse")

from archivedb.errors import EncodeError  # noqa: E402
from tests.support import adapting  # noqa: E402

LAYOUTS = ("csr", "csc", "coo", "bsr", "dia", "lil", "dok")
KINDS = [f"{layout}_{kind}" for layout in LAYOUTS for kind in ("array", "matrix")]
DENSE = np.array([[0, 1.5, 0, -0.0], [2, 0, 0, 0], [0, 0, np.nan, 4]])


def _odd() -> list[Any]:
    data, rows = np.array([1.0, 0.0, 3.0, 1.0]), np.array([2, 0, 2, 2])
    duplicates = sparse.coo_array((data, (rows, np.array([1, 1, 1, 0]))), (3, 4))
    unsorted = sparse.csr_array(
        (data, np.array([3, 1, 1, 0]), np.array([0, 2, 2, 4])), (3, 4)
    )
    wide = unsorted.copy()
    wide.indices, wide.indptr = wide.indices.astype("i8"), wide.indptr.astype("i8")
    loose = unsorted.copy()
    loose.data = np.append(loose.data, 9.0)
    loose.indices = np.append(loose.indices, 1)
    asked = unsorted.copy()
    assert not asked.has_sorted_indices
    assert not asked.has_canonical_format
    known = sparse.csc_array(DENSE)
    known.sum_duplicates()
    loud = sparse.csr_matrix(DENSE, maxprint=3)
    zeros = sparse.dok_array((2, 3), dtype="f4")
    zeros[1, 2] = 5
    zeros.setdefault((0, 0), np.float32(0))
    summed = duplicates.copy()
    summed.sum_duplicates()
    rows_of = sparse.lil_array((3, 3), dtype="i2")
    rows_of[0, 2], rows_of[0, 1] = 7, np.int16(4)
    return [
        *(
            duplicates,
            unsorted,
            wide,
            loose,
            asked,
            known,
            loud,
            zeros,
            summed,
            rows_of,
        ),
        sparse.coo_array(np.arange(24).reshape(2, 3, 4) % 5),
        sparse.coo_array(np.array([0, 1, 2], "i1")),
        sparse.dok_array(np.array([0, 1j, 2])),
        sparse.csr_array(np.array([0, 1, 2], "u8")),
        sparse.csr_array(np.array([0, 1, 2], np.longdouble)[None]),
        sparse.bsr_array(np.kron(np.eye(2), np.ones((2, 3))), blocksize=(2, 3)),
        sparse.dia_array((np.arange(8.0).reshape(2, 4), [-1, 5]), shape=(4, 4)),
        sparse.dia_array((np.arange(6.0).reshape(2, 3), [0, 1]), shape=(4, 4)),
        *(
            getattr(sparse, f"{name}_array")((0, 5))
            for name in LAYOUTS
            if name != "bsr"
        ),
        *(getattr(sparse, f"{name}_array")((3, 2), dtype=bool) for name in LAYOUTS),
        sparse.coo_array((10**12, 10**12)),
    ]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("dtype", ["f8", "f4", "c16", "i1", "?"])
def test_every_class(name: str, dtype: str) -> None:
    """Each layout keeps its class, its entries and its indices."""
    dense = np.nan_to_num(DENSE) if np.dtype(dtype).kind in "ib" else DENSE
    value = getattr(sparse, name)(dense.astype(dtype))
    assert adapting.adapter_of(type(value)).kind == f"scipy.sparse.{name}"
    _same(adapting.through(value), value)


@pytest.mark.parametrize("value", _odd(), ids=range(len(_odd())))
def test_odd_values(value: Any) -> None:
    """Nothing is sorted, summed, narrowed or left out."""
    _same(adapting.through(value), value)


def test_it_can_be_worked_with() -> None:
    """What comes back takes part in sums."""
    for name in KINDS:
        value = getattr(sparse, name)(np.nan_to_num(DENSE))
        found = adapting.through(value)
        assert (found.toarray() == value.toarray()).all()
        assert ((found + found.tocsr()).toarray() == 2 * value.toarray()).all()


def test_refusals() -> None:
    """What no state holds is refused."""
    value = sparse.csr_array(np.eye(2))
    value.unit = "eV"
    with pytest.raises(EncodeError, match="unit"):
        adapting.through(value)
    value = sparse.csr_array(np.eye(2))
    value.data = value.data.astype(object)
    with pytest.raises(EncodeError, match="object"):
        adapting.through(value)


def _arrays(**more: Any) -> dict[str, Any]:
    state = {
        "shape": [2, 2],
        "data": np.ones(2),
        "indices": np.array([0, 1], "i4"),
        "indptr": np.array([0, 1, 2], "i4"),
        "offsets": np.array([0], "i4"),
        "coords": [np.array([0, 1]), np.array([0, 1])],
        "columns": np.array([0, 1]),
        "lengths": np.array([1, 1]),
    }
    return state | more


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("csr_array", {}),
        ("csr_array", _arrays(shape=[10**15, 2])),
        ("csr_array", _arrays(shape=[2, 1])),
        ("csr_array", _arrays(shape=[-1, 2])),
        ("csr_array", _arrays(shape=2)),
        ("csr_array", _arrays(indices=np.array([0, 9], "i4"))),
        ("csr_array", _arrays(indices=np.array([0, -1], "i4"))),
        ("csr_array", _arrays(indptr=np.array([0, 5, 2], "i4"))),
        ("csr_array", _arrays(indptr=np.array([0, 1, 9], "i4"))),
        ("csr_array", _arrays(indptr=np.array([0.0, 1, 2]))),
        ("csr_array", _arrays(data=[1.0, 2.0])),
        ("csr_array", _arrays(has_sorted_indices="yes")),
        ("csc_array", _arrays(shape=[2, 10**15])),
        ("bsr_array", _arrays(data=np.ones((2, 2, 2)), shape=[10**15, 2])),
        ("coo_array", _arrays(shape=[1, 1])),
        ("coo_array", _arrays(coords=[np.array([0, -1]), np.array([0, 1])])),
        ("coo_array", _arrays(coords=[np.array([0]), np.array([0])])),
        ("coo_array", _arrays(coords=[np.array([0.0, 1]), np.array([0, 1])])),
        ("dia_array", _arrays(data=np.ones((2, 2)))),
        ("lil_array", _arrays(shape=[10**15, 2])),
        ("lil_array", _arrays(columns=np.array([0, 2]))),
        ("lil_array", _arrays(lengths=np.array([3, -1]))),
        ("lil_array", _arrays(lengths=np.array([2, 1]))),
        ("dok_array", _arrays(coords=[np.array([0, 2]), np.array([0, 1])])),
        ("dok_array", _arrays(coords=[np.array([0, 1])])),
    ],
)
def test_hostile_states(name: str, state: Any) -> None:
    """A state that pack never made raises, and makes nothing large."""
    with pytest.raises(Exception):  # noqa: B017, PT011 - any error will do
        adapting.unpacked(f"scipy.sparse.{name}", state)


def _same(found: Any, value: Any) -> None:
    assert type(found) is type(value)
    assert (found.shape, found.dtype, found.maxprint) == (
        *(value.shape, value.dtype, value.maxprint),
    )
    before, after = dict(vars(value)), dict(vars(found))
    assert before.keys() == after.keys()
    if value.format in ("lil", "dok"):
        before, after = _entries(value), _entries(found)
    for name, one in before.items():
        for left, right in zip(_parts(one), _parts(after[name]), strict=True):
            if isinstance(left, np.ndarray):
                assert (left.dtype, left.shape) == (right.dtype, right.shape)
                np.testing.assert_array_equal(left, right, strict=True)
                assert left.dtype.itemsize > 8 or left.tobytes() == right.tobytes()
            else:
                assert left == right


def _parts(value: Any) -> Any:
    return value if isinstance(value, tuple) else (value,)


def _entries(value: Any) -> dict[str, Any]:
    if value.format == "dok":
        return {
            "keys": tuple(value.keys()),
            "data": np.array(list(value.values()), value.dtype),
        }
    return {
        "rows": tuple(value.rows),
        "data": tuple(np.array(row, value.dtype) for row in value.data),
    }
