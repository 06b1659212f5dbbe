"""Adapters of numpy: dtypes, odd and masked arrays, polynomials, random generators."""

from __future__ import annotations

from typing import Any

import numpy as np

from archivedb.values.adapters import (
    numpy_arrays,
    numpy_dtypes,
    numpy_masked,
    numpy_random,
)
from archivedb.values.adapters.base import Adapter
from archivedb.values.adapters.checks import (
    packing,
    require_attributes,
    require_keys,
    require_that,
)
from archivedb.values.adapters.numpy_arrays import odd_array

__all__ = ["adapters", "odd_array"]


def adapters() -> list[Adapter]:
    """Return the adapters of numpy."""
    return [
        *numpy_dtypes.adapters(),
        *numpy_arrays.adapters(),
        *numpy_masked.adapters(),
        *numpy_random.adapters(),
        *(_series(getattr(np.polynomial, name)) for name in _SERIES),
        Adapter("numpy.poly1d", np.poly1d, _pack_poly1d, _unpack_poly1d),
    ]


# Polynomials ------------------------------------------------------------------

_SERIES = (*("Chebyshev", "Hermite", "HermiteE", "Laguerre", "Legendre", "Polynomial"),)
_PARTS = ("coef", "domain", "window")


def _series(cls: Any) -> Adapter:
    def unpack(state: Any) -> Any:
        require_keys(state, {"coef", "symbol"}, {*_PARTS})
        made = cls.__new__(cls)
        vars(made).update(_series_attributes(state))
        return made

    return Adapter(f"numpy.polynomial.{cls.__name__}", cls, _pack_series, unpack)


def _pack_series(value: Any) -> dict[str, Any]:
    require_attributes(value, {*_PARTS, "_symbol"})
    # Domain and window are the class's own unless they were given.
    state = {name: part for name, part in vars(value).items() if name in _PARTS}
    state["symbol"] = value.symbol
    with packing():
        _series_attributes(state)
    return state


def _series_attributes(state: dict[str, Any]) -> dict[str, Any]:
    parts = {name: _flat(state[name]) for name in _PARTS if name in state}
    return {**parts, "_symbol": _symbol(state["symbol"])}


def _pack_poly1d(value: np.poly1d) -> dict[str, Any]:
    require_attributes(value, {"coeffs", "_variable"})
    state = {"coeffs": value.coeffs, "variable": value.variable}
    with packing():
        _unpack_poly1d(state)
    return state


def _unpack_poly1d(state: Any) -> np.poly1d:
    require_keys(state, {"coeffs", "variable"})
    made = np.poly1d([0], variable=_symbol(state["variable"]))
    # Given to the class, zeros at the front would be cut off.
    vars(made)["coeffs"] = _flat(state["coeffs"])
    return made


def _symbol(symbol: Any) -> Any:
    require_that(isinstance(symbol, str), "the name of a variable is no text")
    return symbol


def _flat(array: Any) -> Any:
    one = isinstance(array, np.ndarray) and array.ndim == 1
    require_that(one, "the numbers of a polynomial are in no row")
    return array
