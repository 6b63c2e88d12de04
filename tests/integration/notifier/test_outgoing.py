"""The ledger over HTTP: why a mail waits or failed, each try with the server's words, and the bytes that left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from email import message_from_bytes, policy
from typing import Any

import pytest

from shared.events import OutgoingMail
from tests.integration.notifier.parts import Bus, Notifier, ScriptedServer, answer
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
