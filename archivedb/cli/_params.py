"""Parameters of commands without pydantic, which Typer imports for each."""

from __future__ import annotations

import re
from typing import Any, Literal, get_args, get_origin

# Python refuses to read thousands of digits, and says so in its own way.
_DIGITS = re.compile("[0-9]{1,18}")


class _Light:
    """
    Read what a parameter was given; leave to Typer whatever is not plain.

    Typer builds a pydantic adapter for every parameter, also one that was not
    given, and importing pydantic takes longer than `archivedb ls` does.  Text,
    integers and choices need none.
    """

    def __init__(self, parameter: Any) -> None:
        self._parameter = parameter
        self._kind = parameter.type_descriptor.annotation

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value as the command's function declares it."""
        kind = self._kind
        several = param.multiple or param.nargs == -1
        if value is None:
            return () if several else None
        if kind is str and type(value) is str:
            return value
        if kind == list[str] and several and all(type(v) is str for v in value):
            return list(value)
        if get_origin(kind) is Literal and value in get_args(kind):
            return value
        if kind is int and type(value) is str and _DIGITS.fullmatch(value):
            number = int(value)
            info = param.type_descriptor.parameter_info
            if (info.min is None or info.min <= number) and info.max is None:
                return number
        # Typer's own reading, with its own error.
        self._parameter._runtime_param = None  # noqa: SLF001 - see `lighten`
        return self._parameter.get_runtime_param().coerce(value, param=param, ctx=ctx)


def lighten(parameters: list[Any]) -> list[Any]:
    """
    Give parameters the light reading, and return them.

    The attribute is Typer's own: a Typer that names it otherwise never looks
    at this one, and all that is lost is time.
    """
    for parameter in parameters:
        if getattr(parameter, "_runtime_param", "") is None:
            parameter._runtime_param = _Light(parameter)  # noqa: SLF001 - above
    return parameters
