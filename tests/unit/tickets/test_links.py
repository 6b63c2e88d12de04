"""Mails filed with contacts, accounts and leads, and leads made of unknown senders."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.api import RecordType
from shared.events import Action, ActionType, Candidate, CommandKind, CommandMail, OutcomeType, TicketCommand
from shared.mail.model import Address
from tickets.domain.carry_out import apply, carry_out
from tickets.domain.state import Desk, Effects

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ANNA, BOB, EVE, HELP = "anna@customer.example", "bob@customer.example", "eve@other.example", "help@company.example"
SENDER, RECIPIENT = ActionType.LINK_SENDER, ActionType.LINK_RECIPIENT
Records = dict[str, dict[RecordType, str]]


def asked(kind: ActionType, sender: str = ANNA, name: str = "Anna", mail_id: str = "m1", **options: Any) -> TicketCommand:
    to = [Address(address=address) for address in ("Help@company.example", "help+7@company.example", "Bob@customer.example", "")]
    mail = CommandMail(subject="Hello", from_=Address(name=name, address=sender), to=to, cc=[Address(name="Eve", address=EVE)])
    rule = Candidate(rule_id="r", rule_name="R", action=Action.model_validate({"type": kind, **options}))
    return TicketCommand(
        mail_id=mail_id, kind=CommandKind.MAIL, scanner_id="s1", received_at=NOON, archive_key="k", mail=mail, candidates=[rule]
    )


def desk(records: Records | None = None) -> Desk:
    return Desk(records=records or {}, own=frozenset({HELP}))


def filed(effects: Effects) -> tuple[str | None, str | None]:
    assert effects.mail is not None
    assert (effects.mail.type is OutcomeType.LINK) is (effects.mail.record_id is not None)
    return effects.mail.record_type, effects.mail.record_id


@pytest.mark.parametrize(
    ("kind", "record", "records", "expected"),
    [
        (SENDER, None, {ANNA: {"contact": "c1", "lead": "l1"}}, ("contact", "c1")),
        (SENDER, None, {ANNA: {"lead": "l1", "account": "a1"}}, ("account", "a1")),
        (SENDER, None, {ANNA: {"lead": "l1"}}, ("lead", "l1")),
        (SENDER, "lead", {ANNA: {"contact": "c1", "lead": "l1"}}, ("lead", "l1")),
        (SENDER, "account", {ANNA: {"contact": "c1"}}, (None, None)),
        (SENDER, None, {BOB: {"contact": "c2"}}, (None, None)),
        (RECIPIENT, None, {BOB: {"lead": "l2"}, EVE: {"contact": "c3"}}, ("lead", "l2")),
        (RECIPIENT, "contact", {BOB: {"lead": "l2"}, EVE: {"contact": "c3"}}, ("contact", "c3")),
        (RECIPIENT, None, {HELP: {"contact": "c4"}, ANNA: {"contact": "c1"}}, (None, None)),
    ],
)
def test_a_mail_is_filed_with_the_record_that_has_the_address(
    kind: ActionType, record: str | None, records: Records, expected: tuple[str | None, str | None]
) -> None:
    effects = carry_out(asked(kind, record=record), desk(records), NOON)
    assert (filed(effects), effects.lead, effects.ticket) == (expected, None, None)


@pytest.mark.parametrize(
    ("sender", "stored"),
    [
        ("Anna+shop@googlemail.com", "anna@gmail.com"),
        ("anna+shop@gmail.com", "anna+shop@gmail.com"),
        ("anna+shop@customer.example", "anna+shop@customer.example"),
    ],
)
def test_plus_tags_of_large_providers_and_addresses_stored_before_are_found(sender: str, stored: str) -> None:
    assert filed(carry_out(asked(SENDER, sender), desk({stored: {"contact": "c1"}}), NOON)) == ("contact", "c1")


@pytest.mark.parametrize(
    ("kind", "record", "records", "lead"),
    [
        (SENDER, None, {}, ("Anna", ANNA)),
        (SENDER, "contact", {}, ("Anna", ANNA)),
        (SENDER, "contact", {ANNA: {"account": "a1"}}, None),
        (RECIPIENT, None, {}, ("Bob@customer.example", "Bob@customer.example")),
        (RECIPIENT, "contact", {BOB: {"account": "a1"}}, ("Eve", EVE)),
        (RECIPIENT, None, {EVE: {"contact": "c1"}}, None),
    ],
)
def test_a_lead_is_made_for_the_first_address_that_nobody_has(
    kind: ActionType, record: str | None, records: Records, lead: tuple[str, str] | None
) -> None:
    effects = carry_out(asked(kind, record=record, create_lead=True), desk(records), NOON)
    assert ((effects.lead.name, effects.lead.address) if effects.lead else None) == lead
    if effects.lead is not None:
        assert filed(effects) == ("lead", effects.lead.id)


@pytest.mark.parametrize(
    ("sender", "name", "expected"),
    [
        ("nobody", "Anna", None),
        (HELP, "Help desk", None),
        ("help+7@company.example", "Help desk", None),
        ("a b@x.example", "Anna", None),
        (f"{'x' * 400}@x.example", "Anna", None),
        (ANNA, "  ", ANNA),
        (ANNA, "Anna \n " + "x" * 500, "Anna " + "x" * 195),
        ("Anna+shop@gmail.com", "", "Anna+shop@gmail.com"),
    ],
)
def test_what_cannot_be_a_lead_passes_and_names_fit(sender: str, name: str, expected: str | None) -> None:
    effects = carry_out(asked(SENDER, sender, name, create_lead=True), desk(), NOON)
    assert (effects.lead.name if effects.lead else None) == expected


def test_the_next_mails_of_a_batch_see_the_lead_also_where_the_rule_asks_for_contacts() -> None:
    state = desk()
    first = asked(SENDER, "Anna+a@gmail.com", create_lead=True)
    made = carry_out(first, state, NOON)
    apply(made, first, state)
    assert made == carry_out(first, desk(), NOON), "carried out again it is the same lead"
    for record in (None, "contact"):
        again = carry_out(asked(SENDER, "anna+b@gmail.com", mail_id="m2", record=record, create_lead=True), state, NOON)
        assert (filed(again), again.lead) == (filed(made), None)


@pytest.mark.parametrize(
    ("known", "expected"),
    [({"account": "a1", "lead": "l1"}, "a1"), ({"lead": "l1"}, "l1"), ({"contact": "c1", "account": "a1"}, "c1"), ({}, None)],
)
def test_a_ticket_is_connected_to_the_contact_else_account_else_lead(known: dict[RecordType, str], expected: str | None) -> None:
    effects = carry_out(asked(ActionType.CREATE_TICKET, "Anna+a@gmail.com"), desk({"anna@gmail.com": known}), NOON)
    assert effects.ticket is not None
    assert effects.ticket.contact_id == expected
