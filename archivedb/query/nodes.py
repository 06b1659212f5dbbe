"""
The tree of a question: conditions over operands, and nothing that runs.

Every node is frozen and compares by what it says, not by where it stands in
the text; `Span` is only for messages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Span = tuple[int, int]
"""Where in the text: first character, and the one behind the last."""

RECORD_FACTS = ("name", "version", "saved_at", "mode", "size", "digest", "uuid")
"""What a record has of itself; ``tags`` is asked by `Contains` alone."""

TAGS = "tags"


@dataclass(frozen=True, slots=True)
class Path:
    """
    What stands at a path of each record.

    Attributes:
        side: ``"metadata"``, ``"data"``; ``""`` for the metadata's, and the
            data's where the metadata has none; ``"record"`` for a fact of the
            record itself, which is then the only step.
        steps: Tokens as `archivedb.values.paths` spells them: ``inputs``,
            ``[3]``.  What ``forces.max`` means, a key or what is known of an
            array, is found out by whoever answers.

    """

    side: str
    steps: tuple[str, ...]
    at: Span = field(default=(0, 0), compare=False, repr=False)

    @property
    def path(self) -> str:
        """The path as the catalog spells it."""
        return "/".join(self.steps)


@dataclass(frozen=True, slots=True)
class Literal:
    """
    A value that stands in the text, or was given as a parameter.

    Attributes:
        value: None, bool, int, float, str, Decimal, datetime, date, timedelta,
            or a list of such (nested for lists of lists).

    """

    value: Any
    at: Span = field(default=(0, 0), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``+ - * /`` of two numbers; without either of them there is no value."""

    op: str
    left: Operand
    right: Operand
    at: Span = field(default=(0, 0), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Function:
    """A function of one operand: ``neg``, ``abs`` or ``len`` (of a list or array)."""

    name: str
    of: Operand
    at: Span = field(default=(0, 0), compare=False, repr=False)


Operand = Path | Literal | Arithmetic | Function


@dataclass(frozen=True, slots=True)
class And:
    """All of these hold."""

    items: tuple[Condition, ...]
    at: Span = field(default=(0, 0), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of these holds."""

    items: tuple[Condition, ...]
    at: Span = field(default=(0, 0), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Not:
    """This does not hold."""

    item: Condition
    at: Span = field(default=(0, 0), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Compare:
    """``== != < <= > >=``; false where either side is not there."""

    op: str
    left: Operand
    right: Operand
    at: Span = field(default=(0, 0), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Among:
    """The operand equals one of these values: ``x in [1, 2]``."""

    of: Operand
    values: tuple[Any, ...]
    at: Span = field(default=(0, 0), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Contains:
    """
    The list or array at a path has this item, or the text there this part.

    ``'converged' in tags`` is one with the path ``Path("record", ("tags",))``.
    """

    path: Path
    value: Any
    at: Span = field(default=(0, 0), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class IsNone:
    """None stands at the path: there, and None."""

    path: Path
    at: Span = field(default=(0, 0), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Exists:
    """Anything at all stands at the path."""

    path: Path
    at: Span = field(default=(0, 0), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class IsNaN:
    """The number at the path is not a number."""

    path: Path
    at: Span = field(default=(0, 0), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Like:
    """The text matches a pattern of ``*`` and ``?``, whole and case-sensitive."""

    of: Path
    pattern: str
    at: Span = field(default=(0, 0), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Matches:
    """A regular expression of Python's is found in the text."""

    of: Path
    pattern: str
    at: Span = field(default=(0, 0), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Truth:
    """A path alone: True stands there."""

    path: Path
    at: Span = field(default=(0, 0), compare=False, repr=False)


Condition = (
    And | Or | Not | Compare | Among | Contains | IsNone | Exists | IsNaN | Like
    | Matches | Truth
)  # fmt: skip
