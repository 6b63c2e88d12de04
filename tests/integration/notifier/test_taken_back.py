"""An answer that is taken back, at each moment: the last news of each recipient is that it was cancelled, sent, or failed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from shared.events import MailDelivery, OutgoingMail
from shared.mail.model import Address
from tests.integration.notifier.parts import Bus, Notifier, answer, cancel, free_port, new_namespace, running_notifier
from tests.kit.eventually import eventually, eventually_async
from tests.kit.smtp_script import CLOSE, HOLD, SmtpScript
from tests.kit.stack import TestStack

pytestmark = [pytest.mark.connected, pytest.mark.timeout(300)]
Mailbox = Callable[..., Awaitable[str]]
LONG = 120.0
"""After a crash the group waits for the one that is gone, on a busy machine."""


@pytest.fixture(scope="module")
def namespace(stack: TestStack) -> str:
    return new_namespace(stack, "taken-back")


@pytest.fixture(scope="module")
def running(
    stack: TestStack, namespace: str, common_settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Notifier]:
    """A notifier whose pause after a failure is long enough to take an answer back in it."""
    times = {"COMMAND_TIMEOUT_SECONDS": "60", "DATA_TIMEOUT_SECONDS": "60", "FIRST_RETRY_SECONDS": "20"}
    own = {"NAMESPACE": namespace, "DATABASE_URL": stack.database_url(f"taken_back_{uuid4().hex[:8]}")}
    with running_notifier(common_settings | times | own, tmp_path_factory.mktemp("taken-back") / "notifier.log") as process:
        yield process


async def told(bus: Bus, mail: OutgoingMail, *states: str, to: str = "anna@lakeside.example") -> MailDelivery:
    """Wait until these states are all that was told of this recipient; the last one."""

    async def all_of_it() -> MailDelivery:
        news = [one for one in await bus.deliveries(mail.outgoing_id) if one.recipient == to]
        assert [one.state.value for one in news] == list(states)
        return news[-1]

    return await eventually_async(all_of_it, LONG)


async def told_after_a_crash(bus: Bus, mail: OutgoingMail, *states: str) -> None:
    """As `told`; what was told right before the crash may come again, under its number."""

    async def all_of_it() -> bool:
        news = {one.sequence: one.state.value for one in await bus.deliveries(mail.outgoing_id)}
        assert list(news.values()) == list(states)
        return True

    await eventually_async(all_of_it, LONG)


def state(notifier: Notifier, mail: OutgoingMail) -> str:
    return str(notifier.call("GET", f"/outgoing/{mail.outgoing_id}").json()["state"])


async def test_of_a_mail_that_its_server_may_have_nobody_says_that_it_was_cancelled(
    notifier: Notifier, bus: Bus, script: SmtpScript, mailbox: Mailbox
) -> None:
    script.answers["end"] = [CLOSE]
    mail = answer(1, await mailbox(script.port))
    await bus.outgoing(mail)
    await told(bus, mail, "accepted", "delayed")
    await bus.outgoing(cancel(mail))
    last = await told(bus, mail, "accepted", "delayed", "too_late", "failed")
    assert "the server may have the mail, and it is not tried again" in last.detail
    assert (state(notifier, mail), len(script.commands("MAIL"))) == ("failed", 1)


async def test_one_that_was_only_refused_for_now_is_cancelled(notifier: Notifier, bus: Bus, script: SmtpScript, mailbox: Mailbox) -> None:
    script.answers["end"] = ["451 4.3.0 later"]
    mail = answer(2, await mailbox(script.port))
    await bus.outgoing(mail)
    await told(bus, mail, "accepted", "delayed")
    await bus.outgoing(cancel(mail))
    await told(bus, mail, "accepted", "delayed", "cancelled")
    assert state(notifier, mail) == "cancelled"


async def test_a_cancel_during_the_dialogue_leaves_nobody_waiting(
    notifier: Notifier, bus: Bus, script: SmtpScript, mailbox: Mailbox
) -> None:
    script.answers["rcpt"] = [HOLD, "451 4.3.0 later"]
    mail = answer(3, await mailbox(script.port)).model_copy(
        update={"to": [Address(address="anna@lakeside.example"), Address(address="bruno@bikes.example")]}
    )
    await bus.outgoing(mail)
    eventually(lambda: script.reached == ["rcpt"])
    await bus.outgoing(cancel(mail))
    await told(bus, mail, "accepted", "too_late")
    script.go_on()
    await told(bus, mail, "accepted", "too_late", "sent")
    await told(bus, mail, "accepted", "too_late", "cancelled", to="bruno@bikes.example")
    assert state(notifier, mail) == "sent"


async def test_a_cancel_during_a_dialogue_that_a_crash_cuts_off_is_not_forgotten(
    notifier: Notifier, bus: Bus, script: SmtpScript, mailbox: Mailbox
) -> None:
    script.answers["end"] = [HOLD]
    mail = answer(4, await mailbox(script.port))
    await bus.outgoing(mail)
    eventually(lambda: script.reached == ["end"])
    await bus.outgoing(cancel(mail))
    await told(bus, mail, "accepted", "too_late")
    notifier.kill()
    script.go_on()
    notifier.start()
    await told_after_a_crash(bus, mail, "accepted", "too_late", "failed")
    after = answer(5, mail.scanner_id or "")
    await bus.outgoing(after)
    await told(bus, after, "accepted", "sent")
    assert len(script.commands("MAIL")) == 2
    assert notifier.rows("select state from tries where outgoing_id = %s", mail.outgoing_id) == [("sending",)]


async def test_what_was_taken_back_in_vain_is_sent_when_a_person_asks(
    notifier: Notifier, bus: Bus, script: SmtpScript, mailbox: Mailbox
) -> None:
    script.answers["end"] = [CLOSE]
    mail = answer(6, await mailbox(script.port))
    await bus.outgoing(mail)
    await told(bus, mail, "accepted", "delayed")
    await bus.outgoing(cancel(mail))
    await told(bus, mail, "accepted", "delayed", "too_late", "failed")
    first = notifier.call("GET", f"/outgoing/{mail.outgoing_id}/raw").content
    assert notifier.call("POST", f"/outgoing/{mail.outgoing_id}/retry").status_code == 200
    await told(bus, mail, "accepted", "delayed", "too_late", "failed", "accepted", "sent")
    assert [one.data for one in script.taken] == [first]  # the copies can be merged


async def test_an_answer_in_its_undo_time_is_taken_back_and_not_sent_by_hand(
    notifier: Notifier, bus: Bus, script: SmtpScript, mailbox: Mailbox
) -> None:
    mail = answer(7, await mailbox(script.port), not_before=datetime.now(UTC) + timedelta(minutes=5))
    await bus.outgoing(mail)
    await told(bus, mail, "accepted")
    shown = notifier.call("GET", f"/outgoing/{mail.outgoing_id}").json()
    assert (shown["cancellable"], shown["retryable"]) == (True, False)
    assert notifier.call("POST", f"/outgoing/{mail.outgoing_id}/retry").status_code == 409
    await bus.outgoing(cancel(mail))
    await told(bus, mail, "accepted", "cancelled")
    assert notifier.call("GET", f"/outgoing/{mail.outgoing_id}").json()["cancellable"] is False


async def test_a_cancel_that_comes_first_is_told_when_the_mail_comes(notifier: Notifier, bus: Bus, mailbox: Mailbox) -> None:
    mail = answer(8, await mailbox(free_port()))
    await bus.outgoing(cancel(mail))
    eventually(lambda: notifier.rows("select from outgoing where id = %s", mail.outgoing_id))
    assert await bus.deliveries(mail.outgoing_id) == []
    await bus.outgoing(mail)
    last = await told(bus, mail, "cancelled")
    assert last.detail == "cancelled before it came"
    await bus.outgoing(mail, resend=1)
    await told(bus, mail, "cancelled", "cancelled")
    shown = notifier.call("GET", f"/outgoing/{mail.outgoing_id}").json()
    assert (shown["state"], shown["subject"], shown["tries"]) == ("cancelled", "Re: Invoice 2026-0417 - Ticket Id: 8", 0)
    assert [one["state"] for one in shown["people"]] == ["cancelled"]
