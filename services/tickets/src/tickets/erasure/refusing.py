"""What would bring an erased mail back: its command delivered again, replayed or retried, and news of answers to the person."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.erasure.person import GONE_REASON
from shared.erasure.refusals import refusals
from shared.events import CommandKind, Failure, MailDelivery, TicketCommand
from tickets.adapters.tables import messages


async def without_erased(conn: AsyncConnection, commands: Sequence[TicketCommand]) -> list[TicketCommand]:
    """The commands; one with an erased mail becomes a failure: it leaves an outcome that is there, else the mail is `dropped`."""
    senders = [one.mail.from_.address if one.mail and one.mail.from_ else None for one in commands]
    refused = await refusals(conn, senders)
    if not refused:
        return list(commands)
    return [_dropped(one) if refused.covers(sender, one.received_at) else one for one, sender in zip(commands, senders, strict=True)]


def _dropped(command: TicketCommand) -> TicketCommand:
    return TicketCommand(
        mail_id=command.mail_id,
        run=command.run,
        kind=CommandKind.FAILURE,
        scanner_id=command.scanner_id,
        received_at=command.received_at,
        archive_key=command.archive_key,
        failure=Failure(outcome="dropped", reason=GONE_REASON),
    )


async def names_erased(conn: AsyncConnection, news: MailDelivery) -> bool:
    """Whether the news is of an answer from before to somebody who was erased since: it would write the address down again."""
    refused = await refusals(conn, [news.recipient])
    if not refused:
        return False
    written_at = await conn.scalar(select(messages.c.received_at).where(messages.c.id == news.outgoing_id))
    return written_at is not None and refused.covers(news.recipient, written_at)
