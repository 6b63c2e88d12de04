"""What is to be sent now, shared by any number of notifiers: claims with a lease."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.adapters.ledger import tell
from notifier.adapters.tables import OUTGOING, RECIPIENTS
from notifier.domain.schedule import OPEN
from shared.events import DeliveryState
from shared.messaging.outbox import Unit

NEWS_TAKE = timedelta(seconds=10)
"""A new mailbox's settings come by another topic than its first answer; so long nobody is told that they are missing."""

# Due, and not in somebody's hands. A row left `sending` by a crash is sent again when its claim has expired.
_DUE = """
    o.next_try_at <= now() and (
        (o.state in ('queued', 'delayed') and (o.claimed_until is null or o.claimed_until < now()))
        or (o.state = 'sending' and o.claimed_until < now())
    )
"""
_DUE_SENDERS = text(
    f"""
    select distinct s.sender_id, n.version from outgoing o
    join scanners s on s.id = o.scanner_id join senders n on n.id = s.sender_id where {_DUE}
    """  # noqa: S608 -- a constant
)
# Answers of a ticket keep their order per recipient: an earlier one that somebody of this one still waits for goes first.
_CLAIM = text(
    f"""
    with due as (
        select o.id from outgoing o join scanners s on s.id = o.scanner_id
        where s.sender_id = :sender and {_DUE}
          and not exists (
              select 1 from outgoing e
              join recipients r on r.outgoing_id = e.id and r.state in ('accepted', 'delayed')
              join recipients p on p.outgoing_id = o.id and lower(p.address) = lower(r.address)
              where e.ticket_id = o.ticket_id and e.position < o.position and e.state in ('queued', 'sending', 'delayed')
          )
        order by o.position limit :rows for update of o skip locked
    )
    update outgoing set claimed_by = :holder, claimed_until = now() + :lease
    from due where outgoing.id = due.id
    returning outgoing.*
    """  # noqa: S608 -- a constant
)
_BEGIN = text(
    """
    with mine as (
        update outgoing set state = 'sending', claimed_until = now() + :lease, first_try_at = coalesce(first_try_at, now()),
            envelope_from = :envelope_from, mime_key = :mime_key
        where id = :id and claimed_by = :holder and state in ('queued', 'delayed', 'sending')
        returning id
    )
    select r.address, r.mailbox from recipients r join mine on mine.id = r.outgoing_id
    where r.state in ('accepted', 'delayed') and r.mailbox is not null order by r.address
    """
)
_WITHOUT_SENDER = text(
    f"""
    select o.id, o.scanner_id, o.last_error, s.name from outgoing o
    left join scanners s on s.id = o.scanner_id left join senders n on n.id = s.sender_id
    where n.id is null and {_DUE} and (s.id is not null or o.created_at < now() - :patience)
    order by o.position limit :rows for update of o skip locked
    """  # noqa: S608 -- a constant
)


@dataclass(frozen=True)
class Claimant:
    """This process: `instance` is the name that survives a restart, `holder` is this life of it."""

    instance: str
    holder: str
    lease: timedelta


async def due_senders(conn: AsyncConnection) -> list[tuple[str, int]]:
    """(identity, its version) of all that have mails to send now."""
    return [(row.sender_id, row.version) for row in await conn.execute(_DUE_SENDERS)]


async def claim(conn: AsyncConnection, sender_id: str, claimant: Claimant, rows: int) -> list[Row[Any]]:
    """Take at most `rows` due mails of an identity, oldest first; others cannot until the lease ends."""
    values = {"sender": sender_id, "rows": rows, "holder": claimant.holder, "lease": claimant.lease}
    return sorted((await conn.execute(_CLAIM, values)).all(), key=lambda row: row.position)


async def renew(conn: AsyncConnection, ids: Iterable[str], claimant: Claimant) -> None:
    """Keep what is in hand: a dialogue may last longer than the lease."""
    mine = OUTGOING.c.id.in_(list(ids)) & (OUTGOING.c.claimed_by == claimant.holder)
    await conn.execute(update(OUTGOING).where(mine).values(claimed_until=func.now() + claimant.lease))


async def let_go(conn: AsyncConnection, ids: Iterable[str], claimant: Claimant) -> None:
    """Give back what was claimed and not begun."""
    mine = OUTGOING.c.id.in_(list(ids)) & (OUTGOING.c.claimed_by == claimant.holder) & (OUTGOING.c.state != "sending")
    await conn.execute(update(OUTGOING).where(mine).values(claimed_by=None, claimed_until=None))


async def take_back(conn: AsyncConnection, claimant: Claimant) -> int:
    """At start: what an earlier life of this instance held is due at once. Returns how many there were."""
    former = OUTGOING.c.claimed_by.startswith(f"{claimant.instance}/", autoescape=True) & (OUTGOING.c.claimed_by != claimant.holder)
    values = {"claimed_until": func.now() - timedelta(seconds=1)}
    return (await conn.execute(update(OUTGOING).where(former, OUTGOING.c.claimed_until > func.now()).values(values))).rowcount


async def begin(conn: AsyncConnection, outgoing_id: str, claimant: Claimant, made: Mapping[str, str]) -> list[Row[Any]]:
    """The dialogue is about to start: no cancel wins from here on. Returns who waits for the mail, nobody where it is not ours any more."""
    values = {"id": outgoing_id, "holder": claimant.holder, "lease": claimant.lease, **made}
    return list((await conn.execute(_BEGIN, values)).all())


async def waiting(conn: AsyncConnection, outgoing_id: str) -> list[Row[Any]]:
    """Recipients who still wait for the mail."""
    query = select(RECIPIENTS).where(RECIPIENTS.c.outgoing_id == outgoing_id, RECIPIENTS.c.state.in_(OPEN)).order_by(RECIPIENTS.c.address)
    return list((await conn.execute(query)).all())


async def delay_without_sender(unit: Unit, next_try_at: datetime, rows: int = 100) -> int:
    """Mails whose mailbox has no SMTP identity wait, and say so; told once each. Returns how many."""
    found = (await unit.conn.execute(_WITHOUT_SENDER, {"rows": rows, "patience": NEWS_TAKE})).all()
    for one in found:
        reason = (
            f"set an SMTP identity for the mailbox {one.name!r}: its answers wait for it"
            if one.name
            else "the mailbox this answer is from is not known (deleted?): create it again, or cancel the answer"
        )
        values = {"state": "delayed", "last_error": reason, "next_try_at": next_try_at}
        await unit.conn.execute(update(OUTGOING).where(OUTGOING.c.id == one.id).values(values))
        if one.last_error != reason:
            people = await waiting(unit.conn, one.id)
            await tell(unit, one.id, {person.address: (DeliveryState.DELAYED, reason) for person in people})
    return len(found)
