"""
Seven metals in effective medium theory: the runs that the demo archives.

https://doi.org/10.1016/0039-6028(96)00816-3
"""

# mypy: allow-untyped-calls
# ASE is annotated in part.

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ase.build import bulk
from ase.calculators.emt import EMT
from ase.eos import EquationOfState
from ase.units import GPa

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MEASURED = {
    "Ag": 4.09,
    "Al": 4.05,
    "Au": 4.08,
    "Cu": 3.61,
    "Ni": 3.52,
    "Pd": 3.89,
    "Pt": 3.92,
}
"""The metals, and the lattice constants in the literature, in Å."""
STEPS = range(-6, 7)
STEP = 0.03
"""How far apart the lattice constants of a metal lie, in Å."""

RATTLE = {"stdev": 0.01, "seed": 42}
"""How the atoms are moved off their sites, so that forces are not zero."""

ATOMS = 32


@dataclass(frozen=True, slots=True)
class Run:
    """One calculation: what it is called, and what it took and gave."""

    name: str
    data: dict[str, Any]
    metadata: dict[str, Any]
    tags: tuple[str, ...]


def sweep() -> Iterator[Run]:
    """Run every metal at thirteen lattice constants around the measured one."""
    for metal, measured in MEASURED.items():
        for step in STEPS:
            # Rounded, so that it is the number that its name shows.
            yield calculate(metal, round(measured + step * STEP, 2))


def calculate(metal: str, a: float) -> Run:
    """Calculate 32 atoms of a metal with lattice constant *a*."""
    atoms = bulk(metal, "fcc", a=a, cubic=True).repeat(2)
    atoms.rattle(**RATTLE)
    atoms.calc = EMT()
    energy = float(atoms.get_potential_energy())
    inputs = {
        "metal": metal,
        "structure": "fcc",
        "a": a,
        "calculator": "EMT",
        "rattle": dict(RATTLE),
        "cell": atoms.cell.array.copy(),
        "positions": atoms.positions.copy(),
    }
    outputs = {
        "energy": energy,
        "volume": float(atoms.get_volume()),
        "forces": atoms.get_forces(),
        "stress": atoms.get_stress(),
    }
    return Run(
        name=f"emt/{metal}/a-{a:.2f}",
        data={"inputs": inputs, "outputs": outputs},
        metadata={"metal": metal, "a": a, "energy": energy, "natoms": len(atoms)},
        tags=(tag_of(metal, a),),
    )


def tag_of(metal: str, a: float) -> str:
    """Return a word for how far a lattice constant is from the measured one."""
    if a == MEASURED[metal]:
        return "measured"
    return "squeezed" if a < MEASURED[metal] else "stretched"


@dataclass(frozen=True, slots=True)
class Equilibrium:
    """
    Where a metal's energy is lowest.

    Attributes:
        a: The lattice constant in Å.
        volume: Å³ an atom.
        bulk_modulus: GPa.
        energy: meV an atom.

    """

    a: float
    volume: float
    bulk_modulus: float
    energy: float


def equilibrium(volumes: Sequence[float], energies: Sequence[float]) -> Equilibrium:
    """Fit Birch's and Murnaghan's equation of state to runs of one metal."""
    fit = EquationOfState(list(volumes), list(energies), eos="birchmurnaghan").fit()
    volume, energy, modulus = (float(number) for number in fit)
    return Equilibrium(
        a=(4 * volume / ATOMS) ** (1 / 3),
        volume=volume / ATOMS,
        bulk_modulus=modulus / GPa,
        energy=1000 * energy / ATOMS,
    )
