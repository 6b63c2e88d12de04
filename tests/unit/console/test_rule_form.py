"""A rule between its form and its JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from starlette.datastructures import FormData

from console.pages.page import field_errors
from console.pages.rule_form import carets, check, draft, is_field, rule_values
from shared.api import DraftRule, RuleIn
from shared.http import ProblemError

Row = tuple[str, str, str, str, str]
SUBJECT: Row = ("subject", "", "contains", "invoice", "")


def form(rows: Iterable[Row] = (SUBJECT,), /, action: str = "create_ticket", **more: str) -> FormData:
    """The form as a browser sends it: every row has every field, also those that are hidden."""
    names = ("field", "header", "operator", "value", "kind")
    cells = [pair for row in rows for pair in zip(names, row, strict=True)]
    return FormData([("name", "Invoices"), ("enabled", "yes"), ("match", "any"), ("action", action), *cells, *more.items()])


def condition(row: Row) -> dict[str, Any]:
    (found,) = rule_values(form([row]))["conditions"]
    return dict(found)


def wrong(row: Row) -> dict[str, str]:
    """What is told at the row's fields."""
    with pytest.raises(ProblemError) as caught:
        check(rule_values(form([SUBJECT, row])))
    return field_errors(caught.value)


def test_a_filled_form_is_what_the_api_takes() -> None:
    rows: list[Row] = [
        ("header", " List-Id ", "contains", "news", "list"),
        ("attachment_size", "", "greater_than", "2.5 MB", ""),
        ("kind", "left over", "not_equals", "left over", "list"),
        ("authentication", "", "equals", "dmarc=fail", ""),
    ]
    values = rule_values(form(rows))
    check(values)
    taken = RuleIn.model_validate(values)
    told = [(item.field.value, item.header, item.operator.value, item.value) for item in taken.conditions]
    assert told == [
        ("header", "List-Id", "contains", "news"),
        ("attachment_size", None, "greater_than", "2.5 MB"),
        ("kind", None, "not_equals", "list"),
        ("authentication", None, "equals", "dmarc=fail"),
    ]


def test_rows_with_a_blank_value_are_no_conditions_and_an_errors_index_is_a_shown_rows() -> None:
    rows: list[Row] = [("from", "", "contains", "  ", "list"), SUBJECT, ("kind", "", "equals", "left over", "")]
    assert rule_values(form(rows))["conditions"] == [{"field": "subject", "operator": "contains", "value": "invoice"}]


def test_a_kind_is_chosen_but_for_the_operators_of_texts() -> None:
    assert condition(("kind", "", "equals", "typed", "list"))["value"] == "list"
    assert condition(("kind", "", "regex", "^pec", "list"))["value"] == "^pec"


@pytest.mark.parametrize(
    ("row", "place", "told"),
    [
        (("header", "", "contains", "x", ""), "header", "Give the header field's name"),
        (("header", "List Id:", "contains", "x", ""), "header", "without the colon"),
        (("attachment_size", "", "contains", "5 MB", ""), "operator", "is larger than"),
        (("subject", "", "less_than", "5 MB", ""), "operator", "attachment's size"),
        (("attachment_size", "", "less_than", "5 apples", ""), "value", "500 KB"),
    ],
)
def test_what_does_not_fit_the_field_is_told_at_its_place(row: Row, place: str, told: str) -> None:
    errors = wrong(row)
    assert list(errors) == [f"conditions.1.{place}"]
    assert told in errors[f"conditions.1.{place}"]


def test_an_action_has_its_own_options_and_no_others() -> None:
    options = {"lookup": "title", "participants_only": "yes", "reopen_days": "7", "priority": "high", "status": ""}
    more = options | {"assignee": "otto@company.example", "tags": " a, ,b b ", "record": "contact"}

    def action(kind: str) -> dict[str, Any]:
        return dict(rule_values(form(action=kind, **more))["action"])

    gets = {"priority": "high", "assignee": "otto@company.example", "tags": ["a", "b b"]}
    assert action("create_ticket") == {"type": "create_ticket"} | gets
    found = {"lookup": "title", "participants_only": True, "create_when_missing": False, "reopen_days": "7"}
    assert action("update_ticket") == {"type": "update_ticket"} | found | gets
    assert action("link_sender") == {"type": "link_sender", "record": "contact", "create_lead": False}
    assert action("archive") == {"type": "archive"}


def test_a_link_to_whichever_record_may_make_a_lead() -> None:
    action = rule_values(form(action="link_recipient", record="", create_lead="yes"))["action"]
    assert action == {"type": "link_recipient", "create_lead": True}


def test_a_draft_is_the_set_as_it_would_be() -> None:
    known = {"scanner_id": "support", "version": 7, "builtin": False}
    rules = [known | {"id": key, "position": place} | rule_values(form()) for place, key in enumerate(("r1", "r2"), 1)]
    changed = rule_values(form(action="ignore"))
    taken = [DraftRule.model_validate(rule) for rule in draft(rules, "r1", changed)]
    assert [(rule.id, rule.action.type.value) for rule in taken] == [("r1", "ignore"), ("r2", "create_ticket")]
    taken = [DraftRule.model_validate(rule) for rule in draft(rules, None, changed)]
    assert [(rule.id, rule.action.type.value) for rule in taken] == [("r1", "create_ticket"), ("r2", "create_ticket"), (None, "ignore")]


def test_a_refused_pattern_is_marked_where_it_was_refused() -> None:
    errors = [
        {"field": "conditions.1.value", "message": "at character 3: …", "position": 2},
        {"field": "conditions.9.value", "position": 1},
    ]
    refusal = ProblemError(422, "The regular expression is not valid", errors=errors)
    assert carets(refusal, [{"value": "fine"}, {"value": "a\t(b"}]) == {1: "a (b\n  ^"}
    long = "x" * 60 + "(" + "y" * 60
    errors = [{"field": "conditions.0.value", "message": "", "position": 60}]
    shown, mark = carets(ProblemError(422, "Not valid", errors=errors), [{"value": long}])[0].split("\n")
    assert shown[mark.index("^")] == "("
    assert len(shown) < 70


def test_only_errors_of_shown_fields_are_told_at_a_field() -> None:
    assert is_field("conditions.2.value")
    assert is_field("action.tags.0")
    assert not is_field("conditions")
    assert not is_field("action.type")
