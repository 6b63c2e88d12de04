"""Tickets somebody must look at: flagged by a failure, told to the assignee once, taken off by an operator or by an answer that arrived."""

from __future__ import annotations

from typing import Any

import pytest

from shared.events import DeliveryState
from tests.integration.tickets.returning import ANNA, BEN, OLGA, UNKNOWN, answer, answered, attention, bounce, news, sent, states
from tests.integration.tickets.rig import OWN, Rig, command

pytestmark = pytest.mark.connected


async def listed(rig: Rig, **params: Any) -> list[int]:
    return [ticket["id"] for ticket in (await rig.get("/tickets", **params))["items"]]


async def test_a_failure_says_in_plain_words_who_did_not_get_which_answer_and_why(rig: Rig) -> None:
    one = await answered(rig)
    await rig.carry_out(bounce(one["message_id"]))
    text = await attention(rig) or ""
    assert text.startswith(f"{ANNA} did not get the answer of ")
    assert text.endswith(f" UTC: {UNKNOWN}")
    newest = (await rig.get("/tickets/1/history"))["items"]
    (entry,) = [each for each in newest if each["changes"] and each["changes"][0]["field"] == "attention"]
    assert (entry["type"], entry["actor"], entry["message_id"]) == ("delivery", "mail", one["id"])
    assert entry["changes"][0]["after"] == text
    told = [event for event in await rig.emitted("ticket.events") if event["type"] == "delivery"]
    assert [event["message_id"] for event in told] == [one["id"]]


async def test_what_the_smtp_server_refuses_at_once_is_a_failure_too(rig: Rig) -> None:
    one = await answered(rig)
    await rig.report(news(one, ANNA, DeliveryState.FAILED, detail="554 5.7.1 rejected"))
    assert (await attention(rig) or "").endswith("554 5.7.1 rejected")
    assert [mail["to"][0]["address"] for mail in await sent(rig, "notice")] == [OLGA]


async def test_the_assignee_is_told_once_per_answer(rig: Rig) -> None:
    one = await answered(rig, copy=True)
    await rig.carry_out(bounce(one["message_id"]), bounce(one["message_id"], BEN))
    (notice,) = await sent(rig, "notice")
    assert (notice["to"], notice["scanner_id"], notice["ticket_id"]) == ([{"name": "", "address": OLGA}], "s1", 1)
    assert f"{ANNA} did not get the answer" in notice["text"]
    (shown,) = [message for message in await rig.messages(1) if message["message_id"] == notice["message_id"]]
    assert (shown["kind"], shown["sender"], shown["deliveries"][0]["recipient"]) == ("reply", "system", OLGA)
    second = await answer(rig, "Again.")
    await rig.carry_out(bounce(second["message_id"]))
    assert len(await sent(rig, "notice")) == 2


@pytest.mark.parametrize("assignee", [None, "olga", OWN, f"help+7@{OWN.partition('@')[2]}"])
async def test_who_is_no_mail_address_or_a_mailbox_of_ours_gets_no_notice(rig: Rig, assignee: str | None) -> None:
    one = await answered(rig, assignee=assignee)
    await rig.carry_out(bounce(one["message_id"]))
    assert await attention(rig)
    assert await sent(rig, "notice") == []


async def test_a_bounce_of_a_notice_flags_and_sends_nothing(rig: Rig) -> None:
    one = await answered(rig)
    await rig.carry_out(bounce(one["message_id"]))
    (notice,) = await sent(rig, "notice")
    before = len(await rig.emitted("mail.outgoing"))
    await rig.carry_out(bounce(notice["message_id"], OLGA))
    text = await attention(rig) or ""
    assert f"{OLGA} did not get the notice" in text
    assert f"{ANNA} did not get the answer" in text
    assert len(await rig.emitted("mail.outgoing")) == before


async def test_notices_are_within_the_limits_and_the_history_says_what_a_limit_stopped(rig: Rig) -> None:
    assert (await rig.api.patch("/ticket-settings", json={"automatic_per_sender": 2})).json()["automatic_per_sender"] == 2
    one = await answered(rig)
    await rig.carry_out(bounce(one["message_id"]))
    for number in range(2):
        await rig.carry_out(bounce((await answer(rig, f"Again {number}."))["message_id"]))
    assert len(await sent(rig, "notice")) == 2
    stopped = [
        change for entry in (await rig.get("/tickets/1/history"))["items"] for change in entry["changes"] if change["field"] == "notice"
    ]
    assert [change["after"] for change in stopped] == [
        "not sent: 2 automatic mails went to this address in 24 hours, as many as the settings allow"
    ]


async def test_an_operator_ticks_it_off_and_a_later_answer_alone_does_not(rig: Rig) -> None:
    one = await answered(rig)
    await rig.carry_out(bounce(one["message_id"]))
    second = await answer(rig, "Again.")
    await rig.report(news(second, ANNA, DeliveryState.SENT))
    assert await attention(rig)
    refused = await rig.api.patch("/tickets/1", json={"attention": "something else"})
    assert refused.status_code == 422
    done = (await rig.api.patch("/tickets/1", json={"attention": ""})).json()
    assert done["attention"] is None
    (change,) = (await rig.get("/tickets/1/history"))["items"][0]["changes"]
    assert (change["field"], change["after"]) == ("attention", None)
    await rig.carry_out(bounce(one["message_id"], action="delayed"))
    assert await attention(rig) is None, "what was looked at does not come back"


async def test_a_newer_answer_that_arrived_takes_it_off_for_whom_it_reached(rig: Rig) -> None:
    one = await answered(rig, copy=True)
    await rig.carry_out(bounce(one["message_id"]), bounce(one["message_id"], BEN))
    second = await answer(rig, "Again.")
    await rig.carry_out(bounce(second["message_id"], ANNA, "delivered"))
    assert BEN in (await attention(rig) or "")
    assert ANNA not in (await attention(rig) or "")
    await rig.carry_out(bounce(second["message_id"], BEN, "displayed"))
    assert await attention(rig) is None
    assert await states(rig, one) == {ANNA: "bounced", BEN: "bounced"}


async def test_the_list_finds_tickets_to_look_at(rig: Rig) -> None:
    one = await answered(rig)
    await rig.carry_out(command(), bounce(one["message_id"]))
    assert await listed(rig, attention=True) == [1]
    assert await listed(rig, attention=True, status="closed") == []
    assert await listed(rig, attention=True, assignee=OLGA) == [1]
    assert await listed(rig, attention=True, assignee="nobody") == []
    assert await listed(rig, attention=False) == [2]
