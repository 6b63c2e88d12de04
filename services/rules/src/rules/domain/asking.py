"""The distinct questions of a rule set, asked of a mail in one pass per field."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final

from rules.domain.conditions import Question
from rules.domain.fields import FIELDS, FieldKey, MailView
from rules.domain.literals import Literals
from rules.domain.pattern_sets import PatternSet
from rules.domain.patterns import Found
from shared.api import ConditionField, Operator
from shared.mail.model import ParsedMail

_LITERAL: Final = {Operator.CONTAINS, Operator.BEGINS_WITH, Operator.ENDS_WITH}
Numbers = Mapping[Question, int]
"""Questions with the number each is known by."""


@dataclass
class Answers:
    """Numbers of the questions a mail says yes to."""

    yes: dict[int, Found | None] = field(default_factory=dict)
    """With the match of a pattern."""
    asked_again: int = 0
    """How often RE2 gave up and the questions of a field were asked one by one."""


class FieldQuestions:
    """The questions about one field."""

    def __init__(self, key: FieldKey, numbers: Numbers) -> None:
        """Raises PatternRefusedError."""
        self.key = key
        self._equal = {one.wanted: number for one, number in numbers.items() if one.operator is Operator.EQUALS}
        literal = {one: number for one, number in numbers.items() if one.operator in _LITERAL}
        self._literals = Literals([(one.operator, one.wanted) for one in literal])
        self._literal_numbers = tuple(literal.values())
        patterns = {one.wanted: number for one, number in numbers.items() if one.operator is Operator.REGEX}
        self._patterns = PatternSet(list(patterns))
        self._pattern_numbers = tuple(patterns.values())
        self._above = _thresholds(numbers, Operator.GREATER_THAN)
        self._below = _thresholds(numbers, Operator.LESS_THAN)

    @property
    def one_by_one(self) -> bool:
        """So many, or so large, that RE2 cannot look for them together."""
        return self._literals.too_many or self._patterns.too_many

    @property
    def memory(self) -> int:
        """Bytes it may come to take at most, about."""
        return self._literals.memory + self._patterns.memory

    def ask(self, mail: MailView, answers: Answers) -> None:
        """Add what the mail says yes to."""
        if self._above or self._below:
            self._compare_sizes(mail, answers)
        if self._equal or self._literal_numbers:
            for value in mail.folded(self.key):
                self._compare(value, answers)
        if self._pattern_numbers:
            for value in mail.values(self.key):
                self._search(value, answers)

    def _compare(self, value: str, answers: Answers) -> None:
        equal = self._equal.get(value.strip())
        if equal is not None:
            answers.yes[equal] = None
        if value and self._literal_numbers:
            found, enough = self._literals.find(value)
            answers.yes.update((self._literal_numbers[place], None) for place in found)
            answers.asked_again += not enough

    def _search(self, value: str, answers: Answers) -> None:
        found, enough = self._patterns.find(value)
        for place, match in found.items():
            answers.yes.setdefault(self._pattern_numbers[place], match)
        answers.asked_again += not enough

    def _compare_sizes(self, mail: MailView, answers: Answers) -> None:
        """Some file is larger than each threshold below the largest, and smaller than each above the smallest."""
        sizes = [int(value) for value in mail.values(self.key) if value]
        if sizes:
            exceeded = self._above[: bisect_left(self._above, max(sizes), key=itemgetter(0))]
            undercut = self._below[bisect_right(self._below, min(sizes), key=itemgetter(0)) :]
            answers.yes.update((number, None) for _, number in (*exceeded, *undercut))


def _thresholds(numbers: Numbers, operator: Operator) -> list[tuple[int, int]]:
    return sorted((int(one.wanted), number) for one, number in numbers.items() if one.operator is operator)


class Questions:
    """All questions of a rule set."""

    def __init__(self, numbers: Numbers) -> None:
        """Raises PatternRefusedError."""
        by_key: dict[FieldKey, dict[Question, int]] = {}
        for one, number in numbers.items():
            by_key.setdefault(one.key, {})[one] = number
        made = {key: FieldQuestions(key, asked) for key, asked in by_key.items()}
        self._fields = tuple(asked for key, asked in made.items() if key.field in FIELDS)
        self._headers = {key.header: asked for key, asked in made.items() if key.field is ConditionField.HEADER}
        self._of_empty = {name: said for name, asked in self._headers.items() if (said := _of_empty(asked))}
        self.one_by_one = sum(asked.one_by_one for asked in made.values())
        self.memory = sum(asked.memory for asked in made.values())

    def ask(self, mail: MailView) -> Answers:
        """Of header fields only those are asked that the mail has; of the others is known what an empty one says."""
        answers = Answers()
        for asked in self._fields:
            asked.ask(mail, answers)
        if self._headers:
            for name in mail.headers.keys() & self._headers.keys():
                self._headers[name].ask(mail, answers)
        for name, said in self._of_empty.items():
            if name not in mail.headers:
                answers.yes.update(said)
        return answers


def _of_empty(asked: FieldQuestions) -> dict[int, Found | None]:
    answers = Answers()
    asked.ask(MailView(ParsedMail()), answers)
    return answers.yes
