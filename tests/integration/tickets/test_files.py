"""Attachments that are handed out or not, inline images after a merge and a split, and mails as they were received."""

from __future__ import annotations

from typing import Any

import pytest

from shared.mail.model import Attachment
from tests.integration.tickets.rig import CREATE, REPLY, Rig, command, mail
from tests.integration.tickets.test_desk import with_attachment

pytestmark = pytest.mark.connected
MEBIBYTE = 1024 * 1024


def attachment(name: str, media_type: str = "application/pdf", size: int = 12, **fields: Any) -> Attachment:
    return Attachment(part="2", name=name, type=media_type, size=size, sha256="0", **fields)


async def test_what_may_run_a_program_or_is_too_large_says_why_and_stays_in_the_archive(rig: Rig) -> None:
    files = [
        attachment("invoice.pdf"),
        attachment("invoice.pdf.exe"),
        attachment("tool", "application/x-msdownload"),
        attachment("film.mp4", "video/mp4", 51 * MEBIBYTE),
    ]
    one = command(mail(attachments=[file.model_copy(update={"part": str(2 + n)}) for n, file in enumerate(files)]))
    await rig.archive.put(one.archive_key, with_attachment())
    await rig.carry_out(one)
    good, *blocked = (await rig.get("/tickets/1"))["attachments"]
    assert good["blocked"] is None
    assert (await rig.api.get(f"/tickets/1/attachments/{good['id']}")).status_code == 200
    for view, word in zip(blocked, [".exe", "x-msdownload", "51 MiB"], strict=True):
        assert word in view["blocked"]
        for inline in (False, True):
            answer = await rig.api.get(f"/tickets/1/attachments/{view['id']}", params={"inline": inline})
            assert (answer.status_code, answer.json()["detail"].startswith(view["blocked"])) == (403, True)
            assert "administrator" in answer.json()["detail"]
    (message,) = await rig.messages(1)
    assert [view["blocked"] is None for view in message["attachments"]] == [True, False, False, False]


async def test_inline_images_are_shown_where_the_message_went(rig: Rig) -> None:
    files = [attachment("fire.png", "image/png", content_id="fire@x")]
    one = command(mail(message_id="<a@x>", attachments=files, html='<img src="cid:fire@x">'))
    await rig.archive.put(one.archive_key, with_attachment())
    await rig.carry_out(one, command(), command(mail(in_reply_to=["<a@x>"]), [REPLY, CREATE]))
    await rig.api.post("/tickets/1/merge", json={"into": 2})
    message = next(message for message in await rig.messages(2) if message["html"])
    path = f"/tickets/2/attachments/{message['attachments'][0]['id']}"
    assert f"{path}?inline=true" in message["html"]
    assert (await rig.api.get(path, params={"inline": True})).content == b"\x89PNG picture"
    made = (await rig.api.post("/tickets/2/split", json={"message_id": message["id"]})).json()
    assert made["title"] == "Pictures"
    (message,) = await rig.messages(made["id"])
    assert f"/tickets/{made['id']}/attachments/" in message["html"]
    assert (await rig.api.get(path)).status_code == 404


async def test_the_original_of_a_mail_comes_as_it_was_received(rig: Rig) -> None:
    raw = b"Subject: =?utf-8?q?Gr=C3=B6=C3=9Fe=2F?=\r\n ../x\xff\r\n\r\nbytes \xff\x00 as they are\r\n"
    one, lost = command(), command()
    await rig.archive.put(one.archive_key, raw)
    await rig.carry_out(one, lost)
    (message,), (gone,) = await rig.messages(1), await rig.messages(2)
    note = (await rig.api.post("/tickets/1/comments", json={"body": "x", "internal": True})).json()
    answer = await rig.api.get(f"/tickets/1/messages/{message['id']}/original")
    assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (200, raw, "message/rfc822")
    assert answer.headers["Content-Disposition"].startswith("attachment; ")
    name = answer.headers["Content-Disposition"].rpartition("''")[2]
    assert name.startswith("Gr%C3%B6%C3%9Fe_")
    assert (name.endswith(".eml"), "%2F" in name) == (True, False)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for path, status in [
        (f"/tickets/1/messages/{note['id']}/original", 404),
        (f"/tickets/2/messages/{message['id']}/original", 404),
        ("/tickets/1/messages/%00/original", 404),
        (f"/tickets/9/messages/{message['id']}/original", 404),
        (f"/tickets/2/messages/{gone['id']}/original", 410),
    ]:
        assert (await rig.api.get(path)).status_code == status, path
