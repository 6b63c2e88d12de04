"""An answer is taken back while it waits; what the notifier says about it in the end is what the message shows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from shared.events import DeliveryState
from tests.integration.tickets.returning import ANNA, answered, attention, bounce, news, sent, shown, states
from tests.integration.tickets.rig import REPLY, Rig, command, mail
from tests.integration.tickets.writing import BEN, OLGA, PAUL, draft, keep, mails, reply, ticket, undo_for, upload

pytestmark = pytest.mark.connected


async def cancel(rig: Rig, message: dict[str, Any], number: int = 1, headers: dict[str, str] = OLGA) -> tuple[int, dict[str, Any]]:
    """Status and body."""
    answer = await rig.api.post(f"/tickets/{number}/messages/{message['id']}/cancel", headers=headers)
    return answer.status_code, answer.json()


async def test_an_answer_waits_for_as_long_as_the_setting_says_and_at_zero_leaves_at_once(rig: Rig) -> None:
    number = await ticket(rig)
    waiting = await reply(rig, number)
    made = datetime.fromisoformat(waiting["created_at"])
    assert datetime.fromisoformat(waiting["undo_until"]) - made == timedelta(seconds=10)
    await undo_for(rig, 0)
    assert (await reply(rig, number))["undo_until"] is None
    first, second = await mails(rig)
    assert datetime.fromisoformat(first["not_before"]) == datetime.fromisoformat(waiting["undo_until"])
    assert second.get("not_before") is None
    assert (await rig.get(f"/tickets/{number}/answering"))["undo_seconds"] == 0


async def test_taken_back_it_is_the_draft_again_and_the_ticket_as_it_was(rig: Rig) -> None:
    number = await ticket(rig)
    file = await upload(rig, number)
    await keep(rig, number, "half of it")
    one = await reply(rig, number, "Too early.", mode="personal", cc=[], attachments=[file["id"]])
    assert await draft(rig, number) is None
    status, message = await cancel(rig, one)
    assert (status, message["undo_until"]) == (200, None)
    again = await draft(rig, number)
    assert again is not None
    assert (again["body"], again["mode"], again["cc"], again["attachments"]) == ("Too early.", "personal", [], [file["id"]])
    assert [view["name"] for view in again["files"]] == ["plan.pdf"]
    assert (await rig.get(f"/tickets/{number}"))["status"] == "open"
    (told,) = await mails(rig, "cancel")
    assert (told["outgoing_id"], told["ticket_id"]) == (one["id"], number)
    await rig.report(news(one, ANNA, DeliveryState.CANCELLED))
    assert (await shown(rig, one))["delivery"] == "cancelled"
    changes = [change for entry in (await rig.get(f"/tickets/{number}/history"))["items"] for change in entry["changes"]]
    assert {"field": "answer", "before": "sent", "after": "taken back"} in changes


async def test_taking_it_back_twice_does_it_once(rig: Rig) -> None:
    number = await ticket(rig)
    one = await reply(rig, number)
    assert [(await cancel(rig, one))[0] for _ in range(2)] == [200, 200]
    assert len(await mails(rig, "cancel")) == 1
    again = await draft(rig, number)
    assert again is not None
    assert again["body"] == "We come."


async def test_what_was_begun_since_stays_behind_what_comes_back(rig: Rig) -> None:
    number = await ticket(rig)
    one = await reply(rig, number, "First.")
    await keep(rig, number, "Second.")
    await cancel(rig, one)
    again = await draft(rig, number)
    assert again is not None
    assert again["body"] == "First.\n\nSecond."


async def test_another_operator_may_take_it_back_and_its_author_has_the_draft(rig: Rig) -> None:
    number = await ticket(rig)
    one = await reply(rig, number)
    assert (await cancel(rig, one, headers=PAUL))[0] == 200
    assert await draft(rig, number, PAUL) is None
    assert await draft(rig, number) is not None


async def test_sent_to_everybody_it_is_refused_and_to_some_it_is_tried(rig: Rig) -> None:
    number = await ticket(rig)
    one = await reply(rig, number)
    await rig.report(news(one, ANNA, DeliveryState.SENT))
    two = await reply(rig, number)
    for recipient in (ANNA, BEN):
        await rig.report(news(two, recipient, DeliveryState.SENT))
    assert (await cancel(rig, one))[0] == 200
    status, problem = await cancel(rig, two)
    assert (status, "cannot be taken back" in problem["detail"]) == (409, True)
    assert [told["outgoing_id"] for told in await mails(rig, "cancel")] == [one["id"]]


async def status(rig: Rig, number: int = 1) -> str:
    return str((await rig.get(f"/tickets/{number}"))["status"])


async def test_sent_just_as_it_is_taken_back_the_ticket_says_so_and_waits_again(rig: Rig) -> None:
    """The notifier tells `too_late` while the server is taking the mail, and `sent` once it has it."""
    number = await ticket(rig)
    one = await reply(rig, number, cc=[])
    await cancel(rig, one)
    assert await status(rig) == "open"
    await rig.report(news(one, ANNA, DeliveryState.TOO_LATE, 2))
    assert f"came too late: it was on its way to {ANNA}" in (await attention(rig) or "")
    await rig.report(news(one, ANNA, DeliveryState.SENT, 3, detail="250 ok"))
    assert await states(rig, one) == {ANNA: "sent"}
    text_ = await attention(rig) or ""
    assert text_.startswith("taking back the answer of ")
    assert text_.endswith(f" came too late: it was sent to {ANNA}")
    assert await status(rig) == "waiting"
    changes = [change for entry in (await rig.get(f"/tickets/{number}/history"))["items"] for change in entry["changes"]]
    assert {"field": "status", "before": "open", "after": "waiting"} in changes
    assert next(change["after"] for change in changes if change["field"] == "attention") == text_
    code, problem = await cancel(rig, one)
    assert (code, f"too late: it had left already for {ANNA}" in problem["detail"]) == (409, True)
    assert len(await mails(rig, "cancel")) == 1


@pytest.mark.parametrize("what", ["mail", "status"])
async def test_a_ticket_that_somebody_did_something_about_does_not_wait_again(rig: Rig, what: str) -> None:
    number = await ticket(rig)
    one = await reply(rig, number, cc=[])
    await cancel(rig, one)
    if what == "mail":
        await rig.carry_out(command(mail(ANNA, in_reply_to=[one["message_id"]]), [REPLY]))
    else:
        await rig.api.patch(f"/tickets/{number}", json={"status": "in_progress"})
    before = await status(rig)
    await rig.report(news(one, ANNA, DeliveryState.SENT))
    assert await status(rig) == before
    assert "came too late" in (await attention(rig) or "")


@pytest.mark.parametrize(("state", "flagged"), [(DeliveryState.CANCELLED, False), (DeliveryState.FAILED, True)])
async def test_too_late_at_first_and_not_sent_in_the_end_it_was_in_time(rig: Rig, state: DeliveryState, flagged: bool) -> None:
    """As where the server puts the mail off, or refuses it, in the dialogue that was under way."""
    number = await ticket(rig)
    one = await reply(rig, number, cc=[])
    await cancel(rig, one)
    await rig.report(news(one, ANNA, DeliveryState.TOO_LATE, 2))
    assert await status(rig) == "waiting"
    await rig.report(news(one, ANNA, state, 3))
    assert await status(rig) == "open"
    assert (await attention(rig) is not None, await sent(rig, "notice")) == (flagged, [])
    assert (await cancel(rig, one))[0] == 200


async def test_where_some_have_it_the_ticket_goes_on_waiting_and_says_who(rig: Rig) -> None:
    number = await ticket(rig)
    one = await reply(rig, number)
    await rig.report(news(one, ANNA, DeliveryState.SENT))
    await cancel(rig, one)
    await rig.report(news(one, BEN, DeliveryState.CANCELLED, 3))
    assert await status(rig) == "waiting"
    text_ = await attention(rig) or ""
    assert (f"it was sent to {ANNA}" in text_, BEN in text_) == (True, False)


async def test_a_later_answer_keeps_the_ticket_waiting(rig: Rig) -> None:
    number = await ticket(rig)
    first, second = await reply(rig, number, "One."), await reply(rig, number, "Two.")
    await cancel(rig, first)
    assert await status(rig) == "waiting"
    await cancel(rig, second)
    assert await status(rig) == "open", "nothing is out any more"


async def test_a_quote_that_was_not_wanted_is_not_wanted_after_taking_it_back(rig: Rig) -> None:
    number = await ticket(rig)
    one = await reply(rig, number, quote=False)
    await cancel(rig, one)
    assert (await draft(rig, number) or {})["quote"] is False


async def test_notes_mails_and_messages_of_other_tickets_are_none_to_take_back(rig: Rig) -> None:
    number, other = await ticket(rig), await ticket(rig)
    note = (await rig.api.post(f"/tickets/{number}/comments", json={"body": "x", "internal": True})).json()
    theirs = (await rig.messages(number))[0]
    one = await reply(rig, number)
    assert [(await cancel(rig, message, number))[0] for message in (note, theirs)] == [409, 409]
    assert (await cancel(rig, one, other))[0] == 404
    assert (await rig.api.post(f"/tickets/{number}/messages/%00/cancel")).status_code == 404


async def test_after_a_merge_it_is_cancelled_under_the_number_it_was_sent_under(rig: Rig) -> None:
    """Both events are in one partition then, so the cancel never overtakes its mail."""
    first, second = await ticket(rig), await ticket(rig)
    one = await reply(rig, first)
    await rig.api.post(f"/tickets/{first}/merge", json={"into": second})
    assert (await cancel(rig, one, first))[0] == 200
    (told,) = await mails(rig, "cancel")
    assert (told["key"], told["ticket_id"]) == (str(first), first)
    assert await draft(rig, second) is not None


async def test_the_sweep_never_sends_what_was_taken_back(rig: Rig) -> None:
    number = await ticket(rig)
    one = await reply(rig, number)
    await cancel(rig, one)
    async with rig.engine.begin() as conn:
        await conn.execute(text("update outgoing set sent_at = now() - interval '1 day'"))
    assert await rig.sweep.once() == 1
    assert len(await mails(rig)) == 1
    assert [told["outgoing_id"] for told in await mails(rig, "cancel")] == [one["id"]] * 2


async def test_a_notice_shows_what_it_is_and_is_nobodys_to_take_back(rig: Rig) -> None:
    one = await answered(rig)
    await rig.carry_out(bounce(one["message_id"]))
    (notice,) = [message for message in await rig.messages(1) if message["mode"] == "notice"]
    assert (notice["sender"], notice["kind"], notice["recipients"]) == ("system", "reply", ["olga@company.example"])
    assert [(view["recipient"], view["state"]) for view in notice["deliveries"]] == [("olga@company.example", "queued")]
    assert (await cancel(rig, notice))[0] == 409
