"""Tickets somebody must look at: flagged by a failure, told to the assignee once, taken off by an operator or by an answer that arrived."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from shared.events import DeliveryState
from tests.integration.tickets.returning import ANNA, BEN, OLGA, UNKNOWN, answer, answered, attention, bounce, news, sent, states
from tests.integration.tickets.rig import OWN, Rig, command
from tests.integration.tickets.test_acknowledging import written
from tests.integration.tickets.writing import reply
from tests.kit.eventually import eventually_async

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


async def test_limits_of_acknowledgements_stop_no_notice(rig: Rig) -> None:
    await rig.api.patch("/ticket-settings", json={"automatic_per_sender": 0, "automatic_per_mailbox": 0})
    one = await answered(rig)
    await rig.carry_out(bounce(one["message_id"]))
    assert [mail["to"][0]["address"] for mail in await sent(rig, "notice")] == [OLGA]
    await rig.api.patch("/ticket-settings", json={"automatic_per_sender": 1, "automatic_per_mailbox": 1})
    await rig.carry_out(written(OLGA))
    assert len(await sent(rig, "acknowledgement")) == 1, "nor do notices count for acknowledgements"


async def test_a_hundred_notices_a_day_are_enough_for_one_assignee_and_the_history_says_what_was_stopped(rig: Rig) -> None:
    one = await answered(rig)
    row = {"recipient": OLGA, "before": 99}
    async with rig.engine.begin() as conn:
        await conn.execute(
            text(
                "insert into automatic_mails (id, recipient, scanner_id, mode, at) "
                "select 'n' || n, :recipient, 's1', 'notice', now() from generate_series(1, :before) n"
            ),
            row,
        )
    await rig.carry_out(bounce(one["message_id"]))
    await rig.carry_out(bounce((await answer(rig, "Again."))["message_id"]))
    assert len(await sent(rig, "notice")) == 1
    stopped = [
        change for entry in (await rig.get("/tickets/1/history"))["items"] for change in entry["changes"] if change["field"] == "notice"
    ]
    assert [change["after"] for change in stopped] == ["not sent: 100 such notices went to this address in 24 hours, which are enough"]


@pytest.mark.parametrize("state", [DeliveryState.SENT, DeliveryState.ACCEPTED])
async def test_what_failed_and_is_under_way_or_sent_after_all_needs_no_look(rig: Rig, state: DeliveryState) -> None:
    one = await answered(rig, copy=True)
    await rig.report(news(one, ANNA, DeliveryState.FAILED, detail="554 5.7.1 rejected"))
    await rig.report(news(one, BEN, DeliveryState.FAILED, 3, detail="554 5.7.1 rejected"))
    await rig.report(news(one, ANNA, state, 4, detail="250 ok"))
    text_ = await attention(rig) or ""
    assert (ANNA in text_, BEN in text_, "250 ok" in text_) == (False, True, False)
    await rig.report(news(one, BEN, state, 5))
    assert await attention(rig) is None
    assert (await rig.get("/tickets/1/history"))["items"][0]["changes"][0]["after"] is None


@pytest.mark.parametrize(("action", "state"), [("delivered", "delivered"), ("displayed", "read")])
async def test_a_receipt_of_what_we_had_given_up_takes_the_warning_off(rig: Rig, action: str, state: str) -> None:
    one = await answered(rig)
    await rig.report(news(one, ANNA, DeliveryState.FAILED))
    await rig.carry_out(bounce(one["message_id"], action=action))
    assert (await states(rig, one), await attention(rig)) == ({ANNA: state}, None)


async def test_a_bounce_that_names_nobody_we_know_flags_the_ticket_and_is_told_once(rig: Rig) -> None:
    one = await answered(rig, copy=True)
    await rig.carry_out(bounce(one["message_id"], "anna.private@other.example"), bounce(one["message_id"], ""))
    text_ = await attention(rig) or ""
    assert text_.startswith("one of its recipients did not get the answer of ")
    assert f"delivery to anna.private@other.example failed: {UNKNOWN}" in text_
    assert await states(rig, one) == {ANNA: "queued", BEN: "queued"}
    (notice,) = await sent(rig, "notice")
    assert "one of its recipients did not get the answer" in notice["text"]
    await rig.api.patch("/tickets/1", json={"attention": ""})
    await rig.carry_out(bounce(one["message_id"], BEN))
    assert "one of its recipients" not in (await attention(rig) or ""), "what was looked at does not come back"
    assert len(await sent(rig, "notice")) == 1


async def test_a_bounce_that_names_nobody_we_know_is_nobodys_once_none_can_be_meant(rig: Rig) -> None:
    one = await answered(rig, copy=True)
    await rig.carry_out(*[bounce(one["message_id"], recipient, "displayed") for recipient in (ANNA, BEN)])
    await rig.carry_out(bounce(one["message_id"], "eve@other.example"))
    assert await attention(rig) is None


async def test_the_sweep_that_gives_an_answer_up_holds_no_other_answer_while_it_waits_for_a_ticket(rig: Rig) -> None:
    """Locks are taken in one order: ticket, answer, recipients."""
    one = await answered(rig)
    two = await reply(rig, 1, "Again.")
    async with rig.engine.begin() as conn:
        await conn.execute(text("update outgoing set resends = 3, sent_at = now() - interval '1 day'"))
    async with rig.engine.connect() as held:
        await held.execute(text("select 1 from tickets where id = 1 for no key update"))
        sweeping = asyncio.create_task(rig.sweep.once())
        await eventually_async(lambda: _waits(rig), what="the sweep at the ticket")
        await held.execute(text("select 1 from outgoing for update nowait"))
        await held.rollback()
    assert await sweeping == 2
    assert [(await states(rig, message))[ANNA] for message in (one, two)] == ["failed", "failed"]


async def _waits(rig: Rig) -> bool:
    """Whether somebody waits for a lock."""
    async with rig.engine.connect() as conn:
        blocked = "select exists (select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')"
        return bool(await conn.scalar(text(blocked)))


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
