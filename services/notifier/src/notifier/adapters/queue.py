"""What is to be sent now, shared by any number of notifiers: claims with a lease."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.adapters.claimant import Claimant
from notifier.adapters.ledger import tell
from notifier.adapters.limits import MINUTE, Allowance
from notifier.adapters.tables import OUTGOING, RECIPIENTS
from notifier.domain.schedule import OPEN
from shared.events import DeliveryState
from shared.messaging.outbox import Unit

NEWS_TAKE = timedelta(seconds=10)
"""A new mailbox's settings come by another topic than its first answer; so long nobody is told that they are missing."""

AGO = timedelta(seconds=1)
CUT_OFF = "the notifier that tried was stopped, or lost its database, before it could note the result: the server may have the mail"

# Due, and not in somebody's hands. A row left `sending` by a crash is sent again when its claim has expired.
_DUE = """
    o.next_try_at <= now() and (
        (o.state in ('queued', 'delayed') and (o.claimed_until is null or o.claimed_until < now()))
        or (o.state = 'sending' and o.claimed_until < now())
    )
"""
# A personal answer goes through its author's own account where there is one; all others through the mailbox's identity.
_THROUGH = "left join scanners s on s.id = o.scanner_id left join senders own on own.owner = o.owner"
_DUE_SENDERS = text(
    f"""
    select distinct n.id, n.version from outgoing o {_THROUGH}
    join senders n on n.id = coalesce(own.id, s.sender_id) where {_DUE}
    """  # noqa: S608 -- a constant
)
# Answers of a ticket keep their order per recipient: an earlier one that somebody of this one still waits for goes first.
_CLAIM = text(
    f"""
    with due as (
        select o.id, o.position from outgoing o {_THROUGH}
        where coalesce(own.id, s.sender_id) = cast(:sender as text) and {_DUE}
          and not exists (
              select 1 from outgoing e
              join recipients r on r.outgoing_id = e.id and r.state in ('accepted', 'delayed')
              join recipients p on p.outgoing_id = o.id and lower(p.address) = lower(r.address)
              where e.ticket_id = o.ticket_id and e.position < o.position and e.state in ('queued', 'sending', 'delayed')
          )
        order by o.position limit :rows for update of o skip locked
    ),
    counted as (
        select due.*, (
            select count(*) from recipients r where r.outgoing_id = due.id and r.state in ('accepted', 'delayed') and r.mailbox is not null
        ) as people from due
    ),
    summed as (
        select id, people, sum(people) over (order by position) as people_so_far, row_number() over (order by position) as place
        from counted
    ),
    taken as (
        update outgoing set claimed_by = :holder, claimed_until = now() + :lease
        from summed where outgoing.id = summed.id
          and (cast(:allowed as integer) is null or people_so_far <= :allowed or (place = 1 and :whole))
        returning outgoing.*, summed.people
    ),
    granted as (
        insert into smtp_grants (outgoing_id, number, sender_id, recipients, until)
        select id, tries + 1, cast(:sender as text), people, now() + :lease + :minute from taken where cast(:allowed as integer) is not null
        on conflict (outgoing_id, number) do update set until = excluded.until
    )
    select taken.* from summed left join taken on taken.id = summed.id order by summed.place
    """  # noqa: S608 -- a constant
)
_BEGIN = text(
    """
    with asked as (
        select * from unnest(cast(:ids as text[]), cast(:senders as text[]), cast(:keys as text[]), cast(:texts as text[]))
            as begun(id, envelope_from, mime_key, text)
    ),
    locked as (
        select o.id, o.tries, o.state = 'sending' and o.begun_at is not null as cut_off, o.begun_at, o.begun_by
        from outgoing o join asked on asked.id = o.id
        where o.claimed_by = :holder and o.state in ('queued', 'delayed', 'sending') order by o.id for update of o
    ),
    before as (
        insert into tries (outgoing_id, number, instance, state, detail, started_at)
        select id, tries + 1, coalesce(begun_by, ''), 'sending', :cut_off, begun_at from locked where cut_off
    ),
    mine as (
        update outgoing o set state = 'sending', claimed_until = now() + :lease, first_try_at = coalesce(o.first_try_at, now()),
            begun_at = now(), begun_by = :instance, tries = case when locked.cut_off then o.tries + 1 else o.tries end,
            envelope_from = asked.envelope_from, mime_key = asked.mime_key, text = asked.text
        from asked join locked on locked.id = asked.id where o.id = asked.id
        returning o.id
    )
    select r.outgoing_id, r.address, r.mailbox from recipients r join mine on mine.id = r.outgoing_id
    where r.state in ('accepted', 'delayed') and r.mailbox is not null order by r.outgoing_id, r.address
    """
)
_RENEW = text(
    """
    with mine as (
        select id from outgoing where id = any(cast(:ids as text[])) and claimed_by = :holder order by id for update
    )
    update outgoing o set claimed_until = now() + :lease from mine where o.id = mine.id
    """
)
_WITHOUT_SENDER = text(
    f"""
    select o.id, o.scanner_id, o.last_error, s.name from outgoing o {_THROUGH}
    left join senders n on n.id = coalesce(own.id, s.sender_id)
    where n.id is null and {_DUE} and (s.id is not null or o.created_at < now() - :patience)
    order by o.position limit :rows for update of o skip locked
    """  # noqa: S608 -- a constant
)


@dataclass(frozen=True)
class Beginning:
    """A mail whose dialogue is about to start, with the bytes' place and what goes with them."""

    outgoing_id: str
    envelope_from: str
    mime_key: str
    text: str | None = None


async def due_senders(conn: AsyncConnection) -> list[tuple[str, int]]:
    """(identity, its version) of all that have mails to send now."""
    return [(row.id, row.version) for row in await conn.execute(_DUE_SENDERS)]


async def claim(conn: AsyncConnection, sender_id: str, claimant: Claimant, rows: int, allowance: Allowance) -> tuple[list[Row[Any]], bool]:
    """Take at most `rows` due mails of an identity, oldest first; others cannot until the lease ends.

    Also whether some of these were due that the allowance leaves for later.
    """
    values = {"sender": sender_id, "rows": rows, "holder": claimant.holder, "lease": claimant.lease, "minute": MINUTE}
    values |= {"allowed": allowance.recipients, "whole": allowance.whole}
    due = (await conn.execute(_CLAIM, values)).all()
    taken = [row for row in due if row.id is not None]
    return taken, len(taken) < len(due)


async def renew(conn: AsyncConnection, ids: Collection[str], claimant: Claimant) -> None:
    """Keep what is in hand: a dialogue may last longer than the lease."""
    await conn.execute(_RENEW, {"ids": list(ids), "holder": claimant.holder, "lease": claimant.lease})


async def let_go(conn: AsyncConnection, ids: Collection[str], claimant: Claimant) -> None:
    """Give back what was claimed and has no result: it is due at once."""
    mine = OUTGOING.c.id.in_(list(ids)) & (OUTGOING.c.claimed_by == claimant.holder)
    await conn.execute(update(OUTGOING).where(mine).values(claimed_until=func.now() - AGO))


async def take_back(conn: AsyncConnection, claimant: Claimant) -> int:
    """At start: what an earlier life of this instance held is due at once. Returns how many there were."""
    former = OUTGOING.c.claimed_by.startswith(f"{claimant.instance}/", autoescape=True) & (OUTGOING.c.claimed_by != claimant.holder)
    values = {"claimed_until": func.now() - AGO}
    return (await conn.execute(update(OUTGOING).where(former, OUTGOING.c.claimed_until > func.now()).values(values))).rowcount


async def begin(conn: AsyncConnection, beginnings: Sequence[Beginning], claimant: Claimant) -> dict[str, dict[str, str]]:
    """These dialogues are about to start: no cancel wins from here on. A former one without a result becomes a try of its own.

    Returns mail → SMTP mailbox → address of who waits for it; a mail that is not ours any more, or nobody waits for, is left out.
    """
    values = {
        "ids": [one.outgoing_id for one in beginnings],
        "senders": [one.envelope_from for one in beginnings],
        "keys": [one.mime_key for one in beginnings],
        "texts": [one.text for one in beginnings],
    }
    who = {"holder": claimant.holder, "instance": claimant.instance, "lease": claimant.lease, "cut_off": CUT_OFF}
    waiting: dict[str, dict[str, str]] = {}
    for row in await conn.execute(_BEGIN, values | who):
        waiting.setdefault(row.outgoing_id, {})[row.mailbox] = row.address
    return waiting


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
