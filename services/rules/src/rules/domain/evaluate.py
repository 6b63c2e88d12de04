"""A mail and the ordered rules give the candidates for tickets, and the evidence of how it came to them. Pure; nothing is compiled here.

All distinct questions of the rules are asked in one pass (`rules.domain.asking`). Of the rules only those are then looked at that
may match: each waits for one of its conditions, the one that fewest rules share, and is not touched while that one does not hold.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rules.domain.asking import Questions
from rules.domain.conditions import Question, is_blank, is_negated, question
from rules.domain.evidence import SHOWN_CHARS, Evidence
from rules.domain.fields import FieldKey, MailView
from rules.domain.patterns import MAX_KEY, Found
from rules.domain.rule import Rules, StoredRule
from shared.api import ConditionField, Operator
from shared.events import Candidate, Lookup
from shared.mail.model import Kind, ParsedMail

UNASKED: Final = frozenset({Kind.BOUNCE, Kind.RECEIPT, Kind.PEC_RECEIPT, Kind.AUTO_REPLY})
"""Kinds that decide by themselves: no rule is asked."""
MAX_CAPTURES: Final = 20
"""Of one rule in the evidence."""

Yes = Mapping[int, Found | None]
"""Numbers of the questions a mail says yes to, with the match of a pattern."""


@dataclass(frozen=True)
class PreparedRule:
    """A rule that is switched on. `conditions`: number of the question and whether it is negated, without blank ones."""

    place: int
    rule: StoredRule
    conditions: tuple[tuple[int, bool], ...]
    has_pattern: bool

    def matches(self, yes: Yes) -> bool:
        """As the questions were answered."""
        return self.rule.matches([(number in yes) is not negated for number, negated in self.conditions])

    def found(self, yes: Yes) -> list[Found]:
        """What its patterns matched."""
        return [match for number, _ in self.conditions if (match := yes.get(number)) is not None]


@dataclass(frozen=True)
class PreparedRules:
    """A version of a rule set, ready to be asked of many mails. `version` is None for rules that were never saved."""

    version: int | None
    rules: Mapping[int, PreparedRule]
    questions: Questions
    first_asked: tuple[tuple[int, int], ...]
    """Of each question: place of the first rule that asks it, and of the condition in it."""
    first_looked_at: Mapping[FieldKey, int]
    """Of each field: place of the first rule that looks at it."""
    waiting: Mapping[int, Sequence[int]]
    """Rules that cannot match unless the mail says yes to a question."""
    always: frozenset[int]
    """Rules that may match without any yes."""

    @property
    def one_by_one(self) -> int:
        """Fields whose conditions are too many for one pass."""
        return self.questions.one_by_one

    @property
    def memory(self) -> int:
        """Bytes it may come to take, about."""
        return self.questions.memory


@dataclass(frozen=True)
class Evaluation:
    """What tickets shall try, in order, and why. `evidence` is None where the mail's kind alone decides and no rule was asked."""

    candidates: list[Candidate]
    evidence: Evidence | None
    asked_again: int = 0
    """How often one pass was not enough: RE2 gave up, and conditions were asked one by one."""


def prepare_rules(rules: Rules, version: int | None) -> PreparedRules:
    """Raises PatternRefusedError; rules that were saved have been prepared before and do not."""
    numbers: dict[Question, int] = {}
    first_asked: list[tuple[int, int]] = []
    looked_at: dict[FieldKey, int] = {}
    prepared: dict[int, PreparedRule] = {}
    for place, rule in enumerate(rules):
        if not rule.enabled:
            continue
        conditions: list[tuple[int, bool]] = []
        for number, condition in enumerate(rule.conditions):
            if is_blank(condition):
                continue
            asked = question(condition)
            if asked not in numbers:
                first_asked.append((place, number))
                looked_at.setdefault(asked.key, place)
            conditions.append((numbers.setdefault(asked, len(numbers)), is_negated(condition)))
        has_pattern = any(one.operator is Operator.REGEX and not is_blank(one) for one in rule.conditions)
        prepared[place] = PreparedRule(place, rule, tuple(conditions), has_pattern)
    waiting, always = _waiting(list(prepared.values()))
    return PreparedRules(version, prepared, Questions(numbers), tuple(first_asked), looked_at, waiting, always)


def _waiting(rules: Sequence[PreparedRule]) -> tuple[dict[int, list[int]], frozenset[int]]:
    """For which yes each rule waits, and the rules that wait for none."""
    shared_by = Counter(number for one in rules for number, _ in one.conditions)
    waiting: dict[int, list[int]] = defaultdict(list)
    always: set[int] = set()
    for one in rules:
        positive = {number for number, negated in one.conditions if not negated}
        any_of = one.rule.match == "any"
        if not positive or (any_of and any(negated for _, negated in one.conditions)):
            always.add(one.place)
        else:
            for number in positive if any_of else [min(positive, key=lambda number: (shared_by[number], number))]:
                waiting[number].append(one.place)
    return dict(waiting), frozenset(always)


def evaluate(mail: ParsedMail, rules: PreparedRules) -> Evaluation:
    """Ask the rules in order up to the first that matches and always takes."""
    if mail.kind in UNASKED:
        return Evaluation([], None)
    view = MailView(mail)
    answers = rules.questions.ask(view)
    yes = answers.yes
    candidates: list[Candidate] = []
    captures: dict[int, dict[str, str]] = {}
    stopped: int | None = None
    for place in sorted(rules.always.union(*(rules.waiting[number] for number in yes.keys() & rules.waiting.keys()))):
        one = rules.rules[place]
        if not one.matches(yes):
            continue
        found = one.found(yes)
        candidates.append(_candidate(view, one, found))
        if found:
            captures[place] = _captures(found)
        if one.rule.always_takes:
            stopped = place
            break
    return Evaluation(candidates, _evidence(view, rules, yes, captures, stopped), answers.asked_again)


def _candidate(view: MailView, one: PreparedRule, found: Sequence[Found]) -> Candidate:
    rule = one.rule
    return Candidate(rule_id=rule.id, rule_name=rule.name, action=rule.action, key=_key(view, one, found))


def _key(view: MailView, one: PreparedRule, found: Sequence[Found]) -> str:
    """The first key a pattern caught. A rule without pattern that looks up by title means the mail's own subject."""
    if not one.has_pattern and one.rule.action.lookup is Lookup.TITLE:
        return view.values(FieldKey(ConditionField.SUBJECT))[0][:MAX_KEY]
    return next((match.key for match in found if match.key), "")


def _captures(found: Sequence[Found]) -> dict[str, str]:
    captures: dict[str, str] = {}
    for one in found:
        for name, value in one.captures.items():
            if len(captures) < MAX_CAPTURES:
                captures.setdefault(name, value)
    return captures


def _evidence(view: MailView, rules: PreparedRules, yes: Yes, captures: dict[int, dict[str, str]], stopped: int | None) -> Evidence:
    """What was asked on behalf of rules behind the one that took is left out."""
    last = max(rules.rules, default=0) if stopped is None else stopped
    looked_at = rules.first_looked_at
    return Evidence(
        compared={
            str(key): shown for key in view.taken if looked_at.get(key, last + 1) <= last and (shown := view.shown(key, SHOWN_CHARS))
        },
        yes=sorted(place for number in yes if (place := rules.first_asked[number])[0] <= last),
        captures=captures,
        stopped=stopped,
    )
