"""The ledger over HTTP: why a mail waits or failed, each try with the server's words, and the bytes that left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from email import message_from_bytes, policy
from typing import Any

import pytest

from shared.archive import Archive
from shared.events import OutgoingMail
from shared.mail.model import Address
from tests.integration.notifier.parts import Bus, Notifier, ScriptedServer, answer, free_port
from tests.kit.eventually import eventually_async

pytestmark = pytest.mark.connected
Mailbox = Callable[..., Awaitable[str]]


async def state(notifier: Notifier, mail: OutgoingMail, wanted: str) -> dict[str, Any]:
    async def reached() -> dict[str, Any] | None:
        found = notifier.call("GET", f"/outgoing/{mail.outgoing_id}")
        known: dict[str, Any] = found.json() if found.status_code == 200 else {}
        return known if known.get("state") == wanted else None

    return await eventually_async(reached, seconds=30, what=f"the mail is {wanted}")


async def test_each_try_is_shown_with_the_servers_words(notifier: Notifier, bus: Bus, smtp: ScriptedServer, mailbox: Mailbox) -> None:
    mail = answer(4101, await mailbox(smtp.port))
    smtp.handler.data = ["451 4.3.0 come back later", "250 OK: queued"]
    await bus.outgoing(mail)
    sent = await state(notifier, mail, "sent")

    assert [one["state"] for one in sent["history"]] == ["sent", "delayed"]
    assert [one["number"] for one in sent["history"]] == [2, 1]
    assert "come back later" in sent["history"][1]["detail"]
    assert {one["instance"] for one in sent["history"]} == {"notifier"}
    assert all(one["started_at"] <= one["ended_at"] for one in sent["history"])
    assert [(one["address"], one["state"]) for one in sent["people"]] == [("anna@lakeside.example", "sent")]
    assert (sent["tries"], sent["made"], sent["mode"], sent["scanner_id"]) == (2, True, "info", mail.scanner_id)
    listed = notifier.call("GET", "/outgoing?ticket_id=4101").json()["items"]
    assert listed == [{name: sent[name] for name in listed[0]}]


async def test_the_bytes_are_those_the_server_got(notifier: Notifier, bus: Bus, smtp: ScriptedServer, mailbox: Mailbox) -> None:
    mail = answer(4102, await mailbox(smtp.port))
    await bus.outgoing(mail)
    await state(notifier, mail, "sent")
    raw = notifier.call("GET", f"/outgoing/{mail.outgoing_id}/raw")
    assert raw.headers["Content-Type"] == "message/rfc822"
    assert raw.headers["Content-Disposition"] == f'attachment; filename="{mail.outgoing_id}.eml"'
    assert raw.content == smtp.handler.accepted[0].data
    assert message_from_bytes(raw.content, policy=policy.default)["Message-ID"] == mail.message_id


async def test_what_is_not_made_yet_says_when_it_will_be(notifier: Notifier, bus: Bus) -> None:
    mail = answer(4103, "no-such-mailbox")
    await bus.outgoing(mail)
    waiting = await state(notifier, mail, "queued")
    assert (waiting["made"], waiting["history"]) == (False, [])
    raw = notifier.call("GET", f"/outgoing/{mail.outgoing_id}/raw")
    assert (raw.status_code, "first try" in raw.json()["detail"]) == (409, True)
    for path in ("/outgoing/nobody", "/outgoing/nobody/raw"):
        assert notifier.call("GET", path).status_code == 404


async def test_only_what_did_not_arrive_is_tried_again(notifier: Notifier, bus: Bus, smtp: ScriptedServer, mailbox: Mailbox) -> None:
    mail = answer(4104, await mailbox(smtp.port))
    smtp.handler.data = ["554 5.7.1 no"]
    await bus.outgoing(mail)
    failed = await state(notifier, mail, "failed")
    assert "5.7.1 no" in failed["last_error"]
    again = notifier.call("POST", f"/outgoing/{mail.outgoing_id}/retry")
    assert (again.status_code, again.json()["state"]) == (200, "queued")
    await state(notifier, mail, "sent")
    refused = notifier.call("POST", f"/outgoing/{mail.outgoing_id}/retry")
    assert (refused.status_code, "The mail is sent" in refused.json()["detail"]) == (409, True)


async def test_who_was_refused_beside_others_is_tried_again(notifier: Notifier, bus: Bus, smtp: ScriptedServer, mailbox: Mailbox) -> None:
    smtp.handler.rcpt = {"gone@lakeside.example": ["550 5.1.1 no such user"]}
    people = [Address(address=f"{name}@lakeside.example") for name in ("gone", "here")]
    mail = answer(4105, await mailbox(smtp.port)).model_copy(update={"to": people})
    await bus.outgoing(mail)
    shown = await state(notifier, mail, "sent")
    assert (shown["retryable"], shown["cancellable"], shown["waits_for"]) == (True, False, None)
    assert notifier.call("POST", f"/outgoing/{mail.outgoing_id}/retry").json()["state"] == "queued"
    shown = await state(notifier, mail, "sent")
    assert (shown["retryable"], {one["state"] for one in shown["people"]}) == (False, {"sent"})
    assert [one.recipients for one in smtp.handler.accepted] == [["here@lakeside.example"], ["gone@lakeside.example"]]
    assert len({one.data for one in smtp.handler.accepted}) == 1
    assert notifier.call("POST", f"/outgoing/{mail.outgoing_id}/retry").status_code == 409


async def test_without_anybody_to_send_to_nothing_is_tried_again(notifier: Notifier, bus: Bus, mailbox: Mailbox) -> None:
    mail = answer(4106, await mailbox(free_port()), to="nobody")
    await bus.outgoing(mail)
    assert (await state(notifier, mail, "failed"))["retryable"] is False
    refused = notifier.call("POST", f"/outgoing/{mail.outgoing_id}/retry")
    assert (refused.status_code, "None of its recipients" in refused.json()["detail"]) == (409, True)


async def test_a_mail_whose_sender_was_refused_is_made_anew_with_the_corrected_address(
    notifier: Notifier, bus: Bus, smtp: ScriptedServer, mailbox: Mailbox
) -> None:
    smtp.handler.data = ["553 5.7.1 sender not allowed"]
    mail = answer(4107, await mailbox(smtp.port, address="wrong@help.example"))
    await bus.outgoing(mail)
    await state(notifier, mail, "failed")
    ((sender, key),) = notifier.rows(
        "select sender_id, mime_key from scanners, outgoing o where scanners.id = o.scanner_id and o.id = %s", mail.outgoing_id
    )
    assert notifier.call("PATCH", f"/senders/{sender}", {"address": "right@help.example"}).status_code == 200
    assert notifier.call("POST", f"/outgoing/{mail.outgoing_id}/retry").status_code == 200
    await state(notifier, mail, "sent")
    (taken,) = smtp.handler.accepted
    assert taken.sender == "right@help.example"
    assert "right@help.example" in str(message_from_bytes(taken.data, policy=policy.default)["From"])
    assert notifier.call("GET", f"/outgoing/{mail.outgoing_id}/raw").content == taken.data
    assert notifier.rows("select mime_key from outgoing where id = %s", mail.outgoing_id) != [(key,)]


async def test_what_waited_for_its_server_leaves_with_the_identity_of_that_day(
    notifier: Notifier, bus: Bus, smtp: ScriptedServer, mailbox: Mailbox, archive: Archive
) -> None:
    """Envelope, bytes and what the archive keeps belong together; what was made before is not left lying about."""
    mail = answer(4108, await mailbox(free_port(), address="old@help.example"))
    await bus.outgoing(mail)
    await state(notifier, mail, "delayed")
    ((sender, (first,)),) = notifier.rows(
        "select sender_id, blobs from scanners, outgoing o where scanners.id = o.scanner_id and o.id = %s", mail.outgoing_id
    )
    assert b"old@help.example" in await archive.get(first)
    notifier.call("PATCH", f"/senders/{sender}", {"address": "new@help.example", "port": smtp.port}).raise_for_status()
    await state(notifier, mail, "sent")
    (taken,) = smtp.handler.accepted
    assert (taken.sender, b"new@help.example" in taken.data, b"old@help.example" in taken.data) == ("new@help.example", True, False)
    assert notifier.call("GET", f"/outgoing/{mail.outgoing_id}/raw").content == taken.data
    assert not await archive.holds(first)


async def test_the_subject_shown_is_the_one_sent(notifier: Notifier, bus: Bus, smtp: ScriptedServer, mailbox: Mailbox) -> None:
    scanner = await mailbox(smtp.port)
    template = {
        "name": "Thanks",
        "kind": "acknowledgement",
        "scanner_id": scanner,
        "subject": "We have it: {{ ticket.title }}",
        "text": "Thanks.",
    }
    notifier.call("POST", "/templates", template).raise_for_status()
    mail = answer(4109, scanner, mode="acknowledgement")
    await bus.outgoing(mail)
    assert (await state(notifier, mail, "sent"))["subject"] == "We have it: Invoice 2026-0417"
    assert message_from_bytes(smtp.handler.accepted[0].data, policy=policy.default)["Subject"] == "We have it: Invoice 2026-0417"
