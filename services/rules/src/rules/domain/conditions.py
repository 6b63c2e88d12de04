"""The seven operators. A condition is prepared once per version of a rule set and then asked of many mails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rules.domain.fields import MailView, fold
from rules.domain.patterns import Found, Pattern, pattern
from shared.api import Condition, ConditionTrace, Operator

SHOWN_CHARS: Final = 200
"""Of a compared value in a trace."""

Compare = Callable[[str, str], bool]
"""(folded value of the mail, folded value of the condition) → whether it holds."""

_LITERAL: Final[dict[Operator, Compare]] = {
    Operator.CONTAINS: lambda mail, wanted: wanted in mail,
    Operator.NOT_CONTAINS: lambda mail, wanted: wanted in mail,
    Operator.EQUALS: lambda mail, wanted: mail.strip() == wanted,
    Operator.NOT_EQUALS: lambda mail, wanted: mail.strip() == wanted,
    Operator.BEGINS_WITH: str.startswith,
    Operator.ENDS_WITH: str.endswith,
}
_NEGATED: Final = {Operator.NOT_CONTAINS, Operator.NOT_EQUALS}
# The side that touches the field's edge, where a mail's values have no blanks.
_TRIM: Final[dict[Operator, Callable[[str], str]]] = {
    Operator.EQUALS: str.strip,
    Operator.NOT_EQUALS: str.strip,
    Operator.BEGINS_WITH: str.lstrip,
    Operator.ENDS_WITH: str.rstrip,
}


@dataclass(frozen=True)
class Checked:
    """A condition's answer for one mail."""

    holds: bool
    trace: ConditionTrace
    found: Found | None = None


@dataclass(frozen=True)
class Check:
    """A prepared condition."""

    condition: Condition
    wanted: str
    pattern: Pattern | None

    def ask(self, mail: MailView) -> Checked:
        """Whether the condition holds for the mail, with what was compared."""
        found = self._search(mail) if self.pattern is not None else None
        holds = found is not None if self.pattern is not None else self._compare(mail)
        condition = self.condition
        trace = ConditionTrace(
            field=condition.field.value,
            operator=condition.operator.value,
            value=condition.value[:SHOWN_CHARS],
            compared=mail.shown(condition.field, SHOWN_CHARS),
            matched=holds,
        )
        return Checked(holds, trace, found)

    def _search(self, mail: MailView) -> Found | None:
        """The first value that matches."""
        pattern = self.pattern
        return next((found for value in mail.values(self.condition.field) if pattern and (found := pattern.find(value))), None)

    def _compare(self, mail: MailView) -> bool:
        """A negated operator holds when no value of the field fits, hence also for an empty field."""
        compare = _LITERAL[self.condition.operator]
        fits = any(compare(value, self.wanted) for value in mail.folded(self.condition.field))
        return not fits if self.condition.operator in _NEGATED else fits


def is_blank(condition: Condition) -> bool:
    """A blank value is no condition."""
    return not condition.value.strip()


def prepare(condition: Condition) -> Check:
    """Raises PatternRefusedError for a regular expression RE2 does not take."""
    if condition.operator is Operator.REGEX:
        return Check(condition, "", pattern(condition.value))
    trim = _TRIM.get(condition.operator, str)
    return Check(condition, fold(trim(condition.value.replace("\r\n", "\n"))), None)
