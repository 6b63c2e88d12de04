"""Candidates in order up to the first that always takes, keys, and the trace that says why."""

from __future__ import annotations

import pytest

from rules.domain.rule import builtin_rules
from shared.events import Action, ActionType, Lookup
from tests.unit.rules.builders import condition, mail, rule, told

CREATE = ActionType.CREATE_TICKET
UPDATE = ActionType.UPDATE_TICKET


@pytest.mark.parametrize(
    ("first", "reached"),
    [
        (Action(type=ActionType.CREATE_TICKET), False),
        (Action(type=ActionType.ARCHIVE), False),
        (Action(type=ActionType.IGNORE), False),
        (Action(type=UPDATE, create_when_missing=True), False),
        (Action(type=UPDATE), True),
        (Action(type=UPDATE, lookup=Lookup.CONVERSATION), True),
        (Action(type=ActionType.LINK_SENDER), True),
        (Action(type=ActionType.LINK_RECIPIENT), True),
        (Action(type=ActionType.LINK_SENDER, create_when_missing=True), True),
    ],
)
def test_candidates_go_up_to_the_first_that_always_takes(first: Action, reached: bool) -> None:
    found = told(mail(), rule("one", first), rule("two", CREATE), rule("three", ActionType.IGNORE))
    assert [one.rule_id for one in found.candidates] == (["one", "two"] if reached else ["one"])
    assert [one.rule_id for one in found.trace] == ["one", "two", "three"]


def test_rules_that_do_not_match_or_are_switched_off_are_no_candidates_but_in_the_trace() -> None:
    found = told(
        mail(),
        rule("off", CREATE, enabled=False),
        rule("no", CREATE, condition("subject", "contains", "zebra"), condition("subject", "contains", "printer")),
        rule("yes", CREATE, condition("subject", "contains", "printer")),
        rule("late", CREATE),
    )
    assert [one.rule_id for one in found.candidates] == ["yes"]
    off, no, yes, late = found.trace
    assert "switched off" in off.note
    assert "condition 1 does not hold" in no.note
    assert [one.matched for one in no.conditions] == [False, True]
    assert "always takes" in yes.note
    assert "'yes'" in late.note
    assert [one.matched for one in found.trace] == [False, False, True, False]


def test_no_rule_and_no_match_leave_no_candidate() -> None:
    assert told(mail()).candidates == []
    assert told(mail(), rule("no", CREATE, condition("body", "contains", "zebra"))).candidates == []


@pytest.mark.parametrize(
    ("pattern", "subject", "key"),
    [
        (r"Ticket Id: (\d+)", "Re: Broken - ticket ID: 123", "123"),
        (r"\d+", "Re: 77 Broken", "77"),
        (r"(Re|Fwd): (\d+)", "Re: 5", "5"),
        (r"(?P<ticket>\d+)-(\w+)", "17-abc", "17"),
        (r"(?<ticket>\d+)-(\w+)", "17-abc", "17"),
        (r"id (\d+)|nr (\d+)", "id 4", "4"),
        (r"x(?P<ticket>\d+)?", "x", ""),
        (r"(a)?b", "b", ""),
        (r"\[\s*(\w+\s*)\]", "[ ab ]", "ab"),
    ],
)
def test_the_key_is_the_group_ticket_else_the_last_group_else_the_match(pattern: str, subject: str, key: str) -> None:
    found = told(mail(subject=subject), rule("r", UPDATE, condition("subject", "regex", pattern)))
    assert [one.key for one in found.candidates] == [key]


def test_the_first_key_caught_counts_and_captures_are_in_the_trace() -> None:
    conditions = [
        condition("subject", "regex", r"nr (?P<ticket>\d+)"),
        condition("body", "regex", r"#(\d+)"),
        condition("body", "contains", "x"),
    ]
    found = told(mail(subject="none", text="see #42"), rule("r", UPDATE, *conditions, match="any"))
    assert found.candidates[0].key == "42"
    assert found.trace[0].captures == {"match": "#42", "1": "42"}


def test_a_title_look_up_without_pattern_means_the_subject() -> None:
    by_title = Action(type=UPDATE, lookup=Lookup.TITLE)
    assert told(mail(subject="Re: Printer"), rule("r", by_title)).candidates[0].key == "Re: Printer"
    caught_nothing = rule("r", by_title, condition("body", "regex", "case (.*)"), condition("body", "contains", "it"), match="any")
    assert told(mail(), caught_nothing).candidates[0].key == ""


def test_the_built_in_rule_asks_for_the_conversation_and_passes_on() -> None:
    found = told(mail(), *builtin_rules("s"), rule("all", CREATE))
    assert found.candidates[0].action.lookup is Lookup.CONVERSATION
    assert [one.action.type for one in found.candidates] == [UPDATE, CREATE]
    assert "no known conversation" in found.trace[0].note


def test_compared_values_are_cut_to_200_characters() -> None:
    long = mail(text="a" * 5_000, subject="b" * 200)
    found = told(
        long, rule("r", CREATE, condition("body", "regex", "(a+)"), condition("subject", "contains", "b"), condition("to", "contains", "@"))
    )
    body, subject, to = found.trace[0].conditions
    assert len(body.compared) == 200
    assert body.compared.endswith("…")
    assert subject.compared == "b" * 200
    assert "help@company.example" in to.compared
    assert "sales@company.example" in to.compared
    assert all(len(value) <= 200 for value in found.trace[0].captures.values())
