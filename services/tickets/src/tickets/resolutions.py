"""What commands would do, were each carried out at its place in the history (design section 6, simulation)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.api import Resolution
from shared.events import TicketCommand
from tickets.adapters.past import READ_ONLY, load_past
from tickets.domain.carry_out import carry_out
from tickets.domain.past import Past
from tickets.domain.state import Acknowledgement


async def resolve(engine: AsyncEngine, commands: Sequence[TicketCommand]) -> list[Resolution]:
    """One per command, in their order; each stands for itself, and nothing is written.

    A command's place is the one its mail's effects have; a mail that was never carried out is tried on what is there today. Of that
    moment are known: which tickets there were, which Message-IDs led to them, and who took part. All else is as it is today: a
    ticket's status, closing time, title, code, whether it is deleted and what it was merged into; the spam list, the registry, the
    mailboxes' own addresses.
    """
    async with engine.connect() as conn:
        await conn.execute(READ_ONLY)
        past = await load_past(conn, commands)
    return [_resolution(command, past) for command in commands]


def _resolution(command: TicketCommand, past: Past) -> Resolution:
    """At the moment the mail came: today an old one would be too late for an acknowledgement."""
    effects = carry_out(command, past.desk(command), command.received_at)
    mail = effects.mail
    assert mail is not None  # noqa: S101 -- without a stored outcome of the mail there always is a new one
    return Resolution(
        mail_id=command.mail_id,
        outcome=mail.type,
        rule_id=mail.rule_id,
        rule_name=mail.rule_name,
        ticket_id=mail.ticket_id if mail.ticket_id is not None and mail.ticket_id > 0 else None,
        reason=mail.reason,
        acknowledgement=_told(effects.acknowledgement),
    )


def _told(wanted: Acknowledgement | None) -> str | None:
    if wanted is None:
        return None
    return f"none: {wanted.refusal}" if wanted.refusal else f"to {wanted.to.address}"
