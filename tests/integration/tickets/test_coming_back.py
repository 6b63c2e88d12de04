"""Bounces, receipts and automatic replies are put on the answer they are about, each once, whoever sent them."""

from __future__ import annotations

import asyncio

import pytest

from shared.events import CommandKind, DeliveryState
from tests.integration.tickets.returning import ANNA, BEN, UNKNOWN, answer, answered, attention, bounce, news, sent, shown, states
from tests.integration.tickets.rig import CREATE, REPLY, Rig, command, mail

pytestmark = pytest.mark.connected


async def test_a_bounce_is_put_on_the_answer_it_is_about_and_its_outcome_names_the_ticket(rig: Rig) -> None:
    one = await answered(rig)
    back = bounce(one["message_id"])
    await rig.carry_out(back)
    outcome = await rig.outcome(back.mail_id)
    assert (outcome["type"], outcome["ticket_id"]) == ("bounce", 1)
    message = await shown(rig, one)
    assert [(each["recipient"], each["state"], each["detail"]) for each in message["deliveries"]] == [(ANNA, "bounced", UNKNOWN)]
    assert [(each["kind"], each["recipient"], each["mail_id"]) for each in message["reports"]] == [("bounce", ANNA, back.mail_id)]
    assert UNKNOWN in message["reports"][0]["detail"]
    assert (await rig.get("/tickets/1"))["status"] == "waiting", "a bounce reopens nothing"


async def test_a_report_told_again_changes_nothing_twice(rig: Rig) -> None:
    one = await answered(rig)
    back = bounce(one["message_id"])
    await rig.carry_out(back, back)
    version = (await rig.get("/tickets/1"))["version"]
    await rig.carry_out(back, resend=1)
    await rig.carry_out(back.model_copy(update={"run": 2}))
    assert len((await shown(rig, one))["reports"]) == 1
    assert (await rig.get("/tickets/1"))["version"] == version
    assert len(await sent(rig, "notice")) == 1


async def test_what_came_back_is_not_taken_back_by_older_news(rig: Rig) -> None:
    one = await answered(rig)
    await rig.carry_out(bounce(one["message_id"]))
    await rig.report(news(one, ANNA, DeliveryState.SENT, sequence=9))
    await rig.carry_out(bounce(one["message_id"], action="delayed"), bounce(one["message_id"], action="delivered"))
    assert await states(rig, one) == {ANNA: "bounced"}
    assert [report["kind"] for report in (await shown(rig, one))["reports"]] == ["bounce", "delayed", "delivered"]


async def test_delays_and_receipts_set_the_state_of_the_recipient_they_name(rig: Rig) -> None:
    one = await answered(rig, copy=True)
    await rig.report(news(one, ANNA, DeliveryState.SENT))
    await rig.report(news(one, BEN, DeliveryState.SENT, sequence=3))
    await rig.carry_out(bounce(one["message_id"], BEN, "delayed"))
    assert await states(rig, one) == {ANNA: "sent", BEN: "delayed"}
    await rig.carry_out(bounce(one["message_id"], BEN, "delivered"), bounce(one["message_id"], ANNA.upper(), "displayed"))
    assert await states(rig, one) == {ANNA: "read", BEN: "delivered"}
    assert (await shown(rig, one))["delivery"] == "delivered"
    assert await attention(rig) is None
    told = [event for event in await rig.emitted("ticket.events") if event["type"] == "delivery" and event["actor"] == "mail"]
    assert len(told) == 3


async def test_a_report_about_the_id_the_server_gave_instead_is_recognised_and_so_is_the_customers_answer_to_it(rig: Rig) -> None:
    one = await answered(rig)
    alias = "<rewritten@relay.example>"
    await rig.report(news(one, ANNA, DeliveryState.SENT, alias=alias))
    await rig.report(news(one, ANNA, DeliveryState.SENT, sequence=3, alias=alias))
    reply = command(mail(ANNA, in_reply_to=[alias]), [REPLY, CREATE])
    back = bounce(alias)
    await rig.carry_out(reply, back)
    assert [(await rig.outcome(mail_id))["type"] for mail_id in (reply.mail_id, back.mail_id)] == ["update", "bounce"]
    assert await states(rig, one) == {ANNA: "bounced"}


async def test_a_forged_report_does_nothing_unless_it_names_an_id_of_ours(rig: Rig) -> None:
    one = await answered(rig, copy=True)
    theirs = next(message for message in await rig.messages(1) if message["kind"] == "mail")["message_id"]
    await rig.carry_out(bounce("<guess@company.example>"), bounce(theirs))
    assert await states(rig, one) == {ANNA: "queued", BEN: "queued"}
    assert await attention(rig) is None
    assert await sent(rig, "notice") == []
    assert (await shown(rig, one))["reports"] == []
    await rig.carry_out(bounce(one["message_id"], "eve@other.example"))
    assert await states(rig, one) == {ANNA: "queued", BEN: "queued"}
    assert [report["recipient"] for report in (await shown(rig, one))["reports"]] == ["eve@other.example"]


async def test_of_many_reports_the_newest_are_shown(rig: Rig) -> None:
    one = await answered(rig)
    backs = [bounce(one["message_id"], action="delayed") for _ in range(52)]
    await rig.carry_out(*backs)
    assert [report["mail_id"] for report in (await shown(rig, one))["reports"]] == [back.mail_id for back in backs[2:]]


async def test_an_automatic_reply_is_noted_and_neither_answered_nor_reopens(rig: Rig) -> None:
    one = await answered(rig)
    await rig.api.patch("/tickets/1", json={"status": "closed"})
    away = mail(ANNA, subject="Away", text="I am away until Monday.", in_reply_to=[one["message_id"]])
    before = len(await rig.emitted("mail.outgoing"))
    await rig.carry_out(command(away, [], kind=CommandKind.AUTO_REPLY, mail_kind="auto_reply"))
    (report,) = (await shown(rig, one))["reports"]
    assert (report["kind"], report["recipient"], report["detail"]) == ("auto_reply", ANNA, "I am away until Monday.")
    assert (await rig.get("/tickets/1"))["status"] == "closed"
    assert len(await rig.emitted("mail.outgoing")) == before


async def test_reports_follow_their_answer_into_the_ticket_it_was_merged_into(rig: Rig) -> None:
    one = await answered(rig)
    await rig.carry_out(command(mail("carl@customer.example"), [CREATE]))
    await rig.carry_out(bounce(one["message_id"]))
    assert (await rig.api.post("/tickets/1/merge", json={"into": 2})).is_success
    late = bounce(one["message_id"], action="delayed")
    await rig.carry_out(late)
    assert (await rig.outcome(late.mail_id))["ticket_id"] == 2
    assert [(await rig.get(f"/tickets/{number}"))["attention"] is not None for number in (1, 2)] == [False, True]


async def test_marking_a_ticket_as_spam_leaves_the_outcomes_of_bounces_alone(rig: Rig) -> None:
    one = await answered(rig)
    back = bounce(one["message_id"])
    await rig.carry_out(back)
    await rig.api.post("/tickets/spam", json={"ticket_ids": [1]})
    await rig.run_jobs()
    assert (await rig.outcome(back.mail_id))["type"] == "bounce"


async def test_bounces_of_one_answer_in_two_replicas_are_all_kept(rig: Rig, other_replica: Rig) -> None:
    one = await answered(rig, copy=True)
    backs = [bounce(one["message_id"], recipient) for recipient in (ANNA, BEN)]
    await asyncio.gather(rig.carry_out(backs[0]), other_replica.carry_out(backs[1]))
    assert await states(rig, one) == {ANNA: "bounced", BEN: "bounced"}
    text = await attention(rig) or ""
    assert ANNA in text
    assert BEN in text
    assert len(await sent(rig, "notice")) == 1


async def test_what_came_back_about_an_answer_to_somebody_goes_with_an_erasure_of_them(rig: Rig) -> None:
    """Looked at in the tables' own words, as `test_erasure` does with the rest."""
    one = await answered(rig)
    await rig.carry_out(bounce(one["message_id"]))
    assert ANNA in (await attention(rig) or "")
    second = await answer(rig, "Again.")
    assert second["id"] != one["id"]
