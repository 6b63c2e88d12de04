"""What a command does, as a table: state and command in, effects out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
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
    content = {name: fields.pop(name, []) for name in ("references", "to", "cc")}
    people = {name: [Address(address=address) for address in content.pop(name)] for name in ("to", "cc")}
    mail = CommandMail.model_validate(
        {"subject": "Re: Printer", "from": Address(address=sender), "message_id": "<new@x>", **content, **people}
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
    made.codes = {("s1", "x-17"): ticket.id}
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
        (TICKET, update(" X-17 ", lookup="external_code"), ANNA, Change.APPENDED, None),
        (TICKET, update("x-17", lookup="external_code"), "eve@other.example", Change.OPENED, 7),
        (replace(TICKET, merged_into=8), update(), ANNA, None, None),
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


@pytest.mark.parametrize(
    ("listed", "stopped_by"),
    [
        ({"@customer.example"}, "@customer.example"),
        ({"@customer.example", ANNA}, ANNA),
        ({"@other.example", "@example"}, None),
    ],
)
def test_a_listed_domain_stops_its_senders_and_the_nearest_entry_counts_it(listed: set[str], stopped_by: str | None) -> None:
    effects = carry_out(command(CREATE), desk(spam=frozenset(listed)), NOON)
    assert effects.hit == stopped_by
    assert (outcome(effects).type is OutcomeType.SPAM) is (stopped_by is not None)


def test_a_listed_domain_does_not_stop_a_mailbox_of_ours() -> None:
    effects = carry_out(command(CREATE, sender="help@company.example"), desk(spam=frozenset({"@company.example"})), NOON)
    assert outcome(effects).type is OutcomeType.TICKET


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
        (known(OutcomeType.RELEASED, revision=3), {}, (OutcomeType.TICKET, 1, 4)),
        (known(OutcomeType.RELEASED), {"kind": CommandKind.FAILURE, "failure": FAILED}, (OutcomeType.FAILED, 1, 2)),
        (known(OutcomeType.RELEASED, run=2), {}, None),
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
    state = desk(records={ANNA: {"contact": "c1"}})
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


def chain(*numbers: int, deleted: bool = False) -> dict[int, TicketState]:
    """Tickets, each merged into the next."""
    into = dict(pairwise(numbers))
    return {number: replace(TICKET, id=number, merged_into=into.get(number), deleted=deleted and number not in into) for number in numbers}


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        (update("7"), {}),
        (update("printer", lookup="title"), {"titles": {("s1", "printer"): 7}}),
        (update("x-17", lookup="external_code"), {}),
        (BY_CONVERSATION, {"ids": {"<a@x>": [KnownId(7, "s1", MAIL_ORIGIN)]}}),
        (BY_CONVERSATION, {"own": frozenset({"help@company.example"})}),
    ],
)
def test_a_merged_ticket_leads_to_the_one_that_has_its_messages(rule: Candidate, fields: dict[str, Any]) -> None:
    asked = command(rule, references=["<a@x>"], to=["help+7@company.example"])
    state = desk(tickets=chain(7, 8, 9), participants={9: {ANNA}}, **fields)
    assert outcome(carry_out(asked, state, NOON)).ticket_id == 9
    assert outcome(carry_out(asked, desk(tickets=chain(7, 8, 9, deleted=True), **fields), NOON)).type is OutcomeType.UNMATCHED
    stranger = carry_out(asked, desk(tickets=chain(7, 8, 9), participants={7: {ANNA}}, **fields), NOON)
    assert stranger.ticket is not None
    assert stranger.ticket.linked_ticket_id == 9


def test_an_endless_chain_of_merges_leads_nowhere() -> None:
    rings = chain(*range(7, 100))
    assert outcome(carry_out(command(update("7")), desk(tickets=rings), NOON)).type is OutcomeType.UNMATCHED


@pytest.mark.parametrize(
    ("to", "found"),
    [
        ("Help+7@Company.example", True),
        ("help+t7@company.example", True),
        ("help+x7@company.example", False),
        ("help+7@elsewhere.example", False),
        ("help+0@company.example", False),
        ("help+9223372036854775808@company.example", False),
        ("help+8@company.example", False),
        ("+7@company.example", False),
    ],
)
def test_a_plus_address_of_a_mailbox_names_its_ticket(to: str, found: bool) -> None:
    for one in (command(BY_CONVERSATION, to=["bob@customer.example", to]), command(BY_CONVERSATION, cc=[to])):
        assert (carry_out(one, desk(), NOON).change is Change.APPENDED) is found


def test_a_known_message_id_is_stronger_than_a_plus_address() -> None:
    state = desk(ids={"<a@x>": [KnownId(9, "s1", MAIL_ORIGIN)]}, tickets={7: TICKET, 9: replace(TICKET, id=9)})
    asked = command(BY_CONVERSATION, references=["<a@x>"], to=["help+7@company.example"])
    assert carry_out(asked, state, NOON).ticket == replace(TICKET, id=-1, linked_ticket_id=9, title="Re: Printer", status="open", version=1)


def test_a_strangers_mail_to_a_plus_address_opens_a_linked_ticket() -> None:
    effects = carry_out(command(BY_CONVERSATION, sender="eve@other.example", to=["help+7@company.example"]), desk(), NOON)
    assert effects.ticket is not None
    assert (effects.change, effects.ticket.linked_ticket_id) == (Change.OPENED, 7)


@pytest.mark.parametrize(
    ("ticket", "sender", "code"),
    [
        (None, ANNA, "X-18"),
        (replace(TICKET, external_code="X-18"), "eve@other.example", None),
        (replace(CLOSED, external_code="X-18", closed_at=NOON - timedelta(days=99)), ANNA, "X-18"),
    ],
)
def test_the_code_a_ticket_was_missed_by_is_its_own_but_a_stranger_gets_none(
    ticket: TicketState | None, sender: str, code: str | None
) -> None:
    state = desk(ticket or TICKET, codes={("s1", "x-18"): 7} if ticket else {})
    asked = command(update(" X-18", lookup="external_code", create_when_missing=True), sender=sender)
    effects = carry_out(asked, state, NOON)
    assert effects.ticket is not None
    assert (effects.change, effects.ticket.external_code) == (Change.OPENED, code)
    apply(effects, asked, state)
    again = command(update("x-18", lookup="external_code"), mail_id="m2")
    assert outcome(carry_out(again, state, NOON)).ticket_id == (-1 if code else 7)
