"""The test button: whether an SMTP server takes us, and a mail, told step by step."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row

from notifier.adapters.senders import Senders
from notifier.adapters.smtp import Connection, Patience, ServerProblemError
from notifier.domain.extensions import Letter
from notifier.domain.headers import mailbox
from notifier.domain.schedule import Result
from notifier.domain.trial import trial
from shared.api import TestResult
from shared.clock import utc_now
from shared.http import invalid
from shared.secrets import SecretUnreadableError

PATIENCE: Final = Patience(connect=5, command=8, data=20)
WHOLE_S: Final = 45.0
"""A person waits, and the console gives up after a minute without a word: what a mail may take is too long here."""


@dataclass(frozen=True)
class TestButton:
    """Each step has its time-out, and so has the whole."""

    senders: Senders

    async def press(self, sender: Row[Any], address: str, to: str | None) -> TestResult:
        """Connect, encrypt and sign in; with `to` send a mail there from `address`. On failure `steps` ends with the dialogue's last lines.

        Raises ProblemError 422 where `to` is no address, or there is none to send from.
        """
        if to is not None and mailbox(to) is None:
            raise invalid([("to", f"{to!r} is no address that mail can be sent to")])
        if to is not None and mailbox(address) is None:
            raise invalid([("to", "there is no address to send from: set one here, or choose this identity in a mailbox first")])
        try:
            connection = Connection(self.senders.server(sender), PATIENCE)
        except SecretUnreadableError as error:
            return TestResult(ok=False, message=str(error))
        try:
            async with asyncio.timeout(WHOLE_S):
                await connection.connect()
                refusal = await _send(connection, sender, address, to) if to is not None else None
        except ServerProblemError as error:
            return TestResult(ok=False, message=str(error), steps=_all(connection))
        except TimeoutError:
            connection.abort()
            slow = f"{sender.server} is too slow: the test was not through after {WHOLE_S:g} seconds"
            return TestResult(ok=False, message=slow, steps=_all(connection))
        finally:
            await connection.quit()
        if refusal is not None:
            return TestResult(ok=False, message=f"{sender.server} did not take the mail: {refusal}", steps=_all(connection))
        took = f"took a mail to {to}" if to is not None else f"takes mails of {sender.name}"
        return TestResult(ok=True, message=f"{sender.server} {took}", steps=connection.steps)


async def _send(connection: Connection, sender: Row[Any], address: str, to: str) -> str | None:
    """What the server has against it."""
    author, recipient = mailbox(address) or "", mailbox(to) or ""
    message_id, data = trial(author, sender.display_name, recipient, utc_now())
    verdict = (await connection.send(Letter(author, (recipient,), data), message_id))[recipient]
    taken = verdict.result is Result.SENT
    connection.steps.append(f"mail to {recipient}: {'ok' if taken else 'failed'}")
    return None if taken else verdict.detail


def _all(connection: Connection) -> list[str]:
    return [*connection.steps, *connection.transcript]
