"""What rules set on tickets, mails filed with contacts, mails of machines, quoted history: stored, shown, changed."""

from __future__ import annotations

from typing import Any

import pytest

from shared.events import Action, ActionType, Candidate, CommandKind
from shared.mail.model import Address, DeliveryReport, Fold, FoldKind, RecipientReport
from tests.integration.tickets.rig import CREATE, OWN, REPLY, Rig, command, mail, update

pytestmark = pytest.mark.connected


def rule(kind: ActionType, **options: Any) -> Candidate:
    return Candidate(rule_id="r", rule_name="R", action=Action(type=kind, **options))


async def test_rules_set_assignee_and_tags_and_an_update_adds_to_them(rig: Rig) -> None:
    created = rule(ActionType.CREATE_TICKET, assignee="Olga@company.example", tags=["VIP", "order"])
    await rig.carry_out(command(candidates=[created]))
    await rig.carry_out(command(candidates=[update("1", tags=["vip", "late"])]), command(candidates=[update("1", tags=["again"])]))
    ticket = await rig.get("/tickets/1")
    assert (ticket["assignee"], ticket["tags"]) == ("olga@company.example", ["vip", "order", "late", "again"])
    await rig.carry_out(command(candidates=[update("1", assignee="piet@company.example")]))
    assert (await rig.get("/tickets/1"))["assignee"] == "piet@company.example"


async def test_an_operator_changes_assignee_and_tags_and_the_list_is_filtered_by_them(rig: Rig) -> None:
    await rig.api.post("/tickets", json={"title": "Toner", "assignee": "Olga@company.example", "tags": ["Toner", "toner ", "a  b"]})
    await rig.carry_out(command(candidates=[rule(ActionType.CREATE_TICKET, assignee="olga@company.example", tags=["vip"])]), command())
    made = await rig.get("/tickets/1")
    assert (made["assignee"], made["tags"]) == ("olga@company.example", ["toner", "a b"])
    for params, expected in [
        ({"assignee": "OLGA@company.example"}, [2, 1]),
        ({"tag": "VIP"}, [2]),
        ({"tag": "a b", "assignee": "olga@company.example"}, [1]),
        ({"tag": "a"}, []),
        ({"tag": ""}, []),
        ({"assignee": "nobody@company.example"}, []),
    ]:
        assert [ticket["id"] for ticket in (await rig.get("/tickets", **params))["items"]] == expected, params
    changed = (await rig.api.patch("/tickets/1", json={"assignee": None, "tags": ["late"]})).json()
    assert (changed["assignee"], changed["tags"], changed["title"]) == (None, ["late"], "Toner")
    assert (await rig.api.patch("/tickets/1", json={"tags": []})).json()["tags"] == []
    refused = await rig.api.patch("/tickets/1", json={"tags": ["x" * 51]})
    assert (refused.status_code, "tags" in refused.json()["detail"]) == (422, True)


async def test_a_mail_is_filed_with_the_contact_of_its_sender_or_of_a_recipient(rig: Rig) -> None:
    contacts = [
        (await rig.api.post("/contacts", json={"name": name, "addresses": [address]})).json()["id"]
        for name, address in [("Anna", "ANNA@customer.example"), ("Bob", "bob@customer.example")]
    ]
    by_sender, by_recipient = rule(ActionType.LINK_SENDER), rule(ActionType.LINK_RECIPIENT, record="contact")
    to = [Address(address=OWN), Address(address="Bob@customer.example")]
    filed = [command(mail(to=to), [by_sender]), command(mail("eve@other.example", to=to), [by_sender, by_recipient, CREATE])]
    passed = command(mail("eve@other.example"), [by_sender, by_recipient, rule(ActionType.LINK_SENDER, record="lead"), CREATE])
    await rig.carry_out(*filed, passed)
    for one, contact in zip(filed, contacts, strict=True):
        outcome = await rig.outcome(one.mail_id)
        assert (outcome["type"], outcome["record_type"], outcome["record_id"]) == ("link", "contact", contact)
    assert (await rig.outcome(passed.mail_id))["rule_id"] == "r-create"
    assert [ticket["sender"] for ticket in await rig.tickets()] == ["eve@other.example"]
    await rig.carry_out(filed[0], resend=1)
    repeated = (await rig.emitted("mail.outcomes"))[-1]
    assert (repeated["ce_resend"], repeated["record_id"]) == ("1", contacts[0])


async def test_a_bounce_is_told_with_its_reason_and_told_again_when_asked_again(rig: Rig) -> None:
    await rig.api.post("/spam-senders", json={"address": "mailer-daemon@x.example"})
    report = DeliveryReport(recipients=[RecipientReport(recipient="anna@x.example", status="5.1.1", reason="mailbox unknown")])
    one = command(mail("mailer-daemon@x.example"), [CREATE], kind=CommandKind.BOUNCE, mail_kind="bounce", report=report)
    await rig.carry_out(one, one)
    await rig.carry_out(one, resend=1)
    first, again = await rig.emitted("mail.outcomes")
    assert (first["type"], first["kind"], first["reason"]) == (
        "bounce",
        "bounce",
        "delivery to anna@x.example failed: 5.1.1 mailbox unknown",
    )
    assert (again["ce_id"], again["ce_resend"], again["reason"]) == (first["ce_id"], "1", first["reason"])
    assert await rig.tickets() == []


@pytest.mark.parametrize(("kind", "mail_kind"), [(CommandKind.RECEIPT, "pec_receipt"), (CommandKind.AUTO_REPLY, "auto_reply")])
async def test_a_receipt_and_an_automatic_reply_open_no_ticket(rig: Rig, kind: CommandKind, mail_kind: str) -> None:
    one = command(candidates=[CREATE], kind=kind, mail_kind=mail_kind, kind_reason="Auto-Submitted: auto-replied")
    await rig.carry_out(one)
    outcome = await rig.outcome(one.mail_id)
    assert (outcome["type"], outcome["kind"], outcome["reason"]) == (kind.value, mail_kind, "Auto-Submitted: auto-replied")
    assert await rig.tickets() == []


async def test_a_participants_mail_that_fails_dmarc_opens_a_linked_ticket(rig: Rig) -> None:
    await rig.carry_out(command(mail(message_id="<a@x>"), [REPLY, CREATE]))
    answer = (await rig.api.post("/tickets/1/comments", json={"body": "On our way."})).json()["message_id"]
    for refers_to in ("<a@x>", answer):
        forged = command(mail(references=[refers_to], authentication=["dmarc=fail"]), [REPLY, CREATE])
        await rig.carry_out(forged)
        outcome = await rig.outcome(forged.mail_id)
        assert (outcome["type"], "fails DMARC" in outcome["reason"]) == ("ticket", True)
        assert (await rig.get(f"/tickets/{outcome['ticket_id']}"))["linked_ticket_id"] == 1


async def test_a_message_says_what_to_fold_and_of_which_mail_it_was_made(rig: Rig) -> None:
    text = "Thanks!\n\n> It burns.\n-- \nAnna"
    folds = [Fold(start=9, end=21, kind=FoldKind.QUOTE), Fold(start=21, end=len(text), kind=FoldKind.SIGNATURE)]
    one = command(mail(text=text, folds=folds))
    await rig.carry_out(one)
    await rig.api.post("/tickets/1/comments", json={"body": "> quoted", "internal": True})
    message, note = await rig.messages(1)
    assert (message["text"], (await rig.get("/tickets/1"))["description"]) == (text, text)
    assert message["folds"] == [{"start": 9, "end": 21, "kind": "quote"}, {"start": 21, "end": len(text), "kind": "signature"}]
    assert (message["mail_id"], note["mail_id"], note["folds"]) == (one.mail_id, None, [])
