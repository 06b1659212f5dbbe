"""All kinds of values, by groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fidelity.kinds import (
    builtins,
    classes,
    containers,
    labelled,
    numpy,
    pandas,
    protocol,
    refused,
    scipy,
    sharing,
    stdlib,
)

if TYPE_CHECKING:
    from tests.fidelity.kind import Kind, Refused

GROUPS: dict[str, list[Kind]] = {
    "Python's own scalars": builtins.KINDS,
    "Containers": containers.KINDS,
    "numpy": numpy.KINDS,
    "pandas": pandas.KINDS,
    "scipy": scipy.KINDS,
    "xarray, ase and pint": labelled.KINDS,
    "The standard library": stdlib.KINDS,
    "Classes and functions of a module": classes.KINDS,
    "Classes and functions of `__main__`": classes.IN_MAIN,
    "Classes and functions of a function body": classes.IN_A_FUNCTION,
    "The pickle protocol": protocol.KINDS,
    "Shared references, cycles and depth": sharing.KINDS,
}
REFUSED: list[Refused] = refused.REFUSED
KINDS: list[Kind] = [kind for group in GROUPS.values() for kind in group]
