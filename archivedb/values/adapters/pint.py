"""
Quantities and units of pint: a magnitude, and the names of its units.

They come back in `pint.get_application_registry`.  A unit that it does not
know, or knows by another definition, is refused when it is saved.
"""

from __future__ import annotations

from typing import Any

import pint

from archivedb.errors import DecodeError, EncodeError
from archivedb.values.adapters.base import Adapter
from archivedb.values.adapters.checks import require_that
from archivedb.values.adapters.states import expect

_NO_MAGNITUDE = (str, bytes, bytearray, list, tuple, dict, set, frozenset, type(None))
"""What pint would read as an expression, or turn into an array."""


def adapters() -> list[Adapter]:
    """Return the adapters for quantities and units that have no registry's class."""
    return [_quantity_adapter(pint.Quantity), _unit_adapter(pint.Unit)]


def adapter_of(cls: type) -> Adapter | None:
    """Return the adapter of a class that a registry has made for itself."""
    registry = getattr(cls, "_REGISTRY", None)
    if registry is None:
        return None
    if cls is registry.Quantity:
        return _quantity_adapter(cls)
    return _unit_adapter(cls) if cls is registry.Unit else None


def _quantity_adapter(cls: Any) -> Adapter:
    return Adapter("pint.Quantity", cls, _quantity, _to_quantity)


def _unit_adapter(cls: Any) -> Adapter:
    return Adapter("pint.Unit", cls, _unit, _to_unit)


def _application() -> Any:
    return pint.get_application_registry().get()


def _quantity(value: Any) -> dict[str, Any]:
    unit = _unit(value.units)
    # What stands there is passed on as it is: pint computes nothing here.
    state = {"magnitude": value.magnitude, "unit": unit}
    try:
        _to_quantity(state)
    except DecodeError as error:
        msg = f"a quantity of {type(value.magnitude).__name__} is no number: {error}"
        raise EncodeError(msg) from error
    return state


def _to_quantity(state: Any) -> Any:
    magnitude = state["magnitude"]
    plain = isinstance(magnitude, (*_NO_MAGNITUDE, pint.Quantity, pint.Unit))
    require_that(not plain, "a magnitude is a number or an array")
    made = _application().Quantity(magnitude, _to_unit(state["unit"]))
    kept = type(made.magnitude) is type(magnitude)
    require_that(kept, "the application registry turns magnitudes into other types")
    return made


def _unit(value: Any) -> str:
    units = dict(value._units)  # noqa: SLF001 - nowhere public
    theirs, ours = value._REGISTRY, _application()  # noqa: SLF001
    for name in units:
        if theirs is not ours and _meaning(theirs, name) != _meaning(ours, name):
            msg = (
                f"the application registry does not know {name!r}, or by another "
                "definition: call pint.set_application_registry(registry) first"
            )
            raise EncodeError(msg)
    text = _text(units)
    try:
        same = dict(_to_unit(text)._units) == units  # noqa: SLF001
    except DecodeError as error:
        msg = f"the unit {value} has no name: {error}"
        raise EncodeError(msg) from error
    if not same:
        msg = f"the unit {value} would come back as {text!r}"
        raise EncodeError(msg)
    return text


def _to_unit(state: Any) -> Any:
    # Not by pint's own parser, which would compute 9 ** 9 ** 9.
    registry = _application()
    units: dict[str, int | float] = {}
    for name, power in _powers(expect(state, str)):
        try:
            known = registry.get_name(name)
        except (pint.UndefinedUnitError, pint.DefinitionSyntaxError) as error:
            msg = (
                f"the application registry has no unit {name!r}: define it there, or "
                "call pint.set_application_registry(registry)"
            )
            raise DecodeError(msg) from error
        require_that(known, f"{name!r} is no unit")
        require_that(known not in units, f"{known} stands there twice")
        units[known] = power
    return registry.Unit(registry.UnitsContainer(units))


def _meaning(registry: Any, name: str) -> Any:
    """Return all that makes a unit what it is, or None if there is no such unit."""
    try:
        root = registry.get_root_units(name, check_nonmult=False)
        # Degrees and decibels are more than a factor.
        converter = registry._units[registry.get_name(name)].converter  # noqa: SLF001
        dimensions = registry.get_dimensionality(name)
    except (KeyError, pint.PintError):
        return None
    factor, units = root
    return factor, dict(units._units), dict(dimensions), converter  # noqa: SLF001


# Text -----------------------------------------------------------------------


def _text(units: dict[str, Any]) -> str:
    """
    Return units as text.

    >>> _text({"meter": 1, "second": -2, "kilogram": 1})
    'kilogram * meter / second ** 2'
    """
    if not units:
        return "dimensionless"
    above = [_power(name, units[name]) for name in sorted(units) if units[name] > 0]
    below = [_power(name, -units[name]) for name in sorted(units) if units[name] < 0]
    return " / ".join([" * ".join(above) or "1", *below])


def _power(name: str, power: Any) -> str:
    return name if power == 1 else f"{name} ** {power}"


def _powers(text: str) -> list[tuple[str, int | float]]:
    """
    Return the units of a text.

    >>> _powers("kilogram * meter / second ** 2")
    [('kilogram', 1), ('meter', 1), ('second', -2)]
    """
    if text == "dimensionless":
        return []
    above, *below = text.split(" / ")
    found = [] if above == "1" else [_split(part) for part in above.split(" * ")]
    return found + [(name, -power) for name, power in map(_split, below)]


def _split(text: str) -> tuple[str, int | float]:
    name, _, power = text.partition(" ** ")
    require_that(name.isidentifier(), f"{name!r:.60} is no unit")
    try:
        return name, int(power or "1")
    except ValueError:
        try:
            return name, float(power)
        except ValueError as error:
            msg = f"{power!r:.60} is no power"
            raise DecodeError(msg) from error
