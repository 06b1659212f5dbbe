"""xarray, ase and pint: labelled arrays, atoms and quantities."""

from __future__ import annotations

import decimal
import fractions
from typing import Any

import ase
import numpy as np
import pandas as pd
import pint
import xarray as xr
from ase import constraints
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase.cell import Cell
from ase.spacegroup import Spacegroup

from tests.fidelity.kind import behaving, each, exactly, objects
from tests.support.exact import difference

UNITS = pint.get_application_registry()


# xarray -----------------------------------------------------------------------


def _dataset() -> Any:
    made = xr.Dataset(
        {"energy": (("x", "t"), np.arange(6.0).reshape(2, 3)), ("odd", 1): ((), 5)},
        coords={
            "x": ["fcc", "b"],
            "t": pd.date_range("2020", periods=3, freq="D"),
            "z": ("x", [1, 2]),
            "scalar": 7,
        },
        attrs={"title": "runs", 3: np.arange(2)},
    )
    made["energy"].attrs = {"unit": "eV"}
    made["energy"].encoding = {"dtype": np.dtype("f4"), "zlib": True}
    made.encoding = {"source": "a.nc"}
    return made


def _stacked() -> Any:
    index = pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["l", "n"])
    coords = xr.Coordinates.from_pandas_multiindex(index, "m")
    return xr.Dataset({"q": ("m", np.arange(4))}, coords=coords)


XARRAYS: dict[str, Any] = {
    "Dataset": _dataset,
    "Dataset, empty": xr.Dataset,
    "Dataset with a MultiIndex": _stacked,
    "Dataset without an index": lambda: _dataset().drop_indexes("x"),
    "Dataset of categories": lambda: xr.Dataset(
        coords={"c": pd.CategoricalIndex(["b", "a"], ordered=True)}
    ),
    "Dataset of nullable ints": lambda: xr.Dataset(
        {"e": ("x", pd.array([1, None], dtype="Int64"))}
    ),
    "DataArray": lambda: _dataset()["energy"],
    "DataArray with a name": lambda: xr.DataArray(np.eye(2, dtype="f4"), name=("a", 1)),
    "DataArray without a name": lambda: xr.DataArray(np.arange(3)),
    "DataArray 0-d": lambda: xr.DataArray(-0.0, attrs={"unit": "eV"}),
    "DataArray of text": lambda: xr.DataArray(["a", "é\0b"], dims="x"),
    "DataArray with NaN": lambda: xr.DataArray([np.nan, 1.0], {"x": [1.5, 2.5]}, "x"),
    "DataArray of datetimes": lambda: xr.DataArray(
        pd.date_range("2020", periods=2), dims="t"
    ),
    "DataArray big-endian": lambda: xr.DataArray(np.array([1, 2], ">f8")),
    "DataArray of complex": lambda: xr.DataArray(
        [1j, 2], coords={"x": [1, 2]}, dims="x"
    ),
    "Variable": lambda: xr.Variable("x", [1, 2], {"unit": "eV"}),
}


def _variables(value: Any) -> Any:
    if isinstance(value, xr.Variable):
        return {"": value}
    if isinstance(value, xr.DataArray):
        return {"": value.variable, **{n: c.variable for n, c in value.coords.items()}}
    return dict(value.variables)


def _labelled(original: Any, loaded: Any) -> None:
    assert type(loaded) is type(original)
    assert loaded.identical(original)
    exactly(original.attrs, loaded.attrs)
    exactly(original.encoding, loaded.encoding)
    exactly(dict(original.sizes), dict(loaded.sizes))
    mine, theirs = _variables(original), _variables(loaded)
    assert list(theirs) == list(mine)
    for name, one in mine.items():
        two = theirs[name]
        assert one.dtype == two.dtype, name
        assert type(one) is type(two), name
        exactly([one.attrs, one.encoding], [two.attrs, two.encoding])
        if isinstance(one.dtype, np.dtype):
            assert difference(one.to_numpy(), two.to_numpy()) is None, name
    if not isinstance(original, xr.Variable):
        assert list(loaded.coords) == list(original.coords)
        assert {n: type(i) for n, i in loaded.xindexes.items()} == {
            n: type(i) for n, i in original.xindexes.items()
        }


# ase --------------------------------------------------------------------------


def _rich() -> Any:
    atoms = bulk("Al", cubic=True)
    atoms.set_velocities(np.arange(12.0).reshape(4, 3))
    atoms.set_tags([3, 1, 2, 0])
    atoms.set_array("labels", np.array(["a", "b", "cc", ""]))
    atoms.info = {"name": "Al", "nested": {1: np.arange(3)}, ("odd", 2): None}
    atoms.pbc = [True, False, True]
    atoms.set_celldisp([[0.5], [0.0], [-0.0]])
    atoms.set_constraint([constraints.FixAtoms([0, 2]), constraints.FixCartesian(1)])
    return atoms


def _computed() -> Any:
    atoms = _rich()
    atoms.calc = SinglePointCalculator(atoms, energy=-3.7, forces=np.eye(4, 3))
    return atoms


def _spaced() -> Any:
    atoms = bulk("Cu")
    atoms.info["spacegroup"] = Spacegroup(225)
    return atoms


ATOMS: dict[str, Any] = {
    "empty": ase.Atoms,
    "of a molecule": lambda: molecule("H2O"),
    "of a crystal": lambda: bulk("NaCl", "rocksalt", a=5.6),
    "with all that there is": _rich,
    "with results": _computed,
    "with a spacegroup": _spaced,
    "without a cell": lambda: ase.Atoms("CO", [(0, 0, -0.0), (0, 0, 1.1)]),
}


def _atoms(original: Any, loaded: Any) -> None:
    assert type(loaded) is type(original)
    exactly(list(original.arrays), list(loaded.arrays))
    exactly(original.arrays, loaded.arrays)
    exactly(original.cell.array, loaded.cell.array)
    exactly(original.pbc, loaded.pbc)
    exactly(original.get_celldisp(), loaded.get_celldisp())
    infos = [dict(each.info) for each in (original, loaded)]
    groups = [info.pop("spacegroup", None) for info in infos]
    assert groups[0] == groups[1]
    exactly(*infos)
    rules = [
        [rule.todict() for rule in each.constraints] for each in (original, loaded)
    ]
    exactly(*rules)
    assert type(loaded.calc) is type(original.calc)
    if original.calc is not None:
        exactly(original.calc.results, loaded.calc.results)
        assert not loaded.calc.check_state(loaded)
        assert loaded.get_potential_energy() == original.get_potential_energy()


# pint -------------------------------------------------------------------------


def _quantity(magnitude: Any, unit: str) -> Any:
    return UNITS.Quantity(magnitude, unit)


QUANTITIES: dict[str, Any] = {
    "of a float": lambda: _quantity(-3.7, "eV/angstrom"),
    "of an int": lambda: _quantity(3, "fs"),
    "of -0.0": lambda: _quantity(-0.0, "m"),
    "of complex": lambda: _quantity(1 + 2j, "V"),
    "of an array": lambda: _quantity(np.arange(6.0).reshape(2, 3), "eV/angstrom**2"),
    "of float32": lambda: _quantity(np.float32(0.1), "K"),
    "of a Decimal": lambda: _quantity(decimal.Decimal("1.10"), "m"),
    "of a Fraction": lambda: _quantity(fractions.Fraction(1, 3), "s"),
    "without a unit": lambda: _quantity(2.5, ""),
    "of temperature": lambda: _quantity(20.0, "degC"),
    "with an odd power": lambda: _quantity(1.0, "m**0.5/s**(1/3)"),
    "of percent": lambda: _quantity(5, "percent"),
}


def _quantities(original: Any, loaded: Any) -> None:
    assert type(loaded) is type(original)
    exactly(original.magnitude, loaded.magnitude)
    assert loaded.units == original.units
    assert dict(loaded._units) == dict(original._units)


KINDS = [
    *each(XARRAYS, _labelled, "xarray "),
    *each(ATOMS, _atoms, "ase.Atoms "),
    *each(
        {
            "Cell": lambda: Cell.fromcellpar([1, 2, 3, 80, 90, 100]),
            "Spacegroup": lambda: Spacegroup(225),
            "FixAtoms": lambda: constraints.FixAtoms([0, 2]),
        },
        behaving(repr),
        "ase ",
    ),
    *each(
        {"Atom": lambda: ase.Atom("Al", (0, 0, 1.5), tag=3)},
        lambda original, loaded: objects(original.data, loaded.data),
        "ase ",
    ),
    *each(QUANTITIES, _quantities, "pint Quantity "),
    *each(
        {"Unit": lambda: UNITS.Unit("eV/angstrom**2")},
        behaving(lambda value: dict(value._units)),
        "pint ",
    ),
]
