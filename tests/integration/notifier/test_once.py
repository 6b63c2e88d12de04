"""Once: every part is killed at every point of the dialogue, and the server counts what it is responsible for.

An extra copy, under the same Message-ID, may only come from a crash of the notifier between the server's 250 and its record.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Literal
from uuid import uuid4

import pytest

from shared.events import OutgoingMail
from tests.integration.notifier.parts import Bus, Notifier, answer, new_namespace, running_notifier
from tests.kit.eventually import eventually, eventually_async
from tests.kit.smtp_script import HOLD, SmtpScript
from tests.kit.stack import TestStack

pytestmark = [pytest.mark.connected, pytest.mark.faults, pytest.mark.timeout(300)]
Mailbox = Callable[..., Awaitable[str]]
Victim = Literal["notifier", "postgres", "kafka", "smtp"]
VICTIMS: tuple[Victim, ...] = ("notifier", "postgres", "kafka", "smtp")
LONG = 120.0
"""Everybody has to come back first, on a busy machine."""


@pytest.fixture(scope="module")
def namespace(stack: TestStack) -> str:
    return new_namespace(stack, "once")


@pytest.fixture(scope="module")
def running(
    stack: TestStack, namespace: str, common_settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Notifier]:
    """A notifier that does not lose its patience while others are killed and started."""
    patience = {"COMMAND_TIMEOUT_SECONDS": "60", "DATA_TIMEOUT_SECONDS": "60", "CONNECT_TIMEOUT_SECONDS": "60"}
    own = {"NAMESPACE": namespace, "DATABASE_URL": stack.database_url(f"once_{uuid4().hex[:8]}")}
    with running_notifier(common_settings | patience | own, tmp_path_factory.mktemp("once") / "notifier.log") as process:
        yield process


class Crash:
    """Kills a part, and starts it again."""

    def __init__(self, stack: TestStack, notifier: Notifier, script: SmtpScript) -> None:
        self._stack = stack
        self._notifier = notifier
        self._script = script

    def kill(self, victim: Victim) -> None:
        if victim == "notifier":
            self._notifier.kill()
        elif victim == "smtp":
            self._script.kill()
        else:
            self._stack.kill(victim)

    def restart(self, victim: Victim) -> None:
        if victim == "notifier":
            self._notifier.start()
        elif victim == "smtp":
            self._script.start()
        else:
            self._stack.restart(victim)


@pytest.fixture
def crash(stack: TestStack, notifier: Notifier, script: SmtpScript) -> Crash:
    return Crash(stack, notifier, script)


async def sent(bus: Bus, mail: OutgoingMail) -> None:
    async def told() -> bool:
        news = await bus.deliveries(mail.outgoing_id)
        return bool(news) and news[-1].state == "sent"

    await eventually_async(told, LONG)


def states(notifier: Notifier, mail: OutgoingMail) -> list[str]:
    """Of each try, by the ledger."""
    return [state for (state,) in notifier.rows("select state from tries where outgoing_id = %s order by number", mail.outgoing_id)]


@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.parametrize("point", ["banner", "rcpt", "data", "content", "end"])
async def test_a_crash_before_the_250_makes_no_copy(
    notifier: Notifier, bus: Bus, script: SmtpScript, mailbox: Mailbox, crash: Crash, point: str, victim: Victim
) -> None:
    """`banner`: before MAIL; `rcpt`: after MAIL; `data`: after RCPT; `content`: after 354; `end`: the mail is there, its 250 is not."""
    script.answers[point] = [HOLD]
    mail = answer(1, await mailbox(script.port))
    await bus.outgoing(mail)
    eventually(lambda: script.reached == [point], LONG)
    crash.kill(victim)
    script.go_on()
    if victim in {"postgres", "kafka"} and point != "banner":
        eventually(lambda: script.taken, LONG)  # the dialogue in progress needs neither
    crash.restart(victim)
    await sent(bus, mail)
    assert [one.message_id for one in script.taken] == [mail.message_id]
    cut_off = {"notifier": ["sending"], "smtp": ["delayed"]}.get(victim, []) if point != "banner" or victim == "smtp" else []
    assert states(notifier, mail)[: len(cut_off)] == cut_off
    assert states(notifier, mail)[-1] == "sent"


@pytest.mark.parametrize("victim", VICTIMS)
async def test_a_crash_between_the_250_and_its_record(
    notifier: Notifier, bus: Bus, script: SmtpScript, mailbox: Mailbox, crash: Crash, victim: Victim
) -> None:
    """Only who waits for the record can forget it: then one more copy goes out, under the same Message-ID."""
    script.answers["end"] = [HOLD]
    mail = answer(2, await mailbox(script.port))
    await bus.outgoing(mail)
    eventually(lambda: script.reached == ["end"], LONG)
    with notifier.locked(mail.outgoing_id):
        script.go_on()
        eventually(lambda: len(script.taken) == 1, LONG)
        crash.kill(victim)
    crash.restart(victim)
    await sent(bus, mail)
    copies = 2 if victim == "notifier" else 1
    assert [one.message_id for one in script.taken] == [mail.message_id] * copies
    assert len({one.data for one in script.taken}) == 1
    assert states(notifier, mail) == (["sending", "sent"] if victim == "notifier" else ["sent"])


@pytest.mark.parametrize("victim", VICTIMS)
async def test_a_crash_after_the_record_makes_no_copy(
    notifier: Notifier, bus: Bus, script: SmtpScript, mailbox: Mailbox, crash: Crash, victim: Victim
) -> None:
    mail = answer(3, await mailbox(script.port))
    await bus.outgoing(mail)
    eventually(lambda: states(notifier, mail) == ["sent"], LONG)
    crash.kill(victim)
    crash.restart(victim)
    await sent(bus, mail)
    after = answer(3, mail.scanner_id or "")
    await bus.outgoing(after)
    await sent(bus, after)
    assert [one.message_id for one in script.taken] == [mail.message_id, after.message_id]
