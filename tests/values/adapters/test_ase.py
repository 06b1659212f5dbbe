"""Atoms come back with all that was set on them, or are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

ase = pytest.importorskip("ase")

from ase import Atoms, constraints  # noqa: E402
from ase.build import bulk, molecule  # noqa: E402
from ase.calculators.emt import EMT  # noqa: E402
from ase.calculators.singlepoint import SinglePointCalculator  # noqa: E402
from ase.cell import Cell  # noqa: E402

from archivedb.errors import EncodeError  # noqa: E402
from tests.support import adapting, exact  # noqa: E402


def _rich() -> Atoms:
    atoms = bulk("Al", cubic=True)
    atoms.set_velocities(np.arange(12.0).reshape(4, 3))
    atoms.set_tags([3, 1, 2, 0])
    atoms.set_array("labels", np.array(["a", "b", "cc", ""]))
    atoms.arrays["positions"] = atoms.positions.astype("f4")
    atoms.info = {"name": "Al", "nested": {1: np.arange(3)}, ("odd", 2): None}
    atoms.pbc = [True, False, True]
    atoms.set_celldisp([[0.5], [0.0], [-0.0]])
    atoms.set_constraint([constraints.FixAtoms([0, 2]), constraints.FixCartesian(1)])
    return atoms


def _computed(*, moved: bool = False) -> Atoms:
    atoms = _rich()
    calc = SinglePointCalculator(atoms, energy=-3.7, forces=np.eye(4, 3))
    atoms.calc = calc
    calc.results["own"] = {"list": [1, 2.5]}
    calc.name = "emt"
    calc.parameters.update(cutoff=4.05)
    if moved:
        atoms.positions[0] += 0.1
    return atoms


ATOMS = [
    Atoms(),
    Atoms("CO"),
    molecule("H2O"),
    bulk("NaCl", "rocksalt", a=5.6),
    _rich(),
    _computed(),
    _computed(moved=True),
]


@pytest.mark.parametrize("value", ATOMS, ids=range(len(ATOMS)))
def test_atoms(value: Any) -> None:
    """Every array, the cell, constraints and results stay."""
    found = adapting.through(value)
    _same(found, value)
    assert found == value
    if value.calc is not None:
        assert type(found.calc) is SinglePointCalculator
        assert exact.difference(found.calc.results, value.calc.results) is None
        assert (found.calc.name, found.calc.parameters) == (
            *(value.calc.name, value.calc.parameters),
        )
        _same(found.calc.atoms, value.calc.atoms)
        assert bool(found.calc.check_state(found)) == bool(
            value.calc.check_state(value)
        )


def test_results_of_other_positions() -> None:
    """Results are those of the positions that they were computed for."""
    found = adapting.through(_computed())
    assert found.get_potential_energy() == -3.7
    moved = adapting.through(_computed(moved=True))
    with pytest.raises(ase.calculators.calculator.PropertyNotImplementedError):
        moved.get_potential_energy()


def test_paths_lead_to_arrays() -> None:
    """The state has the names that ASE has."""
    atoms = _computed()
    state = adapting.named("ase.Atoms").pack(atoms)
    assert state["positions"] is atoms.positions
    assert list(state) == [
        *("numbers", "positions", "cell", "pbc", "arrays", "celldisp", "info"),
        *("constraints", "results", "calculator"),
    ]
    assert type(state["cell"]) is np.ndarray
    assert state["results"]["energy"] == -3.7


@pytest.mark.parametrize("array", [np.zeros((3, 3)), np.arange(9.0).reshape(3, 3)])
def test_cells(array: Any) -> None:
    """A cell comes back as one."""
    found = adapting.through(Cell(array))
    assert type(found) is Cell
    assert exact.difference(found.array, array) is None


CONSTRAINTS = [
    constraints.FixAtoms([1]),
    constraints.FixAtoms(mask=[True, False, True]),
    constraints.FixBondLength(0, 1),
    constraints.FixBondLengths([[0, 1], [0, 2]], tolerance=1e-9),
    constraints.FixCartesian([0, 1], (True, False, True)),
    constraints.FixCom(),
    constraints.FixLinearTriatomic([(0, 1, 2)]),
    constraints.FixScaled([0], (True, True, False)),
    constraints.FixSubsetCom([0, 1]),
    constraints.FixedLine(0, [1, 0, 0]),
    constraints.FixedMode(np.arange(9.0).reshape(3, 3)),
    constraints.FixedPlane([0, 2], [0, 1, 1]),
    constraints.Hookean(0, 1, 5.0, rt=2.0),
    constraints.Hookean(0, (1.0, 2.0, 3.0), 5.0),
    constraints.ExternalForce(0, 1, 0.5),
    constraints.MirrorForce(0, 1, 2.0, 1.0, 0.1),
]


@pytest.mark.parametrize("value", CONSTRAINTS, ids=lambda one: type(one).__name__)
def test_constraints(value: Any) -> None:
    """A constraint is its class and its arguments."""
    atoms = molecule("H2O", constraint=value)
    found = adapting.through(atoms)
    assert type(found.constraints[0]) is type(value)
    assert exact.difference(vars(found.constraints[0]), vars(value)) is None


class _OwnAtoms(Atoms):
    """A subclass is somebody else's."""


class _OwnConstraint:
    def todict(self) -> dict[str, Any]:
        return {"name": "FixAtoms", "kwargs": {"indices": [0]}}


def test_refusals() -> None:
    """What would be lost is refused."""
    atoms = bulk("Cu")
    atoms.calc = EMT()
    with pytest.raises(EncodeError, match=r"EMT.*SinglePointCalculator"):
        adapting.through(atoms)
    atoms = bulk("Cu")
    atoms.set_constraint(_OwnConstraint())
    with pytest.raises(EncodeError, match="_OwnConstraint"):
        adapting.through(atoms)
    atoms = bulk("Cu")
    atoms.colour = "red"
    with pytest.raises(EncodeError, match="colour"):
        adapting.through(atoms)
    atoms = _computed()
    atoms.calc.use_cache = True
    with pytest.raises(EncodeError, match="use_cache"):
        adapting.through(atoms)
    hooked = molecule("H2O", constraint=constraints.FixAtoms([0]))
    hooked.constraints[0].note = "mine"
    with pytest.raises(EncodeError, match="FixAtoms"):
        adapting.through(hooked)
    assert adapting.adapter_of(_OwnAtoms) is None


def _state(**more: Any) -> dict[str, Any]:
    return {**adapting.named("ase.Atoms").pack(Atoms("CO")), **more}


@pytest.mark.parametrize(
    "state",
    [
        {},
        None,
        _state(numbers=5),
        _state(positions=np.zeros((3, 3))),
        _state(positions=np.zeros((2, 2))),
        _state(cell=np.zeros((2, 3))),
        _state(cell=[1, 2, 3]),
        _state(pbc=[True] * 3),
        _state(pbc=np.ones(3)),
        _state(arrays={"tags": [1, 2]}),
        _state(arrays={"tags": np.zeros(3)}),
        _state(arrays={"positions": np.zeros(2)}),
        _state(info=[1]),
        _state(celldisp=[1]),
        _state(constraints=[{"name": "constrained_indices", "kwargs": {}}]),
        _state(constraints=[{"name": "FixSymmetry", "kwargs": {"atoms": Atoms("CO")}}]),
        _state(constraints=[{"name": "FixAtoms", "kwargs": {"os": 1}}]),
        _state(constraints="FixAtoms"),
        _state(
            constraints=[
                {"name": "FixCom", "kwargs": {}, "attributes": {"adjust_forces": 1}}
            ]
        ),
        _state(results=[1]),
        _state(results={}, calculator={"atoms": 1}),
        _state(results={}, calculator={"name": [1]}),
    ],
)
def test_hostile_states(state: Any) -> None:
    """A state that pack never made raises."""
    with pytest.raises(Exception):  # noqa: B017, PT011 - any error will do
        adapting.unpacked("ase.Atoms", state)


def _same(found: Any, value: Any) -> None:
    assert type(found) is type(value)
    names = ("arrays", "info", "_pbc", "_celldisp")
    for name in names:
        one, two = getattr(found, name), getattr(value, name)
        assert exact.difference(one, two) is None
    assert type(found.cell) is Cell
    assert exact.difference(found.cell.array, value.cell.array) is None
    assert list(map(type, found.constraints)) == list(map(type, value.constraints))
    for one, two in zip(found.constraints, value.constraints, strict=True):
        assert exact.difference(vars(one), vars(two)) is None
