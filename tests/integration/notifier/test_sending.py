"""Answers leave: once, with the right state told of each recipient, whatever the SMTP server does."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from shared.archive import Archive
from shared.events import MailDelivery, OutgoingMail, ScannerSettings
from shared.mail.model import Address
from tests.integration.notifier.parts import Bus, Notifier, ScriptedServer, answer, cancel, free_port, sender_body
from tests.kit.eventually import eventually, eventually_async
from tests.kit.smtp_script import HOLD, SILENT, SmtpScript
from tests.kit.stack import TestStack

pytestmark = pytest.mark.connected
Mailbox = Callable[..., Awaitable[str]]


async def until(bus: Bus, mail: OutgoingMail, *states: str) -> list[MailDelivery]:
    """Wait until these states, in this order, are all that was told of the mail."""

    async def told() -> list[MailDelivery] | None:
        seen = await bus.deliveries(mail.outgoing_id)
        return seen if [one.state.value for one in seen] == list(states) else None

    try:
        return await eventually_async(told) or []
    except AssertionError:
        raise AssertionError([(one.recipient, one.state, one.detail) for one in await bus.deliveries(mail.outgoing_id)]) from None


async def test_an_answer_is_sent_once_and_told(
    notifier: Notifier, bus: Bus, smtp: ScriptedServer, mailbox: Mailbox, archive: Archive
) -> None:
    mail = answer(7, await mailbox(smtp.port, display_name="Help Desk"))
    await bus.outgoing(mail)
    accepted, sent = await until(bus, mail, "accepted", "sent")
    assert sent.sequence > accepted.sequence
    assert (sent.recipient, sent.message_id, sent.ticket_id) == ("anna@lakeside.example", mail.message_id, 7)
    await bus.outgoing(mail)  # delivered again by Kafka
    after = answer(7, mail.scanner_id or "")
    await bus.outgoing(after)
    await until(bus, after, "accepted", "sent")
    first, _second = smtp.handler.taken
    assert (first.sender, first.recipients, first.message_id) == ("help@help.example", ["anna@lakeside.example"], mail.message_id)
    row = notifier.call("GET", f"/outgoing/{mail.outgoing_id}").json()
    assert (row["state"], row["tries"], row["subject"]) == ("sent", 1, "Re: Invoice 2026-0417 - Ticket Id: 7")
    assert row["sent_at"]
    ((key,),) = notifier.rows("select mime_key from outgoing where id = %s", mail.outgoing_id)
    digest = hashlib.sha256(first.data).hexdigest()[:12]
    assert key == f"sent/{datetime.now(UTC):%Y-%m}/{mail.outgoing_id}-{digest}.eml.zst"
    assert await archive.get(key) == first.data


@pytest.mark.parametrize("refusal", ["421 4.3.2 try later", "450 4.2.1 greylisted", "452 4.3.1 full"])
async def test_a_temporary_refusal_is_retried_with_the_same_bytes(bus: Bus, smtp: ScriptedServer, mailbox: Mailbox, refusal: str) -> None:
    smtp.handler.data = [refusal, refusal]
    mail = answer(8, await mailbox(smtp.port))
    await bus.outgoing(mail)
    told = await until(bus, mail, "accepted", "delayed", "delayed", "sent")
    assert refusal in told[1].detail
    assert len({one.data for one in smtp.handler.taken}) == 1
    assert len(smtp.handler.accepted) == 1


async def test_a_final_refusal_fails_that_recipient_only(notifier: Notifier, bus: Bus, smtp: ScriptedServer, mailbox: Mailbox) -> None:
    smtp.handler.rcpt = {"gone@lakeside.example": ["550 5.1.1 no such user"], "slow@lakeside.example": ["450 4.2.0 later"]}
    people = [Address(address=f"{name}@lakeside.example") for name in ("gone", "slow", "here")]
    mail = answer(9, await mailbox(smtp.port), to="x@x.example").model_copy(update={"to": people[:2], "cc": people[2:]})
    await bus.outgoing(mail)
    told = await _final(bus, mail, 3)
    states = {one.recipient: (one.state.value, one.detail) for one in told}
    assert states["gone@lakeside.example"] == ("failed", "550 5.1.1 no such user")
    assert states["slow@lakeside.example"][0] == states["here@lakeside.example"][0] == "sent"
    assert [one.recipients for one in smtp.handler.taken] == [["here@lakeside.example"], ["slow@lakeside.example"]]
    row = notifier.call("GET", f"/outgoing/{mail.outgoing_id}").json()
    assert (row["state"], row["tries"]) == ("sent", 2)


async def _final(bus: Bus, mail: OutgoingMail, recipients: int) -> list[MailDelivery]:
    """Wait until every recipient is sent or failed; the newest of each."""

    async def settled() -> list[MailDelivery] | None:
        newest = {one.recipient: one for one in await bus.deliveries(mail.outgoing_id)}
        done = [one for one in newest.values() if one.state in {"sent", "failed"}]
        return done if len(done) == recipients else None

    return await eventually_async(settled) or []


@pytest.mark.parametrize("trouble", ["drop", "hang"])
async def test_a_dialogue_that_breaks_off_is_tried_again(bus: Bus, smtp: ScriptedServer, mailbox: Mailbox, trouble: str) -> None:
    smtp.handler.data = [trouble]
    mail = answer(10, await mailbox(smtp.port))
    await bus.outgoing(mail)
    await until(bus, mail, "accepted", "delayed", "sent")
    first, second = smtp.handler.taken
    assert first.data == second.data


async def test_a_dead_server_delays_only_its_own_mails(bus: Bus, smtp: ScriptedServer, mailbox: Mailbox) -> None:
    dead_port = free_port()
    waiting = [answer(20 + number, await mailbox(dead_port)) for number in range(3)]
    for mail in waiting:
        await bus.outgoing(mail)
    prompt = answer(30, await mailbox(smtp.port))
    await bus.outgoing(prompt)
    await until(bus, prompt, "accepted", "sent")

    async def delayed() -> bool:
        told = [await bus.deliveries(mail.outgoing_id) for mail in waiting]
        return all(news and news[-1].state == "delayed" for news in told)

    await eventually_async(delayed)
    assert f"connect to 127.0.0.1:{dead_port} failed" in (await bus.deliveries(waiting[0].outgoing_id))[-1].detail


async def test_a_killed_notifier_sends_the_same_mail_again(notifier: Notifier, bus: Bus, smtp: ScriptedServer, mailbox: Mailbox) -> None:
    """The server has the mail, its 250 never came: the copy after the restart is byte for byte the same, so mailboxes can merge it."""
    smtp.handler.data = ["hang"]
    mail = answer(11, await mailbox(smtp.port))
    await bus.outgoing(mail)
    eventually(lambda: len(smtp.handler.taken) == 1)
    notifier.kill()
    smtp.handler.go_on.set()
    notifier.start()
    await until(bus, mail, "accepted", "sent")
    first, second = smtp.handler.taken
    assert first.data == second.data
    assert first.message_id == mail.message_id


async def test_a_database_that_was_away_after_the_250_makes_no_extra_copy(
    stack: TestStack, bus: Bus, smtp: ScriptedServer, mailbox: Mailbox
) -> None:
    smtp.handler.data = ["hang"]
    mail = answer(42, await mailbox(smtp.port))
    await bus.outgoing(mail)
    eventually(lambda: len(smtp.handler.taken) == 1)
    stack.kill("postgres")
    smtp.handler.go_on.set()
    stack.restart("postgres")
    after = answer(42, mail.scanner_id or "")
    await bus.outgoing(after)
    await until(bus, mail, "accepted", "sent")
    await until(bus, after, "accepted", "sent")
    assert [one.message_id for one in smtp.handler.taken] == [mail.message_id, after.message_id]


async def test_answers_on_a_ticket_leave_in_order(bus: Bus, smtp: ScriptedServer, mailbox: Mailbox) -> None:
    smtp.handler.rcpt = {"anna@lakeside.example": ["450 4.2.1 greylisted"] * 3}
    scanner = await mailbox(smtp.port)
    mails = [answer(12, scanner, text=f"answer {number}") for number in range(4)]
    other = answer(12, scanner, to="bruno@bikes.example")
    for mail in [*mails, other]:
        await bus.outgoing(mail)
    await until(bus, mails[-1], "accepted", "sent")
    sent = [one.message_id for one in smtp.handler.accepted if one.recipients == ["anna@lakeside.example"]]
    assert sent == [mail.message_id for mail in mails]
    # Who waits for nothing earlier is not held up.
    assert smtp.handler.accepted[0].message_id == other.message_id


async def test_cancel_wins_until_the_dialogue_starts(notifier: Notifier, bus: Bus, smtp: ScriptedServer, mailbox: Mailbox) -> None:
    mail = answer(13, await mailbox(smtp.port), not_before=datetime.now(UTC) + timedelta(seconds=1))
    await bus.outgoing(mail)
    await bus.outgoing(cancel(mail))
    await until(bus, mail, "accepted", "cancelled")
    later = answer(13, mail.scanner_id or "", not_before=datetime.now(UTC) + timedelta(seconds=1.5))
    await bus.outgoing(later)
    await until(bus, later, "accepted", "sent")  # its time came after the cancelled one's
    assert [one.message_id for one in smtp.handler.taken] == [later.message_id]
    assert notifier.call("GET", f"/outgoing/{mail.outgoing_id}").json()["state"] == "cancelled"


async def test_cancel_after_the_mail_left_is_too_late(bus: Bus, smtp: ScriptedServer, mailbox: Mailbox) -> None:
    mail = answer(14, await mailbox(smtp.port))
    await bus.outgoing(mail)
    await until(bus, mail, "accepted", "sent")
    await bus.outgoing(cancel(mail))
    told = await until(bus, mail, "accepted", "sent", "too_late", "sent")
    assert [one.sequence for one in told] == sorted({one.sequence for one in told})


async def test_cancel_that_comes_first_keeps_the_mail_from_leaving(bus: Bus, smtp: ScriptedServer, mailbox: Mailbox) -> None:
    mail = answer(15, await mailbox(smtp.port))
    await bus.outgoing(cancel(mail))
    await bus.outgoing(mail)
    after = answer(15, mail.scanner_id or "")
    await bus.outgoing(after)
    await until(bus, after, "accepted", "sent")
    assert [one.state for one in await bus.deliveries(mail.outgoing_id)] == ["cancelled"]
    assert [one.message_id for one in smtp.handler.taken] == [after.message_id]


async def test_a_resend_is_answered_with_what_is_known(bus: Bus, smtp: ScriptedServer, mailbox: Mailbox) -> None:
    mail = answer(16, await mailbox(smtp.port))
    await bus.outgoing(mail)
    await until(bus, mail, "accepted", "sent")
    await bus.outgoing(mail, resend=1)
    await until(bus, mail, "accepted", "sent", "sent")
    first, again = (await bus.told(mail.outgoing_id))[1:]
    assert first[1] == again[1]
    assert (first[0]["ce_id"], again[0]["ce_resend"]) == (again[0]["ce_id"], "1")
    assert len(smtp.handler.taken) == 1


async def test_a_replay_sends_no_mail(bus: Bus, smtp: ScriptedServer, mailbox: Mailbox) -> None:
    mail = answer(17, await mailbox(smtp.port))
    await bus.outgoing(mail, replay="r1")
    await until(bus, mail, "cancelled")
    assert (await bus.told(mail.outgoing_id))[0][0]["ce_replay"] == "r1"
    await bus.outgoing(mail, resend=1)  # a sweep that asks for its state must not send it either
    after = answer(17, mail.scanner_id or "")
    await bus.outgoing(after)
    await until(bus, after, "accepted", "sent")
    assert [one.message_id for one in smtp.handler.taken] == [after.message_id]


async def test_an_answer_waits_for_an_identity_and_says_so(notifier: Notifier, bus: Bus, smtp: ScriptedServer) -> None:
    settings = ScannerSettings(scanner_id="no-sender", version=1, name="Sales", address="sales@help.example")
    await bus.scanner(settings)
    mail = answer(18, "no-sender")
    await bus.outgoing(mail)
    _, delayed = await until(bus, mail, "accepted", "delayed")
    assert "set an SMTP identity for the mailbox 'Sales'" in delayed.detail
    assert notifier.call("GET", f"/outgoing/{mail.outgoing_id}").json()["state"] == "delayed"
    sender = notifier.call("POST", "/senders", sender_body(smtp.port)).json()
    await bus.scanner(settings.model_copy(update={"version": 2, "sender_id": sender["id"]}))
    await until(bus, mail, "accepted", "delayed", "sent")
    assert smtp.handler.taken[0].sender == "sales@help.example"


async def test_a_failed_mail_is_sent_by_hand(notifier: Notifier, bus: Bus, smtp: ScriptedServer, mailbox: Mailbox) -> None:
    smtp.handler.data = ["554 5.7.1 looks like spam"]
    mail = answer(19, await mailbox(smtp.port))
    await bus.outgoing(mail)
    await until(bus, mail, "accepted", "failed")
    assert notifier.call("GET", "/outgoing?state=failed&ticket_id=19").json()["items"][0]["last_error"] == "554 5.7.1 looks like spam"
    assert notifier.call("POST", f"/outgoing/{mail.outgoing_id}/retry").status_code == 200
    await until(bus, mail, "accepted", "failed", "accepted", "sent")
    assert notifier.call("POST", f"/outgoing/{mail.outgoing_id}/retry").status_code == 409


async def test_recipients_beyond_the_limit_of_the_server_go_in_the_next_dialogue_at_once(
    notifier: Notifier, bus: Bus, script: SmtpScript, mailbox: Mailbox
) -> None:
    """The pause after a failure would be an hour here: no failure is what it is."""
    script.answers["rcpt"] = ["250 OK", "452 4.5.3 too many", "452 4.5.3 too many", "250 OK", "452 4.5.3 too many"]
    people = [Address(address=f"{name}@lakeside.example") for name in ("anna", "bruno", "carla")]
    mail = answer(50, await mailbox(script.port)).model_copy(update={"to": people})
    await bus.outgoing(mail)
    told = await _final(bus, mail, 3)
    assert {one.state for one in told} == {"sent"}
    assert [one.state.value for one in await bus.deliveries(mail.outgoing_id)] == ["accepted"] * 3 + ["sent"] * 3
    assert [one.recipients for one in script.taken] == [[one.address] for one in people]
    assert notifier.rows("select tries, failures from outgoing where id = %s", mail.outgoing_id) == [(3, 0)]


async def test_a_greylisted_mail_comes_again_after_the_time_it_was_told(
    notifier: Notifier, bus: Bus, script: SmtpScript, mailbox: Mailbox
) -> None:
    script.answers["rcpt"] = ["451 4.7.1 Greylisted, please come back in 1800 seconds"]
    mail = answer(51, await mailbox(script.port))
    await bus.outgoing(mail)
    await until(bus, mail, "accepted", "delayed")
    row = notifier.call("GET", f"/outgoing/{mail.outgoing_id}").json()
    wait = datetime.fromisoformat(row["next_try_at"]) - datetime.now(UTC)
    assert timedelta(minutes=20) < wait < timedelta(minutes=37)


async def test_the_message_id_that_a_server_gave_is_told(notifier: Notifier, bus: Bus, script: SmtpScript, mailbox: Mailbox) -> None:
    script.answers["end"] = ["250 2.6.0 <other@server.example> [InternalId=1, Hostname=EX1] Queued mail for delivery"]
    mail = answer(52, await mailbox(script.port))
    await bus.outgoing(mail)
    _, sent = await until(bus, mail, "accepted", "sent")
    assert sent.alias == "<other@server.example>"
    await bus.outgoing(mail, resend=1)
    told = await until(bus, mail, "accepted", "sent", "sent")
    assert told[2] == sent
    assert notifier.rows("select aliases from outgoing where id = %s", mail.outgoing_id) == [(["<other@server.example>"],)]


async def test_an_automatic_mail_to_an_address_of_ours_does_not_leave(
    notifier: Notifier, bus: Bus, smtp: ScriptedServer, mailbox: Mailbox
) -> None:
    """It would come back to us, and be answered."""
    scanner = await mailbox(smtp.port, address="desk@own.example", reply_to="answers@own.example")
    eventually(lambda: notifier.rows("select from scanners where id = %s", scanner))
    for number, address in enumerate(["Desk@Own.example", "answers@own.example", "help+53@help.example"]):
        mail = answer(53 + number, scanner, to=address, mode="acknowledgement")
        await bus.outgoing(mail)
        (told,) = await until(bus, mail, "cancelled")
        assert told.detail == "its recipient is an address of ours"
        assert notifier.call("GET", f"/outgoing/{mail.outgoing_id}").json()["state"] == "cancelled"
    people = [Address(address="answers@own.example"), Address(address="carla@cakes.example")]
    notice = answer(56, scanner, mode="notice").model_copy(update={"to": people})
    await bus.outgoing(notice)
    (sent,) = await _final(bus, notice, 1)
    assert (sent.recipient, [one.recipients for one in smtp.handler.taken]) == ("carla@cakes.example", [["carla@cakes.example"]])


async def test_settings_of_a_mailbox_that_come_late_wake_nothing(
    notifier: Notifier, bus: Bus, script: SmtpScript, mailbox: Mailbox
) -> None:
    script.answers["rcpt"] = ["451 4.7.1 Greylisted, please come back in 1800 seconds"]
    mail = answer(57, await mailbox(script.port))
    await bus.outgoing(mail)
    await until(bus, mail, "accepted", "delayed")
    old = ScannerSettings(scanner_id=mail.scanner_id or "", version=0, name="Old", address="old@help.example")
    await bus.scanner(old)
    eventually(lambda: notifier.rows("select from inbox where event_id = %s", f"{mail.scanner_id}-0"))
    assert notifier.rows("select name from scanners where id = %s", mail.scanner_id) == [("Help Desk",)]
    assert notifier.rows("select from outgoing where id = %s and next_try_at > now() + interval '10 minutes'", mail.outgoing_id)


async def test_one_hanging_server_delays_only_its_own_mails(bus: Bus, script: SmtpScript, smtp: ScriptedServer, mailbox: Mailbox) -> None:
    script.answers["mail"] = [SILENT] * 50
    stuck = [answer(60 + number, await mailbox(script.port)) for number in range(3)]
    for mail in stuck:
        await bus.outgoing(mail)
    eventually(lambda: script.commands("MAIL"))
    prompt = answer(70, await mailbox(smtp.port))
    await bus.outgoing(prompt)
    await until(bus, prompt, "accepted", "sent")
    assert not script.taken


async def test_a_mail_its_server_never_answers_does_not_keep_the_others_of_that_server(
    bus: Bus, script: SmtpScript, mailbox: Mailbox
) -> None:
    script.answers["end"] = [HOLD]
    scanner = await mailbox(script.port)
    stuck = answer(80, scanner)
    await bus.outgoing(stuck)
    eventually(lambda: script.reached == ["end"])
    others = [answer(81 + number, scanner) for number in range(5)]
    for mail in others:
        await bus.outgoing(mail)
    for mail in others:
        await until(bus, mail, "accepted", "sent")
    assert stuck.message_id not in {one.message_id for one in script.taken}
