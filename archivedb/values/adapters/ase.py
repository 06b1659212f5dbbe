"""
Atoms of ASE: every array, the cell, constraints, and results of calculators.

A calculator itself is a program with its settings, files and processes; only
the one that merely remembers results is kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms, constraints
from ase.calculators.singlepoint import SinglePointCalculator
from ase.cell import Cell

from archivedb.errors import EncodeError
from archivedb.values.adapters.base import Adapter
from archivedb.values.adapters.checks import require_attributes, require_that
from archivedb.values.adapters.states import expect

_OWN = frozenset(
    {
        *("arrays", "info", "_calc", "_cellobj", "_celldisp", "_constraints", "_pbc"),
    }
)
# Those that are nothing but their arguments; the rest holds symmetries,
# expressions, or what it found out during a run.
_CONSTRAINTS = frozenset(
    {
        *("ExternalForce", "FixAtoms", "FixBondLength", "FixBondLengths"),
        *("FixCartesian", "FixCom", "FixInternals", "FixLinearTriatomic", "FixScaled"),
        *("FixSubsetCom", "FixedLine", "FixedMode", "FixedPlane", "Hookean"),
        *("MirrorForce", "MirrorTorque"),
    }
)


def adapters() -> list[Adapter]:
    """Return the adapters for atoms and cells."""
    return [
        Adapter("ase.Atoms", Atoms, _atoms, _to_atoms),
        Adapter("ase.Cell", Cell, _cell, _to_cell),
    ]


def _cell(value: Any) -> Any:
    require_attributes(value, {"array"})
    return value.array


def _to_cell(state: Any) -> Any:
    return Cell(_lengths(state))


def _lengths(state: Any) -> Any:
    array = expect(state, np.ndarray)
    require_that((array.dtype, array.shape) == (float, (3, 3)), "a cell has 3 vectors")
    return array


def _atoms(value: Any) -> dict[str, Any]:
    require_attributes(value, _OWN)
    more = dict(value.arrays)
    state = {
        "numbers": more.pop("numbers"),
        "positions": more.pop("positions"),
        "cell": _cell(value.cell),
        "pbc": value.pbc,
    }
    if more:
        state["arrays"] = more
    displaced = value._celldisp  # noqa: SLF001 - the getter copies
    if not _same(displaced, np.zeros((3, 1))):
        state["celldisp"] = displaced
    if value.info:
        state["info"] = value.info
    if value.constraints:
        state["constraints"] = [_constraint(one) for one in value.constraints]
    if value.calc is not None:
        state |= _results(value)
    return state


def _to_atoms(state: Any) -> Any:
    pbc = expect(state["pbc"], np.ndarray)
    require_that((pbc.dtype, pbc.shape) == (bool, (3,)), "pbc is three booleans")
    arrays = {name: state[name] for name in ("numbers", "positions")}
    arrays |= expect(state.get("arrays", {}), dict)
    count = len(expect(state["numbers"], np.ndarray))
    for array in arrays.values():
        expect(array, np.ndarray)
        require_that(array.shape[:1] == (count,), "each atom has its row")
    require_that(arrays["positions"].shape == (count, 3), "a position has 3 numbers")

    made = Atoms(cell=Cell(_lengths(state["cell"])), pbc=pbc)
    # The constructor would copy and convert them.
    made.arrays = arrays
    made.info = expect(state.get("info", {}), dict)
    if "celldisp" in state:
        made._celldisp = expect(state["celldisp"], np.ndarray)  # noqa: SLF001
    if "constraints" in state:
        listed = expect(state["constraints"], list)
        made.set_constraint([_to_constraint(one) for one in listed])
    if "results" in state:
        made.calc = _to_calculator(made, state)
    return made


# Constraints ----------------------------------------------------------------


def _constraint(value: Any) -> Any:
    """Return a constraint's name and arguments, if that is all of it."""
    name = type(value).__name__
    if name in _CONSTRAINTS and getattr(constraints, name, None) is type(value):
        state = value.todict()
        # A direction is normalised, and once more when it is built again; others
        # remember forces.
        new, old = vars(_to_constraint(state)), vars(value)
        changed = {key: old[key] for key in old if not _same(old[key], new.get(key))}
        if changed:
            state["attributes"] = changed
        if new.keys() == old.keys() and all(
            _same(one, one) for one in changed.values()
        ):
            return state
    msg = (
        f"a constraint {name} cannot be built again from its arguments: remove it with "
        "set_constraint(), and store what it was made from"
    )
    raise EncodeError(msg)


def _to_constraint(state: Any) -> Any:
    require_that(state["name"] in _CONSTRAINTS, "no constraint of this name")
    arguments = expect(state["kwargs"], dict)
    made = constraints.dict2constraint({"name": state["name"], "kwargs": arguments})
    for name, value in expect(state.get("attributes", {}), dict).items():
        require_that(name in vars(made), f"a constraint without {name!r}")
        setattr(made, name, value)
    return made


# Results ----------------------------------------------------------------------


def _results(atoms: Any) -> dict[str, Any]:
    calc = atoms.calc
    if type(calc) is not SinglePointCalculator:
        msg = (
            f"the calculator {type(calc).__name__} cannot be stored: keep its results, "
            "atoms.calc = SinglePointCalculator(atoms, **atoms.calc.results), "
            "or set atoms.calc = None"
        )
        raise EncodeError(msg)
    facts: dict[str, Any] = {}
    if "name" in vars(calc):
        facts["name"] = calc.name
    if calc.parameters:
        facts["parameters"] = dict(calc.parameters)
    # Results belong to the atoms that they were computed for.
    if not _alike(calc.atoms, atoms):
        facts["atoms"] = calc.atoms
    _require_plain(calc, atoms)
    state: dict[str, Any] = {"results": calc.results}
    return state | {"calculator": facts} if facts else state


_FACTS = frozenset({"atoms", "name", "parameters", "results"})


def _require_plain(calc: Any, atoms: Any) -> None:
    """Raise if a calculator has settings that no state of it holds."""
    new = vars(SinglePointCalculator(atoms))
    # A bound method of each, which warns when it is called.
    known = _FACTS | {"get_spin_polarized"}
    require_attributes(calc, known | set(new))
    for name in set(new) - known:
        if vars(calc).get(name) != new[name]:
            msg = f"the calculator's {name} would be lost: set atoms.calc to a new one"
            raise EncodeError(msg)


def _to_calculator(atoms: Any, state: Any) -> Any:
    facts = expect(state.get("calculator", {}), dict)
    made = SinglePointCalculator(expect(facts.get("atoms", atoms), Atoms))
    made.results = expect(state["results"], dict)
    made.parameters.update(expect(facts.get("parameters", {}), dict))
    if "name" in facts:
        made.name = expect(facts["name"], str, type(None))
    return made


def _alike(one: Any, two: Any) -> bool:
    """Return whether atoms are the same but for their calculators."""
    if type(one) is not Atoms:
        return False
    if not _same(
        [vars(c) for c in one.constraints], [vars(c) for c in two.constraints]
    ):
        return False
    kinds = [list(map(type, atoms.constraints)) for atoms in (one, two)]
    facts = [
        {**vars(atoms), "_cellobj": atoms.cell.array, "_calc": None, "_constraints": 0}
        for atoms in (one, two)
    ]
    return bool(one.calc is None and kinds[0] == kinds[1] and _same(*facts))


_PLAIN = (type(None), bool, int, float, complex, str, bytes, np.dtype)


def _same(one: Any, two: Any) -> bool:
    """Return whether values are surely the same; what is no plain data is not."""
    if type(one) is not type(two):
        return False
    if isinstance(one, np.ndarray | np.generic):
        if one.dtype != two.dtype or one.shape != two.shape or one.dtype.hasobject:
            return False
        return bool(one.tobytes() == two.tobytes())
    if type(one) is dict:
        return list(one) == list(two) and all(_same(one[key], two[key]) for key in one)
    if type(one) in (list, tuple):
        return len(one) == len(two) and all(map(_same, one, two))
    # As text, 0.0 differs from -0.0, and NaN does not from itself.
    return isinstance(one, _PLAIN) and repr(one) == repr(two)
