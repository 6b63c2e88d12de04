"""Which options an action may have: what is stored is what happens."""

from __future__ import annotations

from typing import Any

import pytest

from rules.domain.options import OPTIONS, refused_options, without_refused
from shared.events import Action, ActionType

OTHER: dict[str, Any] = {
    "lookup": "title",
    "create_when_missing": True,
    "participants_only": False,
    "reopen_days": 7,
    "status": "waiting",
    "priority": "high",
    "category": "bills",
    "assignee": "anna@company.example",
    "tags": ["a"],
    "record": "lead",
    "create_lead": True,
}
"""Each option that is offered, with a value that is not its default."""


def action(kind: str, **options: Any) -> Action:
    return Action.model_validate({"type": kind, **options})


@pytest.mark.parametrize("kind", ActionType)
@pytest.mark.parametrize("option", OTHER)
def test_an_option_is_taken_by_the_actions_that_know_it_and_refused_by_name_elsewhere(kind: ActionType, option: str) -> None:
    refused = refused_options(action(kind, **{option: OTHER[option]}))
    if option in OPTIONS[kind]:
        assert refused == {}
    else:
        assert refused == {option: f"{kind.value} has no option {option}; leave the field out"}


def test_every_option_of_the_contract_is_known_to_some_action() -> None:
    assert set().union(*OPTIONS.values()) == set(Action.model_fields) - {"type"}


@pytest.mark.parametrize("kind", ActionType)
def test_defaults_written_out_are_as_good_as_left_out(kind: ActionType) -> None:
    assert refused_options(action(kind, **Action(type=kind).model_dump(exclude={"type"}))) == {}


def test_only_what_always_opens_a_ticket_can_acknowledge() -> None:
    assert refused_options(action("create_ticket", acknowledge=True)) == {}
    refused = action("ignore", acknowledge=True)
    assert refused_options(refused) == {"acknowledge": "ignore has no option acknowledge; leave the field out"}
    assert without_refused(refused) == action("ignore")


@pytest.mark.parametrize("status", ["resolved", "Open", ""])
def test_a_status_no_ticket_can_have_is_refused_with_those_there_are(status: str) -> None:
    assert refused_options(action("create_ticket", status=status)) == {"status": "must be one of open, in_progress, waiting, closed"}


@pytest.mark.parametrize(("option", "value"), [("priority", ""), ("category", " "), ("assignee", ""), ("tags", ["a", " "])])
def test_a_blank_option_is_refused(option: str, value: object) -> None:
    assert refused_options(action("create_ticket", **{option: value})) == {option: "must not be blank; leave it out"}
