"""Mails for tickets that were merged, and mails to a ticket's plus address."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.events import Candidate, Lookup
from shared.mail.model import Address
from tests.integration.tickets.rig import CREATE, REPLY, Rig, command, mail, update

pytestmark = pytest.mark.connected


async def merge(rig: Rig, ticket_id: int, into: int) -> None:
    answer = await rig.api.post(f"/tickets/{ticket_id}/merge", json={"into": into})
    assert answer.status_code == 200, answer.text


def to(address: str) -> list[Address]:
    return [Address(address=address)]


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        (REPLY, {"references": ["<first@x>"]}),
        (REPLY, {"to": to("help+1@company.example")}),
        (update("1"), {}),
        (update("Printer", Lookup.TITLE), {}),
        (update("erp-7", Lookup.EXTERNAL_CODE), {}),
    ],
)
async def test_an_answer_to_a_merged_ticket_follows_the_merges(rig: Rig, rule: Candidate, fields: dict[str, Any]) -> None:
    for subject in ("Printer", "Fire", "Smoke"):
        await rig.carry_out(command(mail(subject=subject, message_id="<first@x>" if subject == "Printer" else None)))
    await rig.api.patch("/tickets/1", json={"external_code": "ERP-7"})
    await merge(rig, 1, 2)
    await merge(rig, 2, 3)
    answer, stranger = command(mail(**fields), [rule]), command(mail("eve@other.example", **fields), [rule])
    await rig.carry_out(answer, stranger)
    assert (await rig.outcome(answer.mail_id))["ticket_id"] == 3
    opened = await rig.outcome(stranger.mail_id)
    assert (await rig.get(f"/tickets/{opened['ticket_id']}"))["linked_ticket_id"] == 3
    assert [item["ticket_id"] for item in await rig.resolve(answer)] == [3]
    for gone in (3, opened["ticket_id"]):
        await rig.api.delete(f"/tickets/{gone}")
    later = command(mail(**fields), [rule])
    await rig.carry_out(later)
    assert (await rig.outcome(later.mail_id))["type"] == "unmatched"


async def test_a_title_means_a_ticket_that_was_not_merged_where_there_is_one(rig: Rig) -> None:
    await rig.carry_out(*(command(mail(subject=subject)) for subject in ("Printer", "Printer", "Fire")))
    await merge(rig, 2, 3)
    answer = command(candidates=[update("Printer", Lookup.TITLE)])
    await rig.carry_out(answer)
    assert (await rig.outcome(answer.mail_id))["ticket_id"] == 1


async def test_racing_mails_of_a_conversation_end_on_the_ticket_it_is_merged_into(rig: Rig, other_replica: Rig) -> None:
    for turn in range(8):
        first, other = command(mail(message_id=f"<a{turn}@x>"), [REPLY, CREATE]), command(mail(subject="Other"))
        await rig.carry_out(first, other)
        source, target = [(await rig.outcome(one.mail_id))["ticket_id"] for one in (first, other)]
        answers = [command(mail(references=[f"<a{turn}@x>"]), [REPLY, CREATE]) for _ in range(4)]
        await asyncio.gather(rig.carry_out(*answers[:2]), merge(rig, source, target), other_replica.carry_out(*answers[2:]))
        assert (len(await rig.messages(source)), len(await rig.messages(target))) == (0, 6)
        assert {(await rig.outcome(one.mail_id))["ticket_id"] for one in answers} == {target}


async def test_a_strangers_mail_to_a_plus_address_opens_a_linked_ticket_and_the_customers_is_added(rig: Rig) -> None:
    await rig.carry_out(command())
    stranger = command(mail("eve@other.example", to=to("help+1@company.example")), [REPLY, CREATE])
    customer = command(mail(to=to("Help+t1@company.example")), [REPLY, CREATE])
    nobody = command(mail(to=to("help+1@elsewhere.example")), [REPLY])
    await rig.carry_out(stranger, customer, nobody)
    assert (await rig.get("/tickets/2"))["linked_ticket_id"] == 1
    assert [(await rig.outcome(one.mail_id))["type"] for one in (customer, nobody)] == ["update", "unmatched"]


async def test_racing_mails_with_an_unknown_external_code_make_one_ticket_that_has_it(rig: Rig, other_replica: Rig) -> None:
    missing = update("ERP-9", Lookup.EXTERNAL_CODE, create_when_missing=True)
    await asyncio.gather(rig.carry_out(command(candidates=[missing])), other_replica.carry_out(command(candidates=[missing])))
    (ticket,) = await rig.tickets()
    assert (ticket["external_code"], ticket["message_count"]) == ("ERP-9", 2)
    elsewhere = command(candidates=[update("erp-9", Lookup.EXTERNAL_CODE)], scanner_id="s2")
    await rig.carry_out(elsewhere)
    assert (await rig.outcome(elsewhere.mail_id))["type"] == "unmatched"
