"""What conditions ask. Two conditions that ask the same, in whatever rules, share one question, and a mail is asked it once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from rules.domain.fields import FieldKey, fold
from rules.domain.patterns import pattern
from shared.api import SIZE_OPERATORS, Condition, Operator, size_in_bytes

_POSITIVE: Final = {Operator.NOT_CONTAINS: Operator.CONTAINS, Operator.NOT_EQUALS: Operator.EQUALS}
# The side that touches the field's edge, where a mail's values have no blanks.
_TRIM: Final[dict[Operator, Callable[[str], str]]] = {
    Operator.EQUALS: str.strip,
    Operator.BEGINS_WITH: str.lstrip,
    Operator.ENDS_WITH: str.rstrip,
}


class Question(NamedTuple):
    """Whether one of a field's values is as wanted."""

    key: FieldKey
    operator: Operator
    """Never a negated one."""
    wanted: str
    """Folded text, the pattern, or a number of bytes."""


def is_blank(condition: Condition) -> bool:
    """A blank value is no condition."""
    return not condition.value.strip()


def is_negated(condition: Condition) -> bool:
    """A negated condition holds when no value of the field is as wanted, hence also for an empty field."""
    return condition.operator in _POSITIVE


def question(condition: Condition) -> Question:
    """What a condition that is not blank asks."""
    operator = _POSITIVE.get(condition.operator, condition.operator)
    return Question(FieldKey.of(condition), operator, _wanted(operator, condition.value))


def _wanted(operator: Operator, value: str) -> str:
    if operator is Operator.REGEX:
        return value
    if operator in SIZE_OPERATORS:
        return str(size_in_bytes(value))
    return fold(_TRIM.get(operator, str)(value.replace("\r\n", "\n")))


def prepare(condition: Condition) -> None:
    """Compile its pattern. Raises PatternRefusedError for a regular expression RE2 does not take."""
    if condition.operator is Operator.REGEX and not is_blank(condition):
        pattern(condition.value)
