"""Two tickets become one, a stranger's is taken in, a message becomes a ticket of its own; later answers follow."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from shared.events import DeliveryState, Lookup, MailDelivery
from shared.mail.model import Address, Attachment
from tests.integration.tickets.rig import CREATE, NOON, REPLY, Rig, command, mail, update

pytestmark = pytest.mark.connected
ANNA, BOB = "anna@customer.example", "bob@customer.example"


async def merge(rig: Rig, ticket_id: int, into: int) -> httpx.Response:
    return await rig.api.post(f"/tickets/{ticket_id}/merge", json={"into": into})


async def split(rig: Rig, ticket_id: int, message_id: str, key: str = "", **fields: Any) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await rig.api.post(f"/tickets/{ticket_id}/split", json={"message_id": message_id, **fields}, headers=headers)


async def comment(rig: Rig, ticket_id: int, body: str = "We look into it.", key: str = "", **fields: Any) -> dict[str, Any]:
    headers = {"Idempotency-Key": key} if key else {}
    answer = await rig.api.post(f"/tickets/{ticket_id}/comments", json={"body": body, **fields}, headers=headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def history(rig: Rig, ticket_id: int) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await rig.get(f"/tickets/{ticket_id}/history"))["items"]
    return items


async def test_a_merged_tickets_messages_are_on_the_other_and_it_stays_readable(rig: Rig) -> None:
    files = [Attachment(part="2", name="fire.png", type="image/png", size=12, sha256="0", content_id="fire@x")]
    first, second = command(mail(attachments=files, html='<img src="cid:fire@x">')), command(mail(BOB, "It still burns"))
    await rig.carry_out(first, second)
    answer = await merge(rig, 1, 2)
    assert (answer.status_code, answer.json()["id"], answer.json()["message_count"]) == (200, 2, 2)
    assert [message["mail_id"] for message in await rig.messages(2)] == [first.mail_id, second.mail_id]
    assert "/api/v1/tickets/2/attachments/" in (await rig.messages(2))[0]["html"]
    assert len(answer.json()["attachments"]) == 1
    merged = await rig.get("/tickets/1")
    assert (merged["merged_into"], merged["status"], merged["message_count"]) == (2, "closed", 0)
    assert [ticket["id"] for ticket in await rig.tickets()] == [2]
    outcome = await rig.outcome(first.mail_id)
    assert (outcome["type"], outcome["ticket_id"], outcome["revision"]) == ("ticket", 2, 2)
    assert (await rig.outcome(second.mail_id))["revision"] == 1
    told = [(event["ticket_id"], event["type"]) for event in await rig.emitted("ticket.events") if event["type"] == "merged"]
    assert sorted(told) == [(1, "merged"), (2, "merged")]
    newest, into = (await history(rig, 1))[0], (await history(rig, 2))[0]
    assert (newest["type"], newest["other_ticket_id"], newest["actor"]) == ("merged", 2, "user:olga")
    assert {"field": "merged_into", "before": None, "after": "2"} in newest["changes"]
    assert (into["type"], into["other_ticket_id"]) == ("merged", 1)


async def test_every_later_answer_follows_the_merge(rig: Rig) -> None:
    first = mail(message_id="<first@x>", subject="Printer")
    await rig.carry_out(command(first), command(mail(BOB, "Other")))
    ours = (await comment(rig, 1))["message_id"]
    await merge(rig, 1, 2)
    answers = [
        command(mail(in_reply_to=["<first@x>"]), [REPLY, CREATE]),
        command(mail(in_reply_to=[ours]), [REPLY, CREATE]),
        command(mail(), [update("1"), CREATE]),
        command(mail(), [update("Printer", Lookup.TITLE), CREATE]),
    ]
    for one in answers:
        await rig.carry_out(one)
        outcome = await rig.outcome(one.mail_id)
        assert (outcome["type"], outcome["ticket_id"]) == ("update", 2), one
    assert (await rig.get("/tickets/1"))["message_count"] == 0


async def test_a_merged_ticket_takes_nothing_and_names_where_it_went(rig: Rig) -> None:
    await rig.carry_out(*(command() for _ in range(3)))
    made = await comment(rig, 1, key="k")
    await merge(rig, 1, 2)
    await merge(rig, 2, 3)
    refused = [
        await rig.api.patch("/tickets/1", json={"priority": "high"}),
        await rig.api.post("/tickets/1/comments", json={"body": "x"}),
        await rig.api.delete("/tickets/1"),
        await split(rig, 1, made["id"]),
    ]
    for answer in refused:
        assert (answer.status_code, answer.json()["merged_into"]) == (409, 3), answer.text
        assert "ticket 3" in answer.json()["detail"]
    assert (await comment(rig, 1, key="k"))["id"] == made["id"]
    assert (await rig.api.post("/tickets/1/restore")).status_code == 200
    assert (await rig.get("/tickets/1"))["merged_into"] == 2


async def test_merges_that_make_no_sense_are_refused_and_change_nothing(rig: Rig) -> None:
    await rig.carry_out(*(command() for _ in range(4)))
    await rig.api.delete("/tickets/4")
    await merge(rig, 1, 2)
    before = await rig.emitted("ticket.events")
    for ticket_id, into, status, named in [
        (2, 2, 409, "itself"),
        (3, 4, 409, "deleted"),
        (4, 3, 409, "deleted"),
        (1, 3, 409, "ticket 2"),
        (3, 1, 409, "ticket 2"),
        (3, 99, 404, "99"),
        (99, 3, 404, "99"),
        (3, 10**30, 404, "1000000"),
    ]:
        answer = await merge(rig, ticket_id, into)
        assert (answer.status_code, named in answer.json()["detail"]) == (status, True), answer.text
    assert (await merge(rig, 3, 0)).status_code == 422
    assert await rig.emitted("ticket.events") == before


async def test_a_ticket_with_very_many_messages_is_not_moved(rig: Rig) -> None:
    await rig.carry_out(command(), command())
    async with rig.engine.begin() as conn:
        await conn.execute(
            text(
                "insert into messages (id, ticket_id, kind, direction, sender, text, received_at, order_id) "
                "select 'm' || n, 1, 'note', 'out', 'x', 'x', now(), 'm' || n from generate_series(1, 5000) n"
            )
        )
    answer = await merge(rig, 1, 2)
    assert (answer.status_code, "5,001" in answer.json()["detail"]) == (409, True)
    assert (await merge(rig, 2, 1)).status_code == 200


async def test_the_same_merge_again_answers_as_the_first_did(rig: Rig) -> None:
    await rig.carry_out(command(), command())
    answers = await asyncio.gather(*(merge(rig, 1, 2) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert len([event for event in await rig.emitted("ticket.events") if event["type"] == "merged"]) == 2


async def test_two_tickets_merged_into_each_other_at_once_end_as_one(rig: Rig) -> None:
    await rig.carry_out(command(), command())
    codes = [answer.status_code for answer in await asyncio.gather(merge(rig, 1, 2), merge(rig, 2, 1))]
    assert sorted(codes) == [200, 409]
    (left,) = await rig.tickets()
    assert left["message_count"] == 2


async def test_mails_that_race_a_merge_are_all_on_the_ticket_it_made(rig: Rig, other_replica: Rig) -> None:
    await rig.carry_out(command(mail(message_id="<root@x>")), command(mail(BOB)))
    replies = [command(mail(in_reply_to=["<root@x>"]), [REPLY, CREATE]) for _ in range(12)]

    async def mails() -> None:
        for one in replies:
            await other_replica.carry_out(one)

    await asyncio.gather(mails(), merge(rig, 1, 2))
    assert (await rig.get("/tickets/1"))["message_count"] == 0
    assert len(await rig.messages(2)) == 14
    for one in replies:
        assert (await rig.outcome(one.mail_id))["ticket_id"] == 2
    assert [ticket["id"] for ticket in await rig.tickets()] == [2]


async def test_an_answer_under_way_is_reported_on_its_message_wherever_that_is(rig: Rig) -> None:
    await rig.carry_out(command(), command(mail(BOB)))
    made = await comment(rig, 1)
    await merge(rig, 1, 2)
    news = MailDelivery(
        outgoing_id=made["id"],
        ticket_id=1,
        message_id=made["message_id"],
        recipient=ANNA,
        state=DeliveryState.SENT,
        sequence=2,
        at=NOON,
    )
    await rig.report(news)
    (message,) = [one for one in await rig.messages(2) if one["id"] == made["id"]]
    assert message["delivery"] == "sent"
    assert [event["ticket_id"] for event in await rig.emitted("ticket.events") if event["type"] == "delivery"] == [2]


async def test_watchers_and_participants_go_along_and_the_other_tickets_word_holds(rig: Rig) -> None:
    await rig.carry_out(command(), command(mail(BOB)))
    await rig.api.patch("/tickets/1", json={"watchers": ["carla@x.example", "dan@x.example"]})
    await rig.api.patch("/tickets/2", json={"watchers": ["dan@x.example"]})
    await rig.api.patch("/tickets/2", json={"watchers": ["eve@x.example"]})
    answer = await merge(rig, 1, 2)
    assert answer.json()["watchers"] == ["carla@x.example", "eve@x.example"]
    told = (await history(rig, 2))[0]["changes"]
    assert {"field": "watchers", "before": ["eve@x.example"], "after": ["carla@x.example", "eve@x.example"]} in told
    number = command(mail(ANNA), [update("2"), CREATE])
    await rig.carry_out(number)
    assert (await rig.outcome(number.mail_id))["type"] == "update"


async def test_a_mails_ticket_merged_into_a_manual_one_is_answered_by_mail(rig: Rig) -> None:
    made = (await rig.api.post("/tickets", json={"title": "Toner"})).json()
    await comment(rig, made["id"], "Nobody gets this by mail.")
    assert await rig.emitted("mail.outgoing") == []
    await rig.carry_out(command())
    answer = await merge(rig, 2, 1)
    assert (answer.json()["source"], answer.json()["sender"], answer.json()["scanner_id"]) == ("manual", ANNA, "s1")
    written = await comment(rig, 1)
    (sent,) = await rig.emitted("mail.outgoing")
    assert ([one["address"] for one in sent["to"]], sent["scanner_id"], sent["title"]) == ([ANNA], "s1", "Toner")
    reply = command(mail(in_reply_to=[written["message_id"]]), [REPLY, CREATE])
    await rig.carry_out(reply)
    assert (await rig.outcome(reply.mail_id))["ticket_id"] == 1


async def test_a_manual_ticket_merged_into_a_mails_keeps_what_it_said(rig: Rig) -> None:
    made = (await rig.api.post("/tickets", json={"title": "Toner", "description": "Black, for Anna's printer."})).json()
    await rig.carry_out(command())
    await merge(rig, made["id"], 2)
    note = next(message for message in await rig.messages(2) if message["kind"] == "note")
    assert note["text"] == "Toner\n\nBlack, for Anna's printer."
    await comment(rig, 2)
    (sent,) = await rig.emitted("mail.outgoing")
    assert [one["address"] for one in sent["to"]] == [ANNA]


async def strangers_ticket(rig: Rig) -> int:
    """Bob, who takes no part in ticket 1, names it: his mail opens a ticket that points at it."""
    await rig.carry_out(command())
    stranger = command(mail(BOB, cc=[Address(address="carla@x.example")]), [update("1"), CREATE])
    await rig.carry_out(stranger)
    outcome = await rig.outcome(stranger.mail_id)
    assert (await rig.get(f"/tickets/{outcome['ticket_id']}"))["linked_ticket_id"] == 1
    return int(outcome["ticket_id"])


async def test_a_stranger_who_is_accepted_takes_part_from_then_on(rig: Rig) -> None:
    number = await strangers_ticket(rig)
    await rig.api.patch("/tickets/1", json={"status": "closed"})
    answers = [await rig.api.post(f"/tickets/{number}/accept") for _ in range(2)]
    assert [(answer.status_code, answer.json()["id"], answer.json()["status"]) for answer in answers] == [(200, 1, "open")] * 2
    assert answers[0].json() == answers[1].json()
    again, copied = command(mail(BOB), [update("1"), CREATE]), command(mail("carla@x.example"), [update("1"), CREATE])
    await rig.carry_out(again, copied)
    for one in (again, copied):
        assert (await rig.outcome(one.mail_id))["type"] == "update"


async def test_who_is_accepted_goes_where_the_ticket_went(rig: Rig) -> None:
    number = await strangers_ticket(rig)
    await rig.carry_out(command())
    await merge(rig, 1, 3)
    answer = await rig.api.post(f"/tickets/{number}/accept")
    assert (answer.status_code, answer.json()["id"], answer.json()["message_count"]) == (200, 3, 3)


async def test_a_ticket_that_points_at_none_cannot_be_accepted(rig: Rig) -> None:
    number = await strangers_ticket(rig)
    answer = await rig.api.post("/tickets/1/accept")
    assert (answer.status_code, answer.json()["title"]) == (409, "Points at no ticket")
    await rig.api.delete("/tickets/1")
    answer = await rig.api.post(f"/tickets/{number}/accept")
    assert (answer.status_code, "restore" in answer.json()["detail"]) == (409, True)
    assert (await rig.api.post("/tickets/99/accept")).status_code == 404


async def conversation(rig: Rig) -> list[dict[str, Any]]:
    """Ticket 1: Anna's question, our answer, and Bob's question in its wake, which is about something else."""
    await rig.carry_out(command(mail(message_id="<m1@x>", cc=[Address(address=BOB)])))
    ours = (await comment(rig, 1))["message_id"]
    bobs = mail(
        BOB, "Re: printer", message_id="<m2@x>", in_reply_to=[ours], references=["<m1@x>", ours], cc=[Address(address="dan@x.example")]
    )
    one = command(bobs, [REPLY, CREATE])
    await rig.archive.put(one.archive_key, b"Subject: =?utf-8?q?And_the_sc=C3=A4nner=3F?=\r\n\r\nIt burns.\r\n")
    await rig.carry_out(one)
    messages = await rig.messages(1)
    assert {message["kind"] for message in messages} == {"mail", "comment"}
    return sorted(messages, key=lambda message: str(message["message_id"] or ""))


def bobs_of(messages: list[dict[str, Any]]) -> dict[str, Any]:
    return next(message for message in messages if message["message_id"] == "<m2@x>")


async def test_a_message_becomes_a_ticket_of_its_own(rig: Rig) -> None:
    bobs = bobs_of(await conversation(rig))
    answer = await split(rig, 1, bobs["id"])
    made = answer.json()
    assert (answer.status_code, answer.headers["Location"], answer.headers["ETag"]) == (201, "/api/v1/tickets/2", '"1"')
    assert (made["title"], made["source"], made["scanner_id"], made["sender"]) == ("And the scänner?", "mail", "s1", BOB)
    assert (made["linked_ticket_id"], made["message_count"], made["description"]) == (1, 1, "It burns.")
    assert made["watchers"] == ["dan@x.example"]
    assert [message["id"] for message in await rig.messages(2)] == [bobs["id"]]
    assert len(await rig.messages(1)) == 2
    outcome = await rig.outcome(bobs["mail_id"])
    assert (outcome["type"], outcome["ticket_id"], outcome["revision"]) == ("ticket", 2, 2)
    told = [(event["ticket_id"], event["type"]) for event in await rig.emitted("ticket.events")][-2:]
    assert sorted(told) == [(1, "split"), (2, "split")]
    assert [(entry["type"], entry["other_ticket_id"], entry["message_id"]) for entry in await history(rig, 2)] == [("split", 1, bobs["id"])]
    assert ((await history(rig, 1))[0]["type"], (await history(rig, 1))[0]["other_ticket_id"]) == ("split", 2)


async def test_answers_to_a_message_that_was_split_off_follow_it_and_others_stay(rig: Rig) -> None:
    messages = await conversation(rig)
    ours = next(message["message_id"] for message in messages if message["kind"] == "comment")
    await split(rig, 1, bobs_of(messages)["id"])
    followed = command(mail(BOB, in_reply_to=["<m2@x>"], references=["<m1@x>", ours, "<m2@x>"]), [REPLY, CREATE])
    copied = command(mail("dan@x.example", in_reply_to=["<m2@x>"]), [REPLY, CREATE])
    stayed = command(mail(ANNA, in_reply_to=[ours], references=["<m1@x>", ours]), [REPLY, CREATE])
    root = command(mail(ANNA, in_reply_to=["<m1@x>"]), [REPLY, CREATE])
    for one, number in ((followed, 2), (copied, 2), (stayed, 1), (root, 1)):
        await rig.carry_out(one)
        outcome = await rig.outcome(one.mail_id)
        assert (outcome["type"], outcome["ticket_id"]) == ("update", number)


async def test_an_answer_on_the_new_ticket_goes_to_its_people_and_comes_back_to_it(rig: Rig) -> None:
    await split(rig, 1, bobs_of(await conversation(rig))["id"])
    made = await comment(rig, 2)
    sent = (await rig.emitted("mail.outgoing"))[-1]
    assert ([one["address"] for one in sent["to"]], [one["address"] for one in sent["cc"]]) == ([BOB], ["dan@x.example"])
    reply = command(mail(BOB, in_reply_to=[made["message_id"]], references=["<m1@x>", made["message_id"]]), [REPLY, CREATE])
    await rig.carry_out(reply)
    assert (await rig.outcome(reply.mail_id))["ticket_id"] == 2


async def test_a_split_is_done_once_per_key_and_can_be_taken_back(rig: Rig) -> None:
    bobs = bobs_of(await conversation(rig))
    answers = await asyncio.gather(*(split(rig, 1, bobs["id"], key="k", title="Scanner\n jam") for _ in range(3)))
    assert [(answer.status_code, answer.json()["id"], answer.json()["title"]) for answer in answers] == [(201, 2, "Scanner jam")] * 3
    assert (await split(rig, 1, bobs["id"])).status_code == 404
    assert (await rig.api.post("/tickets/2/accept")).json()["message_count"] == 3
    reply = command(mail(BOB, in_reply_to=["<m2@x>"]), [REPLY, CREATE])
    await rig.carry_out(reply)
    assert (await rig.outcome(reply.mail_id))["ticket_id"] == 1


async def test_what_is_no_mail_or_the_only_message_is_not_split_off(rig: Rig) -> None:
    await rig.carry_out(command())
    (only,) = await rig.messages(1)
    answer = await split(rig, 1, only["id"])
    assert (answer.status_code, answer.json()["title"]) == (409, "The only message")
    note = await comment(rig, 1, internal=True)
    answer = await split(rig, 1, note["id"])
    assert (answer.status_code, answer.json()["title"]) == (409, "Not a mail")
    for message_id in ("nothing", "\x00", "m" * 36):
        assert (await split(rig, 1, message_id)).status_code == 404
    assert (await split(rig, 1, only["id"], title=" \n")).status_code == 422
    assert (await split(rig, 7, only["id"])).status_code == 404


async def test_a_split_off_mail_without_an_original_is_called_as_the_old_ticket(rig: Rig) -> None:
    await rig.carry_out(command(mail(message_id="<a@x>")), command(mail(in_reply_to=["<a@x>"]), [REPLY, CREATE]))
    answer = await split(rig, 1, (await rig.messages(1))[1]["id"])
    assert answer.json()["title"] == "The printer is on fire"


async def test_mails_that_race_a_split_are_on_one_of_both_tickets(rig: Rig, other_replica: Rig) -> None:
    bobs = bobs_of(await conversation(rig))
    replies = [command(mail(BOB, in_reply_to=["<m2@x>"]), [REPLY, CREATE]) for _ in range(8)]

    async def mails() -> None:
        for one in replies:
            await other_replica.carry_out(one)

    await asyncio.gather(mails(), split(rig, 1, bobs["id"]))
    assert sorted(ticket["id"] for ticket in await rig.tickets()) == [1, 2]
    assert sum(ticket["message_count"] for ticket in await rig.tickets()) == 3 + len(replies)
