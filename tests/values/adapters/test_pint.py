"""Quantities come back in the application registry, in the same units."""

from __future__ import annotations

import decimal
import fractions
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pint = pytest.importorskip("pint")

from archivedb.errors import DecodeError, EncodeError  # noqa: E402
from archivedb.values.adapters import pint as adapter  # noqa: E402
from tests.support import adapting, exact  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

U = pint.get_application_registry()

MAGNITUDES = [
    *(0, 3, -1.5, -0.0, float("inf"), 1 + 2j),
    *(decimal.Decimal("1.10"), fractions.Fraction(1, 3)),
    *(np.float32(1.5), np.int8(3), np.arange(6.0).reshape(2, 3), np.array(2)),
    np.arange(3, dtype="i2"),
]

UNITS = [
    *("", "eV/angstrom", "m", "km", "1/s", "1/s/m**2", "kg*m**2/s**3", "m**0.5"),
    *("degC", "delta_degC", "dBm", "percent", "mol**-1", "hartree", "Å", "µm", "ħ"),
    *("Mibit", "eV/atomic_mass_constant**(1/3)"),
]


@pytest.fixture
def application() -> Iterator[None]:
    """Leave the application registry as it was."""
    before = pint.get_application_registry().get()
    yield
    pint.set_application_registry(before)


@pytest.mark.parametrize("magnitude", MAGNITUDES, ids=range(len(MAGNITUDES)))
def test_magnitudes(magnitude: Any) -> None:
    """A magnitude stays what it is, to the bit."""
    value = U.Quantity(magnitude, "eV/angstrom")
    found = adapting.through(value)
    assert type(found) is type(value)
    assert type(found.magnitude) is type(value.magnitude)
    assert exact.difference(found.magnitude, value.magnitude) is None
    assert found.units == value.units


@pytest.mark.parametrize("unit", UNITS)
def test_units(unit: str) -> None:
    """So do units, whatever they are called."""
    for value in (U.Unit(unit), U.Quantity(1.5, unit).units):
        found = adapting.through(value)
        assert type(found) is type(value)
        assert found == value
        assert dict(found._units) == dict(value._units)


def test_text_is_that_of_pint() -> None:
    """The unit can be read, and searched."""
    state = adapter.adapter_of(U.Quantity).pack(U.Quantity(-3.7, "eV/angstrom**2"))
    assert state == {"magnitude": -3.7, "unit": "electron_volt / angstrom ** 2"}
    for unit in ("kg*m/s**2/A", "1/s", "m", ""):
        assert adapter.adapter_of(U.Unit).pack(U.Unit(unit)) == str(U.Unit(unit))


def test_another_registry() -> None:
    """A quantity of any registry comes back in the application's."""
    other = pint.UnitRegistry()
    value = other.Quantity(np.arange(3.0), "eV/km")
    found = adapting.through(value)
    assert type(found) is U.Quantity
    assert (found.magnitude == value.magnitude).all()
    assert dict(found._units) == dict(value._units)
    assert adapting.through(pint.Quantity(1, "m")) == U.Quantity(1, "m")
    assert adapting.through(pint.Unit("m")) == U.Unit("m")


def test_other_definitions_are_refused() -> None:
    """A unit that means something else here would be another quantity."""
    other = pint.UnitRegistry()
    other.define("smoot = 1.7 m")
    with pytest.raises(EncodeError, match=r"smoot.*set_application_registry"):
        adapting.through(other.Quantity(1, "smoot"))
    other.define("bogus_celsius = kelvin; offset: 273")
    with pytest.raises(EncodeError, match="bogus"):
        adapting.through(other.Quantity(1, "bogus_celsius"))
    text = ["meter = [length]", "second = [time]", "yard = 2 * meter"]
    small = pint.UnitRegistry(None)
    for line in text:
        small.define(line)
    assert adapting.through(small.Quantity(1, "meter")) == U.Quantity(1, "meter")
    with pytest.raises(EncodeError, match="yard"):
        adapting.through(small.Quantity(1, "yard"))


@pytest.mark.usefixtures("application")
def test_an_application_of_its_own() -> None:
    """What the application registry knows is kept, and missed where it is not."""
    own = pint.UnitRegistry()
    own.define("smoot = 1.7 m")
    pint.set_application_registry(own)
    state = adapter.adapter_of(own.Quantity).pack(own.Quantity(2, "smoot"))
    assert adapting.unpacked("pint.Quantity", state) == own.Quantity(2, "smoot")
    pint.set_application_registry(pint.UnitRegistry())
    with pytest.raises(DecodeError, match=r"smoot.*set_application_registry"):
        adapting.unpacked("pint.Quantity", state)


@pytest.mark.usefixtures("application")
def test_a_registry_that_makes_arrays() -> None:
    """Numbers that would become arrays are refused."""
    value = pint.UnitRegistry().Quantity(2, "m")
    pint.set_application_registry(pint.UnitRegistry(force_ndarray=True))
    with pytest.raises(EncodeError, match="other types"):
        adapting.through(value)


class _Own(U.Quantity):  # type: ignore[misc]
    """A subclass is somebody else's."""


def test_classes() -> None:
    """Only the classes of registries are meant."""
    assert adapter.adapter_of(_Own) is None
    assert adapter.adapter_of(int) is None
    assert adapter.adapter_of(U.Quantity).kind == "pint.Quantity"
    assert adapter.adapter_of(U.Unit).kind == "pint.Unit"


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"magnitude": "10 ** 10 ** 10", "unit": "meter"},
        {"magnitude": [1], "unit": "meter"},
        {"magnitude": None, "unit": "meter"},
        {"magnitude": U.Quantity(1, "m"), "unit": "meter"},
        {"magnitude": 1, "unit": None},
        {"magnitude": 1, "unit": ""},
        {"magnitude": 1, "unit": "no_such_unit"},
        {"magnitude": 1, "unit": "meter ** 9 ** 9 ** 9"},
        {"magnitude": 1, "unit": "9 ** 9"},
        {"magnitude": 1, "unit": "meter * meter"},
        {"magnitude": 1, "unit": "__import__('os')"},
        {"magnitude": 1, "unit": "meter ** x"},
    ],
)
def test_hostile_states(state: Any) -> None:
    """Nothing is computed from what a state says."""
    with pytest.raises(Exception):  # noqa: B017, PT011 - any error will do
        adapting.unpacked("pint.Quantity", state)
