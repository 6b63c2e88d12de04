"""What a command does, as a table: state and command in, effects out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.events import Action, ActionType, Candidate, CommandKind, CommandMail, Failure, Lookup, OutcomeType, TicketCommand
from shared.mail.model import Address
from tickets.domain.carry_out import apply, carry_out
from tickets.domain.state import MAIL_ORIGIN, OURS_ORIGIN, REFERRED_ORIGIN, Change, Desk, Effects, KnownId, MailState, TicketState

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ANNA = "anna@customer.example"
TICKET = TicketState(id=7, scanner_id="s1", title="Printer", status="waiting", version=3)


def candidate(kind: ActionType, key: str = "", **options: object) -> Candidate:
    return Candidate(rule_id=kind.value, rule_name=kind.value, action=Action.model_validate({"type": kind, **options}), key=key)


CREATE = candidate(ActionType.CREATE_TICKET)


def update(key: str = "7", **options: object) -> Candidate:
    return candidate(ActionType.UPDATE_TICKET, key, **options)


def command(*candidates: Candidate, sender: str = ANNA, **fields: Any) -> TicketCommand:
    refs = fields.pop("references", [])
    mail = CommandMail.model_validate(
        {"subject": "Re: Printer", "from": Address(address=sender), "message_id": "<new@x>", "references": refs}
    )
    values = {
        "mail_id": "m1",
        "kind": CommandKind.MAIL,
        "scanner_id": "s1",
        "received_at": NOON,
        "archive_key": "k",
        "mail": mail,
        "candidates": list(candidates),
    }
    return TicketCommand.model_validate({**values, **fields})


def desk(ticket: TicketState = TICKET, **fields: object) -> Desk:
    made = Desk(tickets={ticket.id: ticket}, participants={ticket.id: {ANNA}}, own=frozenset({"help@company.example"}))
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def outcome(effects: Effects) -> MailState:
    assert effects.mail is not None
    return effects.mail


def known(kind: OutcomeType, run: int = 1, revision: int = 1, **fields: object) -> MailState:
    made = MailState(mail_id="m1", scanner_id="s1", run=run, revision=revision, type=kind, at=NOON)
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


CLOSED = replace(TICKET, status="closed", closed_at=NOON - timedelta(days=30))


@pytest.mark.parametrize(
    ("ticket", "rule", "sender", "change", "linked"),
    [
        (TICKET, update(), ANNA, Change.APPENDED, None),
        (TICKET, update(), "ANNA@Customer.example", Change.APPENDED, None),
        (TICKET, update(), "eve@other.example", Change.OPENED, 7),
        (TICKET, update(), "help@company.example", Change.OPENED, 7),
        (TICKET, update(participants_only=False), "eve@other.example", Change.APPENDED, None),
        (CLOSED, update(reopen_days=31), ANNA, Change.APPENDED, None),
        (CLOSED, update(reopen_days=30), ANNA, Change.OPENED, 7),
        (replace(CLOSED, closed_at=NOON), update(reopen_days=0), ANNA, Change.OPENED, 7),
        (replace(CLOSED, closed_at=NOON + timedelta(hours=1)), update(reopen_days=0), ANNA, Change.APPENDED, None),
        (replace(TICKET, deleted=True), update(), ANNA, None, None),
        (replace(TICKET, deleted=True), update(create_when_missing=True), ANNA, Change.OPENED, None),
        (TICKET, update(""), ANNA, None, None),
        (TICKET, update("8"), ANNA, None, None),
        (TICKET, update("8", create_when_missing=True), ANNA, Change.OPENED, None),
        (TICKET, update("7", lookup="external_code"), ANNA, None, None),
    ],
)
def test_an_update(ticket: TicketState, rule: Candidate, sender: str, change: Change | None, linked: int | None) -> None:
    effects = carry_out(command(rule, sender=sender), desk(ticket), NOON)
    assert effects.change is change
    assert (effects.ticket.linked_ticket_id if effects.ticket else None) == linked
    expected = {Change.APPENDED: OutcomeType.UPDATE, Change.OPENED: OutcomeType.TICKET, None: OutcomeType.UNMATCHED}[change]
    assert outcome(effects).type is expected


@pytest.mark.parametrize(("before", "after"), [("open", "open"), ("waiting", "open"), ("in_progress", "in_progress"), ("closed", "open")])
def test_the_customers_mail_wakes_its_ticket(before: str, after: str) -> None:
    closed_at = NOON if before == "closed" else None
    effects = carry_out(command(update()), desk(replace(TICKET, status=before, closed_at=closed_at)), NOON)
    assert effects.ticket is not None
    assert (effects.ticket.status, effects.ticket.closed_at, effects.ticket.version) == (after, None, 4)


def test_a_rule_sets_status_priority_and_category_and_an_unknown_status_is_left_out() -> None:
    effects = carry_out(command(update(status="in_progress", priority="high", category="printers")), desk(), NOON)
    assert effects.ticket is not None
    assert (effects.ticket.status, effects.ticket.priority, effects.ticket.category) == ("in_progress", "high", "printers")
    effects = carry_out(command(update(status="on fire")), desk(), NOON)
    assert effects.ticket is not None
    assert effects.ticket.status == "open"


def test_a_rule_gives_the_ticket_to_an_operator_and_adds_tags() -> None:
    tagged = replace(TICKET, assignee="olga@company.example", tags=("vip",))
    effects = carry_out(command(update(tags=["VIP", " Big  Order ", " "])), desk(tagged), NOON)
    assert effects.ticket is not None
    assert (effects.ticket.assignee, effects.ticket.tags) == ("olga@company.example", ("vip", "big order"))
    options: dict[str, Any] = {"assignee": "Piet@company.example", "tags": ["new"]}
    for rule in (update(**options), candidate(ActionType.CREATE_TICKET, **options)):
        effects = carry_out(command(rule), desk(), NOON)
        assert effects.ticket is not None
        assert (effects.ticket.assignee, effects.ticket.tags) == ("piet@company.example", ("new",))


def test_a_ticket_has_fifty_tags_at_most_and_keeps_those_it_had() -> None:
    tagged = replace(TICKET, tags=tuple(f"t{number}" for number in range(49)))
    effects = carry_out(command(update(tags=["a", "b"])), desk(tagged), NOON)
    assert effects.ticket is not None
    assert effects.ticket.tags == (*tagged.tags, "a")


@pytest.mark.parametrize(
    ("kind", "record", "contacts", "filed"),
    [
        (ActionType.LINK_SENDER, None, {ANNA: "c1"}, "c1"),
        (ActionType.LINK_SENDER, "contact", {ANNA: "c1"}, "c1"),
        (ActionType.LINK_SENDER, "account", {ANNA: "c1"}, None),
        (ActionType.LINK_SENDER, "lead", {ANNA: "c1"}, None),
        (ActionType.LINK_SENDER, None, {"bob@customer.example": "c2"}, None),
        (ActionType.LINK_RECIPIENT, None, {"bob@customer.example": "c2", "eve@other.example": "c3"}, "c2"),
        (ActionType.LINK_RECIPIENT, None, {"eve@other.example": "c3"}, "c3"),
        (ActionType.LINK_RECIPIENT, None, {"help@company.example": "c4"}, None),
        (ActionType.LINK_RECIPIENT, None, {ANNA: "c1"}, None),
    ],
)
def test_a_mail_is_filed_with_the_contact_that_has_the_address(
    kind: ActionType, record: str | None, contacts: dict[str, str], filed: str | None
) -> None:
    asked = command(candidate(kind, record=record, create_lead=True))
    assert asked.mail is not None
    to = [Address(address=address) for address in ("Help@company.example", "Bob@customer.example", "")]
    mail = asked.mail.model_copy(update={"to": to, "cc": [Address(address="eve@other.example")]})
    effects = carry_out(asked.model_copy(update={"mail": mail}), desk(contacts=contacts), NOON)
    mailed = outcome(effects)
    assert effects.ticket is None
    expected = (OutcomeType.LINK, "contact", filed) if filed else (OutcomeType.UNMATCHED, None, None)
    assert (mailed.type, mailed.record_type, mailed.record_id) == expected


def test_the_first_rule_whose_action_takes_wins() -> None:
    passes = [candidate(ActionType.LINK_SENDER), update("8"), candidate(ActionType.ARCHIVE), CREATE]
    effects = carry_out(command(*passes), desk(), NOON)
    assert (outcome(effects).type, outcome(effects).rule_id) == (OutcomeType.ARCHIVED, "archive")
    assert effects.ticket is None


@pytest.mark.parametrize(
    ("rule", "authentication", "change", "linked"),
    [
        (update(), ["spf=pass", "dmarc=pass"], Change.APPENDED, None),
        (update(), ["spf=fail", "dmarc=none"], Change.APPENDED, None),
        (update(), ["dkim=pass", "dmarc=fail"], Change.OPENED, 7),
        (update("", lookup="conversation"), ["dmarc=fail"], Change.OPENED, 7),
        (update(participants_only=False), ["dmarc=fail"], Change.APPENDED, None),
    ],
)
def test_a_participant_whose_mail_fails_dmarc_is_a_stranger(
    rule: Candidate, authentication: list[str], change: Change, linked: int | None
) -> None:
    asked = command(rule, references=["<ours@x>"])
    assert asked.mail is not None
    asked = asked.model_copy(update={"mail": asked.mail.model_copy(update={"authentication": authentication})})
    effects = carry_out(asked, desk(ids={"<ours@x>": [KnownId(7, "s1", OURS_ORIGIN)]}), NOON)
    assert effects.change is change
    assert (effects.ticket.linked_ticket_id if effects.ticket else None) == linked
    assert ("DMARC" in (outcome(effects).reason or "")) is (linked is not None)


def test_a_forged_sender_does_not_choose_among_the_tickets_of_a_conversation() -> None:
    newer = replace(TICKET, id=9)
    state = desk(ids={"<a@x>": [KnownId(7, "s1", MAIL_ORIGIN), KnownId(9, "s1", MAIL_ORIGIN)]}, tickets={7: TICKET, 9: newer})
    asked = command(BY_CONVERSATION, references=["<a@x>"])
    assert asked.mail is not None
    forged = asked.model_copy(update={"mail": asked.mail.model_copy(update={"authentication": ["dmarc=fail"]})})
    found = [carry_out(one, state, NOON).ticket for one in (asked, forged)]
    assert [(ticket.id, ticket.linked_ticket_id) for ticket in found if ticket] == [(7, None), (-1, 9)]


BY_CONVERSATION = update("", lookup=Lookup.CONVERSATION.value)


@pytest.mark.parametrize(
    ("origin", "scanner", "found"),
    [(OURS_ORIGIN, "s2", True), (MAIL_ORIGIN, "s1", True), (REFERRED_ORIGIN, "s1", True), (MAIL_ORIGIN, "s2", False)],
)
def test_a_conversation_is_found_by_an_id_of_ours_anywhere_and_by_others_in_its_scanner(origin: str, scanner: str, found: bool) -> None:
    effects = carry_out(command(BY_CONVERSATION, references=["<a@x>"]), desk(ids={"<a@x>": [KnownId(7, scanner, origin)]}), NOON)
    assert (effects.change is Change.APPENDED) is found


def test_an_id_of_ours_is_stronger_than_one_of_a_mail() -> None:
    newer = replace(TICKET, id=9)
    ids = {"<a@x>": [KnownId(7, "s1", OURS_ORIGIN)], "<b@x>": [KnownId(9, "s1", MAIL_ORIGIN)]}
    state = desk(ids=ids, tickets={7: TICKET, 9: newer}, participants={7: {ANNA}, 9: {ANNA}})
    assert outcome(carry_out(command(BY_CONVERSATION, references=["<b@x>", "<a@x>"]), state, NOON)).ticket_id == 7


def test_an_equal_message_id_alone_proves_nothing_but_being_asked_for_does() -> None:
    twin = carry_out(command(BY_CONVERSATION), desk(ids={"<new@x>": [KnownId(7, "s1", MAIL_ORIGIN)]}), NOON)
    assert outcome(twin).type is OutcomeType.UNMATCHED
    asked = carry_out(command(BY_CONVERSATION), desk(ids={"<new@x>": [KnownId(7, "s1", REFERRED_ORIGIN)]}), NOON)
    assert outcome(asked).type is OutcomeType.UPDATE


def test_a_listed_sender_is_stopped_before_any_rule() -> None:
    effects = carry_out(command(CREATE, sender="ANNA@customer.example"), desk(spam=frozenset({ANNA})), NOON)
    assert (outcome(effects).type, effects.ticket, effects.hit) == (OutcomeType.SPAM, None, ANNA)


FAILED = Failure(outcome="failed", reason="no")


@pytest.mark.parametrize(
    ("before", "asked", "expected"),
    [
        (known(OutcomeType.FAILED, reason="no"), {}, (OutcomeType.TICKET, 1, 2)),
        (known(OutcomeType.DROPPED), {}, (OutcomeType.TICKET, 1, 2)),
        (known(OutcomeType.FAILED, reason="no"), {"kind": CommandKind.FAILURE, "failure": FAILED}, None),
        (known(OutcomeType.FAILED, reason="other"), {"kind": CommandKind.FAILURE, "failure": FAILED}, (OutcomeType.FAILED, 1, 2)),
        (known(OutcomeType.TICKET, ticket_id=7), {"kind": CommandKind.FAILURE, "failure": FAILED}, None),
        (known(OutcomeType.TICKET, ticket_id=7), {}, None),
        (known(OutcomeType.TICKET, ticket_id=7), {"run": 2}, (OutcomeType.TICKET, 2, 1)),
        (known(OutcomeType.SPAM, ticket_id=7), {"run": 2}, (OutcomeType.SPAM, 2, 1)),
        (known(OutcomeType.UNMATCHED), {}, None),
        (known(OutcomeType.UNMATCHED, revision=4), {"run": 2}, (OutcomeType.TICKET, 2, 1)),
        (known(OutcomeType.FAILED, run=2), {}, None),
    ],
)
def test_a_mail_with_an_outcome(before: MailState, asked: dict[str, Any], expected: tuple[OutcomeType, int, int] | None) -> None:
    effects = carry_out(command(CREATE, **asked), desk(mails={"m1": before}), NOON)
    assert ((effects.mail.type, effects.mail.run, effects.mail.revision) if effects.mail else None) == expected
    assert effects.repeat is None


def test_a_mail_whose_outcome_is_asked_for_again_is_told_as_it_was() -> None:
    stored = known(OutcomeType.TICKET, ticket_id=7)
    effects = carry_out(command(CREATE), desk(mails={"m1": stored}), NOON, asked_again=True)
    assert effects == Effects(repeat=stored)


def test_a_batch_knows_what_it_opened() -> None:
    state = desk(contacts={ANNA: "c1"})
    first = command(BY_CONVERSATION, CREATE, references=["<root@x>"])
    effects = carry_out(first, state, NOON)
    apply(effects, first, state)
    assert effects.ticket is not None
    assert (effects.ticket.id, effects.ticket.contact_id) == (-1, "c1")
    second = command(BY_CONVERSATION, CREATE, mail_id="m2", references=["<root@x>"])
    assert outcome(carry_out(second, state, NOON)).ticket_id == -1
    third = command(CREATE, mail_id="m3")
    assert outcome(carry_out(third, state, NOON)).ticket_id == -2


def test_a_ticket_opened_in_the_same_batch_is_newer_than_those_that_are_stored() -> None:
    state = desk(ids={"<root@x>": [KnownId(7, "s1", MAIL_ORIGIN)]})
    for number in range(2):
        opening = command(CREATE, mail_id=f"m{number}", references=["<root@x>"])
        apply(carry_out(opening, state, NOON), opening, state)
    answer = command(BY_CONVERSATION, mail_id="m9", references=["<root@x>"])
    assert outcome(carry_out(answer, state, NOON)).ticket_id == -2
