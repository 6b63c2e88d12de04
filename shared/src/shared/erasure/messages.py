"""The messaging tables without a person: dead letters that name him or are of his mails, and events that left already."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import text

from shared.erasure.eraser import Erasing, Step, Stepped
from shared.messaging.outbox import Unit

ROWS: Final = 500

_LETTERS: Final = text(
    """
    delete from dead_letters where id in (
        select id from dead_letters
        where mail_id = any(cast(:mails as text[])) or lower(error) like :like or lower(coalesce(reason, '')) like :like
           or lower(headers::text) like :like
           or position(lower(encode(convert_to(:folded, 'UTF8'), 'escape')) in lower(encode(coalesce(value, ''), 'escape'))) > 0
        limit :rows
    )
    """
)
_TOP: Final = text("select coalesce(max(id), 0) from outbox")
_SENT: Final = text(
    """
    delete from outbox where id in (
        select id from outbox where id <= :top and (sent_at is not null or (parked_at is not null and (
            headers->>'ce_mailid' = any(cast(:mails as text[]))
            or position(:folded in lower(convert_from(value, 'UTF8'))) > 0)))
        limit :rows
    )
    """
)
_WAITING: Final = text("select exists (select 1 from outbox where id <= :top and sent_at is null and parked_at is null)")


async def erase_dead_letters(unit: Unit, erasing: Erasing, _: Any) -> Stepped:
    """Whole letters: what could not be handled until now never will be."""
    values = {"mails": list(erasing.mails), "like": erasing.person.like, "folded": erasing.person.folded, "rows": ROWS}
    gone = (await unit.conn.execute(_LETTERS, values)).rowcount
    return Stepped(place=gone if gone == ROWS else None, removed={"dead_letters": gone})


async def erase_sent_events(unit: Unit, erasing: Erasing, place: int | None) -> Stepped:
    """All events that were there when this began and have left; they are kept for an hour only for people to look at.

    Those that wait for Kafka are waited for.
    """
    top = place if place is not None else int(await unit.conn.scalar(_TOP) or 0)
    values = {"top": top, "mails": list(erasing.mails), "folded": erasing.person.folded, "rows": ROWS}
    gone = (await unit.conn.execute(_SENT, values)).rowcount
    if gone == ROWS:
        return Stepped(place=top)
    waiting = bool(await unit.conn.scalar(_WAITING, {"top": top}))
    return Stepped(place=top if waiting else None, waits=waiting)


def messaging_steps() -> list[Step]:
    """The last steps of every service."""
    return [erase_dead_letters, erase_sent_events]
