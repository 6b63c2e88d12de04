"""The evaluator against a slow and obvious one, over any rules and mails; and what happens where one pass is not enough."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.domain import literals, pattern_sets
from rules.domain.evaluate import evaluate, prepare_rules
from rules.domain.literals import Literals
from rules.domain.pattern_sets import Filter, PatternSet
from rules.domain.rule import StoredRule
from shared.api import SIZE_OPERATORS, Condition, ConditionField, Operator, size_in_bytes
from shared.events import Action, ActionType, Lookup
from shared.mail.model import Address, Attachment, Kind, ParsedMail
from tests.unit.rules.builders import rule, told

# Few and alike, so that values often fit; some that fold, some that mean something in a pattern.
WORDS = [
    "a",
    "ab",
    "order",
    "Order 17",
    "Größe",
    "GRÖSSE",
    "ſtop",
    "İ",
    "x.y",
    "a+b",
    "(",
    "[a]",
    "\\d",
    "17",
    "ΣΑΣ",
    "e\u0301",
    " ",
    "",
    "\n",
]
PATTERNS = [
    "a.*b",
    "^$",
    "^a",
    r"\d+",
    r"(?P<ticket>\d+)",
    "größe|order",
    "b$",
    ".",
    r"order (\d+)",
    "(?m)^x",
    "stop",
    "σας",
    r"\bab\b",
    "[^a]",
]
TEXT = st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join)
HEADER = st.sampled_from(["X-Order", "x-order", "Subject", "X-Other"])
FIELDS = [field for field in ConditionField if field is not ConditionField.ATTACHMENT_SIZE]
ONE_FIELD = (ConditionField.SUBJECT,)
TEXT_OPERATORS = [operator for operator in Operator if operator not in SIZE_OPERATORS]


@st.composite
def conditions(draw: st.DrawFn, fields: Sequence[ConditionField] = tuple(FIELDS)) -> Condition:
    if len(fields) == len(FIELDS) and draw(st.integers(0, 9)) == 0:
        operator, size = draw(st.sampled_from(sorted(SIZE_OPERATORS))), draw(st.sampled_from(["", "0", "10", "11", "1 KB"]))
        return Condition(field=ConditionField.ATTACHMENT_SIZE, operator=operator, value=size)
    field, operator = draw(st.sampled_from(fields)), draw(st.sampled_from([*TEXT_OPERATORS, Operator.REGEX, Operator.REGEX]))
    value = draw(st.sampled_from(PATTERNS) if operator is Operator.REGEX else TEXT)
    return Condition(field=field, header=draw(HEADER) if field is ConditionField.HEADER else None, operator=operator, value=value)


@st.composite
def rule_sets(draw: st.DrawFn) -> tuple[StoredRule, ...]:
    actions = [
        Action(type=ActionType.UPDATE_TICKET),
        Action(type=ActionType.LINK_SENDER),
        Action(type=ActionType.UPDATE_TICKET, lookup=Lookup.TITLE),
        Action(type=ActionType.CREATE_TICKET),
    ]
    return tuple(
        rule(
            str(number),
            draw(st.sampled_from(actions)),
            *draw(st.lists(conditions(), max_size=4)),
            match=draw(st.sampled_from(["all", "any"])),
            enabled=draw(st.integers(0, 5)) > 0,
        )
        for number in range(draw(st.integers(0, 8)))
    )


ADDRESS = st.builds(Address, name=TEXT, address=TEXT)
FILE = st.builds(
    Attachment, part=st.just("2"), name=TEXT, type=st.just("a/b"), size=st.sampled_from([0, 10, 11, 5000]), sha256=st.just("0")
)


@st.composite
def mails(draw: st.DrawFn) -> ParsedMail:
    return ParsedMail.model_validate(
        {
            "subject": draw(TEXT),
            "from": draw(st.none() | ADDRESS),
            "to": draw(st.lists(ADDRESS, max_size=2)),
            "cc": draw(st.lists(ADDRESS, max_size=2)),
            "delivered_to": draw(st.lists(TEXT, max_size=2)),
            "text": draw(TEXT),
            "headers": draw(st.lists(st.tuples(HEADER, TEXT), max_size=3)),
            "attachments": draw(st.lists(FILE, max_size=2)),
            "kind": draw(st.sampled_from([Kind.MAIL, Kind.LIST])),
            "authentication": draw(st.lists(TEXT, max_size=2)),
        }
    )


# --- the reference ---------------------------------------------------------------------------------------------------------------------


def of_addresses(addresses: Sequence[Address]) -> list[str]:
    with_names = [form for one in addresses if one.name for form in (str(one), f"{one.name} <{one.address}>")]
    return [one.address or one.name for one in addresses] + with_names


def values(mail: ParsedMail, condition: Condition) -> list[str]:
    found: dict[ConditionField, list[str]] = {
        ConditionField.FROM: of_addresses([mail.from_] if mail.from_ else []),
        ConditionField.TO: of_addresses(mail.to),
        ConditionField.CC: of_addresses(mail.cc),
        ConditionField.RECIPIENTS: of_addresses([*mail.to, *mail.cc]) + mail.delivered_to,
        ConditionField.SUBJECT: [mail.subject],
        ConditionField.BODY: [mail.text.strip()],
        ConditionField.NEW_TEXT: [mail.new_text.strip()],
        ConditionField.HEADER: [value for name, value in mail.headers if name.lower() == (condition.header or "").lower()],
        ConditionField.ATTACHMENT_NAME: [one.name for one in mail.attachments],
        ConditionField.KIND: [mail.kind.value],
        ConditionField.AUTHENTICATION: mail.authentication,
    }
    return [value for value in found[condition.field] if value] or [""]


def folded(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def fits(mail: ParsedMail, condition: Condition) -> bool:
    if condition.operator in SIZE_OPERATORS:
        compare = int.__gt__ if condition.operator is Operator.GREATER_THAN else int.__lt__
        return any(compare(one.size, size_in_bytes(condition.value)) for one in mail.attachments)
    if condition.operator is Operator.REGEX:
        return any(re2.search(f"(?i){condition.value}", value) for value in values(mail, condition))
    wanted = folded(condition.value.replace("\r\n", "\n"))
    found = [folded(value) for value in values(mail, condition)]
    said = {
        Operator.CONTAINS: any(wanted in value for value in found),
        Operator.EQUALS: any(wanted.strip() == value.strip() for value in found),
        Operator.BEGINS_WITH: any(value.startswith(wanted.lstrip()) for value in found),
        Operator.ENDS_WITH: any(value.endswith(wanted.rstrip()) for value in found),
    }
    said |= {Operator.NOT_CONTAINS: not said[Operator.CONTAINS], Operator.NOT_EQUALS: not said[Operator.EQUALS]}
    return said[condition.operator]


def reference(mail: ParsedMail, rules: Sequence[StoredRule]) -> tuple[list[str], list[tuple[str, bool, list[bool]]]]:
    """Ids of the candidates, and of each rule that was asked, whether it matched and what its conditions said."""
    candidates: list[str] = []
    asked: list[tuple[str, bool, list[bool]]] = []
    for one in rules:
        if not one.enabled:
            continue
        answers = [fits(mail, condition) for condition in one.conditions if condition.value.strip()]
        matched = not answers or (any(answers) if one.match == "any" else all(answers))
        asked.append((one.id, matched, answers))
        if matched:
            candidates.append(one.id)
            if one.always_takes:
                break
    return candidates, asked


def ours(mail: ParsedMail, rules: Sequence[StoredRule]) -> tuple[list[str], list[tuple[str, bool, list[bool]]]]:
    found = told(mail, *rules)
    candidates = [one.rule_id for one in found.candidates]
    asked = [one for one in found.trace if not one.note.startswith(("not asked", "skipped"))]
    return candidates, [(one.rule_id, one.matched, [condition.matched for condition in one.conditions]) for one in asked]


@settings(max_examples=150, deadline=None)
@given(mails(), rule_sets())
def test_candidates_and_every_condition_of_the_trace_are_as_the_reference_says(mail: ParsedMail, rules: tuple[StoredRule, ...]) -> None:
    assert ours(mail, rules) == reference(mail, rules)


@settings(max_examples=50, deadline=None)
@given(mails(), rule_sets(), st.lists(conditions(ONE_FIELD), min_size=30, max_size=60))
def test_many_conditions_in_one_pass_are_answered_as_each_alone(
    mail: ParsedMail, rules: tuple[StoredRule, ...], more: list[Condition]
) -> None:
    """Enough of them for RE2's set and filter to be made."""
    others = [rule(f"more {number}", ActionType.LINK_SENDER, one) for number, one in enumerate(more)]
    assert ours(mail, [*others, *rules]) == reference(mail, [*others, *rules])


# --- where one pass is not enough ------------------------------------------------------------------------------------------------------

LITERALS = [(operator, f"word {n}") for n in range(300) for operator in (Operator.CONTAINS, Operator.BEGINS_WITH, Operator.ENDS_WITH)]


def test_literals_that_need_more_memory_than_they_may_have_are_looked_for_one_by_one() -> None:
    small, large = Literals(LITERALS, max_memory=10_000), Literals(LITERALS)
    assert (small.too_many, large.too_many) == (True, False)
    text = "word 7 and word 130 and word 299"
    assert sorted(small.find(text)[0]) == sorted(large.find(text)[0])
    assert small.find(text)[1]


class Silent:
    """RE2 whose memory is used up: it finds nothing, and does not say so."""

    def Match(self, *_: Any, **__: Any) -> None:  # noqa: N802 -- RE2's name
        return None

    def re(self, place: int) -> Any:
        return re2.compile(f"word {place}$")


def test_a_set_that_gives_up_is_noticed_and_its_literals_are_looked_for_one_by_one() -> None:
    asked = Literals(LITERALS)
    before = sorted(asked.find("word 7")[0])
    asked._set = Silent()
    found, enough = asked.find("word 7")
    assert (sorted(found), enough) == (before, False)


def test_a_filter_that_gives_up_is_noticed_and_its_patterns_are_searched_one_by_one() -> None:
    asked = PatternSet([f"word {n}$" for n in range(10)])
    asked._filters = [(0, Filter(Silent(), 10))]
    found, enough = asked.find("this is word 7")
    assert (list(found), enough) == ([7], False)


def test_patterns_beyond_what_is_kept_compiled_are_searched_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pattern_sets, "MAX_FILTERED", 100)
    monkeypatch.setattr(pattern_sets, "MAX_TOGETHER", 50)
    asked = PatternSet([f"word {n}$" for n in range(120)])
    assert asked.too_many
    assert [list(asked.find(f"word {n}")[0]) for n in (0, 60, 99, 100, 119)] == [[0], [60], [99], [100], [119]]


def test_an_evaluation_says_how_often_conditions_were_asked_again() -> None:
    several = [Condition(field=ConditionField.SUBJECT, operator=Operator.CONTAINS, value=f"word {n}") for n in range(literals.FEW + 1)]
    prepared = prepare_rules(tuple(rule(one.value, ActionType.LINK_SENDER, one) for one in several), 1)
    mail = ParsedMail(subject="word 3")
    assert evaluate(mail, prepared).asked_again == 0
    prepared.questions._fields[0]._literals._set = Silent()
    found = evaluate(mail, prepared)
    assert ([one.rule_id for one in found.candidates], found.asked_again) == (["word 3"], 1)
