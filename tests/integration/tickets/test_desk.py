"""The desk over its API: answers, contacts, attachments, deliveries."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from sqlalchemy import text

from shared.events import CommandKind, DeliveryState, Lookup, MailDelivery
from shared.mail.model import Address, Attachment
from tests.integration.tickets.rig import CREATE, NOON, REPLY, Rig, command, mail, update

pytestmark = pytest.mark.connected
ANNA = "anna@customer.example"


async def comment(rig: Rig, ticket_id: int = 1, body: str = "We are on our way.", key: str = "", **fields: Any) -> dict[str, Any]:
    headers = {"Idempotency-Key": key} if key else {}
    answer = await rig.api.post(f"/tickets/{ticket_id}/comments", json={"body": body, **fields}, headers=headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def news(message: dict[str, Any], state: DeliveryState, sequence: int, recipient: str = ANNA) -> MailDelivery:
    return MailDelivery(
        outgoing_id=message["id"],
        ticket_id=1,
        message_id=message["message_id"],
        recipient=recipient,
        state=state,
        sequence=sequence,
        detail="250 ok",
        at=NOON,
    )


async def test_a_comment_becomes_an_answer_by_mail(rig: Rig) -> None:
    content = mail(
        message_id="<q@x>", references=["<p@x>"], cc=[Address(address="boss@customer.example"), Address(address="help@company.example")]
    )
    await rig.carry_out(command(content))
    made = await comment(rig)
    (sent,) = await rig.emitted("mail.outgoing")
    assert (sent["type"], sent["outgoing_id"], sent["key"], sent["scanner_id"]) == ("send", made["id"], "1", "s1")
    assert [one["address"] for one in sent["to"]] == [ANNA]
    assert [one["address"] for one in sent["cc"]] == ["boss@customer.example"]
    assert (sent["in_reply_to"], sent["references"], sent["title"]) == ("<q@x>", ["<p@x>", "<q@x>"], "The printer is on fire")
    assert (sent["text"], sent["quoted"]["text"]) == ("We are on our way.", "It burns.")
    assert sent["message_id"] == made["message_id"]
    assert len(made["message_id"]) == len("<@company.example>") + 32
    assert made["message_id"].endswith("@company.example>")
    assert (made["kind"], made["direction"], made["delivery"]) == ("comment", "out", "queued")
    assert (await rig.get("/tickets/1"))["status"] == "waiting"


async def test_an_answer_to_our_answer_comes_back_to_its_ticket_and_opens_it(rig: Rig) -> None:
    await rig.carry_out(command())
    made = await comment(rig)
    reply = command(mail(in_reply_to=[made["message_id"]]), [REPLY, CREATE], received_at=NOON + timedelta(days=400))
    await rig.carry_out(reply)
    assert (await rig.outcome(reply.mail_id))["ticket_id"] == 1
    assert (await rig.get("/tickets/1"))["status"] == "open"


async def test_our_answer_come_back_is_a_loop_and_a_forged_mark_hides_nothing(rig: Rig) -> None:
    await rig.carry_out(command())
    made = await comment(rig)
    come_back = command(mail(message_id=made["message_id"]), [CREATE], kind=CommandKind.OWN)
    forged = command(mail(message_id="<forged@x>"), [CREATE], kind=CommandKind.OWN)
    await rig.carry_out(come_back, forged)
    assert (await rig.outcome(come_back.mail_id))["type"] == "loop"
    assert (await rig.outcome(forged.mail_id))["type"] == "ticket"


async def test_a_comment_posted_twice_under_one_key_is_sent_once(rig: Rig) -> None:
    await rig.carry_out(command(), command())
    answers = await asyncio.gather(*(comment(rig, key="k1") for _ in range(4)))
    assert len({answer["message_id"] for answer in answers}) == 1
    assert len(await rig.emitted("mail.outgoing")) == 1
    other = await rig.api.post("/tickets/2/comments", json={"body": "x"}, headers={"Idempotency-Key": "k1"})
    assert other.status_code == 409


async def test_internal_notes_and_comments_on_manual_tickets_never_leave(rig: Rig) -> None:
    await rig.carry_out(command())
    manual = (await rig.api.post("/tickets", json={"title": "Toner"})).json()
    note, remark = await comment(rig, internal=True), await comment(rig, manual["id"])
    assert (note["kind"], remark["kind"], note["delivery"], remark["delivery"]) == ("note", "comment", None, None)
    assert await rig.emitted("mail.outgoing") == []
    assert (await rig.get("/tickets/1"))["status"] == "open"


async def test_a_mail_without_any_address_cannot_be_answered(rig: Rig) -> None:
    await rig.carry_out(command(mail().model_copy(update={"from_": None})))
    answer = await rig.api.post("/tickets/1/comments", json={"body": "x"})
    assert (answer.status_code, answer.json()["title"]) == (409, "Nobody to answer")
    assert (await comment(rig, internal=True))["kind"] == "note"


async def test_the_newest_news_of_a_delivery_holds(rig: Rig) -> None:
    await rig.carry_out(command())
    made = await comment(rig)
    await rig.report(news(made, DeliveryState.SENT, 3))
    await rig.report(news(made, DeliveryState.ACCEPTED, 2))
    message = (await rig.messages(1))[-1]
    assert message["delivery"] == "sent"
    assert [(one["recipient"], one["state"], one["detail"]) for one in message["deliveries"]] == [(ANNA, "sent", "250 ok")]
    assert [event["type"] for event in await rig.emitted("ticket.events")].count("delivery") == 1


async def test_an_answer_without_news_is_told_again_three_times_and_then_failed(rig: Rig) -> None:
    await rig.carry_out(command())
    made = await comment(rig)
    assert await rig.sweep.once() == 0
    for _ in range(4):
        async with rig.engine.begin() as conn:
            await conn.execute(text("update outgoing set sent_at = sent_at - interval '901 seconds'"))
        await rig.sweep.once()
    sent = await rig.emitted("mail.outgoing")
    assert [event["ce_resend"] for event in sent] == [None, "1", "2", "3"]
    assert len({event["ce_id"] for event in sent}) == 1
    (message,) = [one for one in await rig.messages(1) if one["id"] == made["id"]]
    assert message["delivery"] == "failed"
    await rig.report(news(made, DeliveryState.SENT, 1))
    assert (await rig.messages(1))[-1]["delivery"] == "sent"


async def test_a_ticket_is_connected_to_the_contact_of_its_sender(rig: Rig) -> None:
    await rig.carry_out(command())
    made = await rig.api.post("/contacts", json={"name": "Anna", "addresses": ["ANNA@customer.example"]}, headers={"Idempotency-Key": "c"})
    contact = made.json()
    again = await rig.api.post("/contacts", json={"name": "Anna", "addresses": ["ANNA@customer.example"]}, headers={"Idempotency-Key": "c"})
    assert (made.status_code, again.json()["id"]) == (201, contact["id"])
    await rig.carry_out(command(), command(mail("bob@customer.example")))
    connected = (await rig.get("/tickets", contact_id=contact["id"]))["items"]
    assert [ticket["id"] for ticket in connected] == [2, 1]
    assert connected[0]["contact"] == {"id": contact["id"], "type": "contact", "name": "Anna"}
    taken = await rig.api.post("/contacts", json={"name": "Other", "addresses": [ANNA]})
    assert taken.status_code == 409
    assert [one["name"] for one in (await rig.get("/contacts", q="customer"))["items"]] == ["Anna"]
    stale = await rig.api.patch(f"/contacts/{contact['id']}", json={"name": "Anna B"}, headers={"If-Match": '"9"'})
    changed = await rig.api.patch(f"/contacts/{contact['id']}", json={"addresses": ["anna.b@x.example"]}, headers={"If-Match": '"1"'})
    assert (stale.status_code, changed.json()["addresses"], changed.headers["ETag"]) == (412, ["anna.b@x.example"], '"2"')
    assert (await rig.api.delete(f"/contacts/{contact['id']}")).status_code == 204
    assert (await rig.get("/tickets/1"))["contact"] is None


async def test_a_manual_ticket_is_made_once_per_key_and_changed_with_its_version(rig: Rig) -> None:
    made = [await rig.api.post("/tickets", json={"title": "Toner\n low"}, headers={"Idempotency-Key": "t"}) for _ in range(2)]
    assert made[0].json() == made[1].json()
    assert (made[0].json()["source"], made[0].json()["title"], made[0].headers["Location"]) == ("manual", "Toner low", "/api/v1/tickets/1")
    stale = await rig.api.patch("/tickets/1", json={"status": "closed"}, headers={"If-Match": '"2"'})
    fresh = await rig.api.patch("/tickets/1", json={"status": "closed"}, headers={"If-Match": '"1"'})
    assert (stale.status_code, fresh.status_code, fresh.headers["ETag"]) == (412, 200, '"2"')
    assert (await rig.api.patch("/tickets/1", json={"status": "burning"})).status_code == 422
    assert (await rig.api.get("/tickets/99999999999999999999")).status_code == 404


async def test_the_list_is_filtered_and_paged_newest_first(rig: Rig) -> None:
    await rig.carry_out(*(command(mail(f"p{n}@x.example", subject=f"Order 10{n}%")) for n in range(5)))
    await rig.api.post("/tickets", json={"title": "Toner"})
    first = await rig.get("/tickets", limit=4)
    rest = await rig.get("/tickets", limit=4, cursor=first["next"])
    assert [ticket["id"] for ticket in first["items"] + rest["items"]] == [6, 5, 4, 3, 2, 1]
    assert rest["next"] is None
    for params, expected in [
        ({"source": "manual"}, [6]),
        ({"status": "closed"}, []),
        ({"scanner_id": "s1"}, [5, 4, 3, 2, 1]),
    ]:
        assert [ticket["id"] for ticket in (await rig.get("/tickets", **params))["items"]] == expected, params
    assert (await rig.api.get("/tickets", params={"cursor": "nonsense"})).status_code == 400


def with_attachment() -> bytes:
    message = EmailMessage()
    message["Subject"] = "Pictures"
    message.set_content("See both.")
    message.add_attachment(b"\x89PNG picture", maintype="image", subtype="png", filename="fire.png", cid="<fire@x>")
    message.add_attachment(b"<script>alert(1)</script>", maintype="text", subtype="html", filename="page.html")
    return message.as_bytes()


async def test_attachments_come_from_the_archive_as_downloads(rig: Rig) -> None:
    files = [
        Attachment(part="2", name="fire.png", type="image/png", size=12, sha256="0", content_id="fire@x"),
        Attachment(part="3", name="pagé.html", type="text/html", size=25, sha256="0"),
    ]
    one = command(mail(attachments=files, html='<img src="cid:fire@x"><img src="http://evil.example/x"><script>1</script>'))
    await rig.archive.put(one.archive_key, with_attachment())
    await rig.carry_out(one, command(mail(attachments=files)))
    picture, page = (await rig.get("/tickets/1"))["attachments"]
    (message,) = await rig.messages(1)
    assert f"/api/v1/tickets/1/attachments/{picture['id']}?inline=true" in message["html"]
    assert "evil.example" not in message["html"]
    shown = await rig.api.get(f"/tickets/1/attachments/{picture['id']}", params={"inline": True})
    assert (shown.content, shown.headers["Content-Type"]) == (b"\x89PNG picture", "image/png")
    assert shown.headers["Content-Disposition"].startswith("inline;")
    saved = await rig.api.get(f"/tickets/1/attachments/{page['id']}", params={"inline": True})
    assert (saved.content, saved.headers["Content-Type"]) == (b"<script>alert(1)</script>", "application/octet-stream")
    assert saved.headers["Content-Disposition"] == "attachment; filename=\"pag_.html\"; filename*=UTF-8''pag%C3%A9.html"
    assert (await rig.api.get(f"/tickets/2/attachments/{picture['id']}")).status_code == 404
    lost = (await rig.get("/tickets/2"))["attachments"][0]["id"]
    assert (await rig.api.get(f"/tickets/2/attachments/{lost}")).status_code == 410


async def test_messages_are_shown_in_the_order_they_were_received(rig: Rig) -> None:
    times = [NOON, NOON - timedelta(hours=2), NOON - timedelta(hours=1)]
    commands = [command(candidates=[update("Printer", Lookup.TITLE), CREATE], received_at=at) for at in times]
    commands = [one.model_copy(update={"candidates": [update("The printer is on fire", Lookup.TITLE), CREATE]}) for one in commands]
    for one in commands:
        await rig.carry_out(one)
    expected = [commands[1].mail_id, commands[2].mail_id, commands[0].mail_id]
    assert [message["mail_id"] for message in await rig.messages(1)] == expected
    page = await rig.get("/tickets/1/messages", limit=2)
    rest = await rig.get("/tickets/1/messages", limit=2, cursor=page["next"])
    assert [message["mail_id"] for message in page["items"] + rest["items"]] == expected
