"""Rules, their changes and results in words."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from console.pages import rule_texts
from shared.api import ConditionField, Operator, RuleChange
from shared.events import ActionType, Lookup, OutcomeType
from shared.mail.model import Kind


def test_a_rule_is_a_sentence() -> None:
    conditions = [
        {"field": "subject", "operator": "contains", "value": "invoice"},
        {"field": "from", "operator": "ends_with", "value": " "},
    ]
    assert rule_texts.conditions({"match": "any", "conditions": conditions}) == "If Subject contains “invoice”"
    assert rule_texts.conditions({"match": "all", "conditions": []}) == "Every mail"
    update = {"type": "update_ticket", "lookup": "ticket_id", "create_when_missing": True}
    assert rule_texts.action(update) == "add the mail to the ticket found by its Ticket Id, or create a ticket when there is none"


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ({"field": "header", "header": "List-Id", "operator": "regex", "value": "a+"}, "Header List-Id matches the pattern “a+”"),
        ({"field": "attachment_size", "operator": "greater_than", "value": "2 MB"}, "An attachment is larger than “2 MB”"),
        ({"field": "kind", "operator": "not_equals", "value": "list"}, "Kind of mail is not “mailing list or bulk”"),
        ({"field": "kind", "operator": "regex", "value": "^pec"}, "Kind of mail matches the pattern “^pec”"),
        ({"field": "authentication", "operator": "equals", "value": "dmarc=fail"}, "Authentication is exactly “dmarc=fail”"),
    ],
)
def test_a_condition_is_told_as_people_say_it(item: dict[str, Any], told: str) -> None:
    assert rule_texts.condition(item) == told


def test_options_of_an_action_are_told() -> None:
    gets = {"priority": "high", "status": "in_progress", "assignee": "otto@company.example", "tags": ["a", "b"]}
    told = "create a ticket (sets status “In progress”, priority “High”, assignee “otto@company.example”, tags “a”, “b”)"
    assert rule_texts.action({"type": "create_ticket"} | gets) == told


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"type": "link_sender"}, "file it with the sender's record"),
        ({"type": "link_sender", "record": "account"}, "file it with the account that has the sender's address"),
        ({"type": "link_recipient", "create_lead": True}, "file it with the recipient's record, or with a new lead when there is none"),
    ],
)
def test_a_link_says_with_what_the_mail_is_filed(options: dict[str, Any], told: str) -> None:
    assert rule_texts.action(options) == told


def test_everything_a_rule_can_hold_has_words() -> None:
    assert set(rule_texts.FIELDS) == set(ConditionField)
    assert set(rule_texts.OPERATORS) == set(Operator)
    assert set(rule_texts.ACTIONS) == set(ActionType)
    assert set(rule_texts.LOOKUPS) == set(Lookup)
    assert set(rule_texts.KINDS) < set(Kind)
    assert set(rule_texts.EXPECTED) < set(OutcomeType)
    assert set(rule_texts.CHANGES) == set(get_args(RuleChange.model_fields["what"].annotation))


@pytest.mark.parametrize(
    ("action", "always"),
    [
        ({"type": "create_ticket"}, True),
        ({"type": "ignore"}, True),
        ({"type": "update_ticket", "create_when_missing": True}, True),
        ({"type": "update_ticket"}, False),
        ({"type": "link_sender"}, False),
    ],
)
def test_rules_below_are_out_of_reach_where_the_action_always_takes(action: dict[str, Any], always: bool) -> None:
    assert rule_texts.always_takes({"action": action}) is always


def test_a_result_names_its_rule_and_ticket() -> None:
    side = {"outcome": "update", "rule_id": "r2", "rule_name": "Answers by number", "ticket_id": 128, "reason": None}
    assert rule_texts.result(side) == "Added to ticket 128 by “Answers by number”"
    assert rule_texts.result(None) == "could not be tried"
    gone = {"expected": {"outcome": "ignored", "rule_id": "r9"}, "rule_name": None}
    assert rule_texts.expectation(gone) == "Ignored by a rule that is no longer there"


def test_a_change_is_told_before_and_after() -> None:
    condition = {"field": "subject", "operator": "contains", "value": "invoice"}
    assert rule_texts.sides({"field": "conditions", "before": [], "after": [condition]}) == (
        "Conditions",
        ["none: every mail"],
        ["Subject contains “invoice”"],
    )
    assert rule_texts.sides({"field": "enabled", "before": True, "after": False}) == ("State", ["enabled"], ["disabled"])
    assert rule_texts.sides({"field": "position", "before": 3, "after": 1}) == ("Place", ["3"], ["1"])
    assert rule_texts.sides({"field": "match", "before": "all", "after": "any"})[2] == ["any condition is enough"]
