"""Answers by mail and comments: what goes to the notifier, what the ticket shows, and when none can leave."""

from __future__ import annotations

import pytest

from shared.mail.answer_subject import answer_subject
from shared.mail.model import Attachment
from tests.integration.tickets.rig import CREATE, OWN, REPLY, Rig, command, mail
from tests.integration.tickets.test_desk import with_attachment
from tests.integration.tickets.writing import ANNA, BEN, OLGA, PAUL, PNG, mails, refused, reply, ticket, undo_for, upload

pytestmark = pytest.mark.connected


async def test_an_answer_and_a_comment_make_the_same_mail(rig: Rig) -> None:
    number = await ticket(rig, message_id="<q@customer.example>", references=["<root@x>"], text="It burns.", html="<p>It <b>burns</b>.</p>")
    shown = await reply(rig, number)
    await rig.api.post(f"/tickets/{number}/comments", json={"body": "We come."}, headers=OLGA)
    first, second = await mails(rig)
    own = {"ce_id", "outgoing_id", "message_id", "not_before"}
    assert {key: value for key, value in first.items() if key not in own} == {key: value for key, value in second.items() if key not in own}
    assert first["message_id"] != second["message_id"]
    assert first["message_id"].endswith("@company.example>")
    assert (first["in_reply_to"], first["references"]) == ("<q@customer.example>", ["<root@x>", "<q@customer.example>"])
    assert [one["address"] for one in first["to"]] == [ANNA]
    assert [(one["name"], one["address"]) for one in first["cc"]] == [("Ben", BEN)]
    assert first["author"] == {"name": "Olga Weiß", "address": "olga.weiss@company.example"}
    assert (first["mode"], first["operator"], first["text"]) == ("info", "user:olga", "We come.")
    assert (first["quoted"]["text"], first["quoted"]["html"]) == ("It burns.", "<p>It <b>burns</b>.</p>")
    assert (shown["kind"], shown["mode"], shown["recipients"], shown["cc"]) == ("reply", "info", [ANNA], [BEN])
    assert [(one["recipient"], one["state"]) for one in shown["deliveries"]] == [(ANNA, "queued"), (BEN, "queued")]
    assert (await rig.get(f"/tickets/{number}"))["status"] == "waiting"


async def test_a_customer_who_answers_ours_is_on_the_same_ticket(rig: Rig) -> None:
    number = await ticket(rig)
    shown = await reply(rig, number)
    await rig.carry_out(command(mail(ANNA, in_reply_to=[shown["message_id"]]), [REPLY, CREATE]))
    assert len(await rig.tickets()) == 1


async def test_doing_it_twice_with_one_key_sends_one_mail(rig: Rig) -> None:
    number, other = await ticket(rig), await ticket(rig)
    key = {**OLGA, "Idempotency-Key": "k1"}
    assert await reply(rig, number, headers=key) == await reply(rig, number, headers=key)
    assert len(await mails(rig)) == 1
    status, detail = await refused(rig, other, headers=key)
    assert (status, "another ticket" in detail) == (409, True)


async def test_only_who_is_ticked_gets_a_copy(rig: Rig) -> None:
    number = await ticket(rig)
    offered = await rig.get(f"/tickets/{number}/answering")
    assert [(one["address"], one["ticked"]) for one in offered["copies"]] == [(BEN, True)]
    await reply(rig, number, cc=[])
    await reply(rig, number, cc=[BEN.upper(), "new@customer.example", ANNA])
    without, both = await mails(rig)
    assert without["cc"] == []
    assert [one["address"] for one in both["cc"]] == [BEN, "new@customer.example"]
    for wrong in ("no address", OWN, "a@b.example\r\nBcc: eve@evil.example"):
        status, detail = await refused(rig, number, cc=[wrong])
        assert (status, detail.startswith("cc: ")) == (422, True)
    assert len(await mails(rig)) == 2


async def test_nothing_is_quoted_where_that_is_not_wanted(rig: Rig) -> None:
    number = await ticket(rig, html="<p>x</p>")
    await reply(rig, number, quote=False)
    (sent,) = await mails(rig)
    assert sent.get("quoted") is None


async def test_quoted_html_is_harmless_and_keeps_its_images_under_ids_of_ours(rig: Rig) -> None:
    image = Attachment(part="2", name="fire.png", type="image/png", size=12, sha256="0", content_id="fire@x")
    unused = image.model_copy(update={"part": "3", "content_id": "unused@x"})
    html = '<script>x</script><p>See</p><img src="cid:fire@x"><img src="https://evil.example/pixel">'
    number = await ticket(rig, html=html, attachments=[image, unused])
    await reply(rig, number)
    (sent,) = await mails(rig)
    (part,) = sent["parts"]
    assert (part["part"], part["name"], part["content_type"]) == ("2", "fire.png", "image/png")
    assert part["content_id"] == f"image1.{sent['message_id'].strip('<>')}"
    assert sent["quoted"]["html"] == f'<p>See</p><img src="cid:{part["content_id"]}">'


async def test_files_from_upload_and_from_the_ticket_go_along_and_are_shown(rig: Rig) -> None:
    one = command(mail(ANNA, attachments=[Attachment(part="2", name="fire.png", type="image/png", size=12, sha256="0")]))
    await rig.archive.put(one.archive_key, with_attachment())
    await rig.carry_out(one)
    (theirs,) = (await rig.get("/tickets/1"))["attachments"]
    own = await upload(rig, 1)
    shown = await reply(rig, 1, attachments=[own["id"], theirs["id"]])
    (sent,) = await mails(rig)
    assert [(part["name"], part.get("part"), part["size"]) for part in sent["parts"]] == [("plan.pdf", None, 8), ("fire.png", "2", 12)]
    assert await rig.archive.get(sent["parts"][0]["archive_key"]) == b"the plan"
    assert sent["parts"][1]["archive_key"] == one.archive_key
    contents = [(await rig.api.get(f"/tickets/1/attachments/{file['id']}", headers=PAUL)).content for file in shown["attachments"]]
    assert contents == [b"the plan", PNG]


async def test_files_that_are_blocked_or_missing_are_refused_by_name(rig: Rig) -> None:
    number = await ticket(rig, attachments=[Attachment(part="2", name="tool.exe", type="application/pdf", size=1, sha256="0")])
    (blocked,) = (await rig.get(f"/tickets/{number}"))["attachments"]
    foreign = await upload(rig, number, headers=PAUL)
    for ids, words in [([blocked["id"]], "tool.exe"), ([foreign["id"]], "upload it again"), (["\x00"], "upload it again")]:
        status, detail = await refused(rig, number, attachments=ids)
        assert (status, words in detail) == (422, True), detail
    assert await mails(rig) == []


async def test_a_personal_answer_leaves_from_the_operator_and_is_noted_as_gone(rig: Rig) -> None:
    number = await ticket(rig)
    shown = await reply(rig, number, mode="personal")
    (sent,) = await mails(rig)
    assert (sent["mode"], sent["author"]["address"]) == ("personal", "olga.weiss@company.example")
    assert sent["message_id"].endswith("@company.example>")
    assert (shown["mode"], shown["message_id"]) == ("personal", sent["message_id"])
    await rig.carry_out(command(mail(ANNA, in_reply_to=[sent["message_id"]]), [REPLY, CREATE]))
    assert len(await rig.tickets()) == 2, "its Message-ID leads nowhere"
    entry = (await rig.get(f"/tickets/{number}/history"))["items"]
    told = [change for one in entry for change in one["changes"] if change["field"] == "personal"]
    assert told == [{"field": "personal", "before": None, "after": "olga.weiss@company.example"}]


async def test_without_an_own_address_a_personal_answer_is_refused_and_the_page_knows_beforehand(rig: Rig) -> None:
    number = await ticket(rig)
    answer = await rig.api.post(f"/tickets/{number}/replies", json={"body": "x", "mode": "personal"}, headers=PAUL)
    assert (answer.status_code, "set one" in answer.json()["detail"]) == (409, True)
    known = (await rig.api.get(f"/tickets/{number}/answering", headers=PAUL)).json()
    assert (known["personal_sender"], known["personal_refusal"], known["refusal"]) == (None, answer.json()["detail"], None)
    mine = (await rig.api.get(f"/tickets/{number}/answering", headers=OLGA)).json()
    assert (mine["personal_sender"], mine["personal_refusal"]) == ("olga.weiss@company.example", None)
    assert (mine["sender"], mine["subject"]) == (OWN, f"Re: The printer is on fire - Ticket Id: {number}")
    assert [ANNA in one for one in mine["to"]] == [True]
    assert mine["quoted"] == "It burns."


async def test_the_page_shows_the_subject_that_is_sent(rig: Rig) -> None:
    number = await ticket(rig, subject="AW: Printer - Ticket Id: 99")
    assert (await rig.get(f"/tickets/{number}/answering"))["subject"] == answer_subject("AW: Printer - Ticket Id: 99", number)
    assert (await rig.get(f"/tickets/{number}/answering"))["subject"] == f"Re: Printer - Ticket Id: {number}"


async def test_merged_deleted_and_manual_tickets_say_why_there_is_no_answer_and_closed_ones_stay_closed(rig: Rig) -> None:
    await undo_for(rig, 0)
    first, second = await ticket(rig), await ticket(rig)
    await rig.api.patch(f"/tickets/{second}", json={"status": "closed"})
    await reply(rig, second)
    assert (await rig.get(f"/tickets/{second}"))["status"] == "closed"
    await rig.api.post(f"/tickets/{first}/merge", json={"into": second})
    assert f"ticket {second}" in (await refused(rig, first))[1]
    assert f"ticket {second}" in (await rig.get(f"/tickets/{first}/answering"))["refusal"]
    await rig.api.delete(f"/tickets/{second}")
    assert "restore" in (await refused(rig, second))[1]
    manual = (await rig.api.post("/tickets", json={"title": "By phone"})).json()["id"]
    status, detail = await refused(rig, manual)
    assert (status, "internal note" in detail) == (409, True)
    assert len(await mails(rig)) == 1
    assert (await rig.api.get("/tickets/999/answering")).status_code == 404
