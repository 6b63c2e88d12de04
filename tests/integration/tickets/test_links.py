"""Mails filed with records, and leads made of unknown senders: once, whoever else does the same at this moment."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.events import Action, ActionType, Candidate
from shared.mail.model import Address
from tests.integration.tickets.rig import CREATE, OWN, Rig, command, mail

pytestmark = pytest.mark.connected
SENDER, RECIPIENT = ActionType.LINK_SENDER, ActionType.LINK_RECIPIENT


def linking(kind: ActionType = SENDER, **options: Any) -> Candidate:
    return Candidate(rule_id="r-link", rule_name="File it", action=Action(type=kind, **options))


MAKING = linking(create_lead=True)


async def leads(rig: Rig) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await rig.get("/leads", limit=200))["items"]
    return items


async def filed(rig: Rig, mail_id: str) -> tuple[str, str | None, str | None]:
    outcome = await rig.outcome(mail_id)
    return outcome["type"], outcome.get("record_type"), outcome.get("record_id")


async def test_an_unknown_sender_becomes_one_lead_in_a_batch_and_his_ticket_is_connected_to_it(rig: Rig) -> None:
    first, second = (command(mail(f"Anna+{tag}@gmail.com"), [MAKING]) for tag in ("a", "b"))
    ticket = command(mail("anna@googlemail.com"))
    await rig.carry_out(first, second, ticket)
    (lead,) = await leads(rig)
    assert (lead["name"], lead["addresses"]) == ("Anna", ["Anna+a@gmail.com"])
    for one in (first, second):
        assert await filed(rig, one.mail_id) == ("link", "lead", lead["id"])
    assert (await rig.get("/tickets/1"))["contact"] == {"id": lead["id"], "type": "lead", "name": "Anna"}
    assert [found["id"] for found in (await rig.get("/leads", q="GMAIL"))["items"]] == [lead["id"]]


async def test_a_lead_is_made_once_however_often_its_mail_comes(rig: Rig) -> None:
    one = command(mail(), [MAKING])
    await rig.carry_out(one)
    await rig.carry_out(one, resend=1)
    await rig.carry_out(one.model_copy(update={"run": 2}))
    (lead,) = await leads(rig)
    assert {event["record_id"] for event in await rig.emitted("mail.outcomes")} == {lead["id"]}


async def test_racing_mails_of_one_sender_make_one_lead(rig: Rig, other_replica: Rig) -> None:
    for turn in range(10):
        mails = [command(mail(f"p{turn}@customer.example"), [MAKING]) for _ in range(4)]
        await asyncio.gather(rig.carry_out(*mails[:2]), other_replica.carry_out(*mails[2:]))
        assert len({(await filed(rig, one.mail_id))[2] for one in mails}) == 1
    assert len(await leads(rig)) == 10


async def test_the_first_recipient_without_a_record_becomes_the_lead_never_a_mailbox(rig: Rig) -> None:
    to = [Address(address=OWN), Address(address="help+7@company.example"), Address(name="Bob", address="bob@customer.example")]
    one, none = (
        command(mail(to=to), [linking(RECIPIENT, create_lead=True)]),
        command(mail(), [linking(RECIPIENT, create_lead=True), CREATE]),
    )
    await rig.carry_out(one, none)
    (lead,) = await leads(rig)
    assert (lead["name"], await filed(rig, one.mail_id)) == ("Bob", ("link", "lead", lead["id"]))
    assert (await filed(rig, none.mail_id))[0] == "ticket"


async def test_a_mail_is_filed_with_the_sort_of_record_the_rule_asks_for(rig: Rig) -> None:
    ids = {}
    for sort in ("lead", "account", "contact"):
        answer = await rig.api.post(f"/{sort}s", json={"name": sort, "addresses": ["Anna@customer.example"]})
        ids[sort] = answer.json()["id"]
    for record, expected in [(None, "contact"), ("contact", "contact"), ("account", "account"), ("lead", "lead")]:
        one = command(mail(), [linking(record=record)])
        await rig.carry_out(one)
        assert await filed(rig, one.mail_id) == ("link", expected, ids[expected])
