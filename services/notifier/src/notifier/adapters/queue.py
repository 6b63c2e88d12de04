"""What is to be sent now, shared by any number of notifiers: claims with a lease."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, func, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.adapters.claimant import Claimant, InHand
from notifier.adapters.limits import MINUTE, Allowance
from notifier.adapters.tables import OUTGOING

AGO = timedelta(seconds=1)
CUT_OFF = "the notifier that tried was stopped, or lost its database, before it could note the result: the server may have the mail"

# A dialogue that nobody holds any more. What this process has in hand is its own, whatever became of the lease.
CUT = """
    o.state = 'sending' and o.claimed_until < now() and (cast(:take_over as boolean) or o.claimed_by = :holder)
    and o.id <> all(cast(:in_hand as text[]))
"""
# Waits for a dialogue, and not in somebody's hands.
_IDLE = """
    o.state in ('queued', 'delayed') and o.next_try_at <= now() and (o.claimed_until is null or o.claimed_until < now())
    and o.id <> all(cast(:in_hand as text[]))
"""
# A row left `sending` by a crash is sent again, unless it was taken back since.
DUE = f"(({_IDLE}) or ({CUT} and o.next_try_at <= now() and not o.cancel_asked))"
# A personal answer goes through its author's own account where there is one; all others through the mailbox's identity.
THROUGH = "left join scanners s on s.id = o.scanner_id left join senders own on own.owner = o.owner"
# Answers of a ticket keep their order per recipient: an earlier one that somebody of this one still waits for goes first.
_EARLIER = """
    outgoing e
    join recipients r on r.outgoing_id = e.id and r.state in ('accepted', 'delayed')
    join recipients p on p.outgoing_id = o.id and lower(p.address) = lower(r.address)
    where e.ticket_id = o.ticket_id and e.position < o.position and e.state in ('queued', 'sending', 'delayed')
"""
_NEXT = f"{DUE} and not exists (select from {_EARLIER})"
_DUE_SENDERS = text(
    f"""
    select n.id, n.version from outgoing o {THROUGH}
    join senders n on n.id = coalesce(own.id, s.sender_id) where {_NEXT}
    group by n.id, n.version order by min(o.next_try_at), n.id
    """  # noqa: S608 -- a constant
)
_WAITS_FOR = text(f"select (select e.id from {_EARLIER} order by e.position limit 1) from outgoing o where o.id = :id")  # noqa: S608 -- a constant
_CLAIM = text(
    f"""
    with due as (
        select o.id, o.position from outgoing o {THROUGH}
        where coalesce(own.id, s.sender_id) = cast(:sender as text) and {_NEXT}
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
# All that wait for an identity whose server is away: nothing is sent, so their order is of no matter.
_CLAIM_WAITING = text(
    f"""
    with waiting as (
        select o.id from outgoing o {THROUGH}
        where coalesce(own.id, s.sender_id) = cast(:sender as text) and {_IDLE}
        order by o.next_try_at limit :rows for update of o skip locked
    )
    update outgoing set claimed_by = :holder, claimed_until = now() + :lease from waiting where outgoing.id = waiting.id
    returning outgoing.id
    """  # noqa: S608 -- a constant
)
_BEGIN = text(
    """
    with asked as (
        select * from unnest(
            cast(:ids as text[]), cast(:senders as text[]), cast(:keys as text[]), cast(:texts as text[]), cast(:subjects as text[])
        ) as begun(id, envelope_from, mime_key, text, subject)
    ),
    locked as (
        select o.id, o.tries, o.state = 'sending' and o.begun_at is not null as cut_off, o.begun_at, o.begun_by
        from outgoing o join asked on asked.id = o.id
        where o.claimed_by = :holder and o.state in ('queued', 'delayed', 'sending') and not o.cancel_asked order by o.id for update of o
    ),
    before as (
        insert into tries (outgoing_id, number, instance, state, detail, started_at)
        select id, tries + 1, coalesce(begun_by, ''), 'sending', :cut_off, begun_at from locked where cut_off
    ),
    mine as (
        update outgoing o set state = 'sending', claimed_until = now() + :lease, first_try_at = coalesce(o.first_try_at, now()),
            begun_at = now(), begun_by = :instance, tries = case when locked.cut_off then o.tries + 1 else o.tries end,
            unanswered = o.unanswered or locked.cut_off, envelope_from = asked.envelope_from, mime_key = asked.mime_key,
            text = asked.text, subject = coalesce(asked.subject, o.subject)
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
_NOTE_BLOBS = text(
    """
    with made as (
        select * from unnest(cast(:ids as text[]), cast(:keys as text[])) as kept(id, key)
    ),
    locked as (
        select o.id, made.key from outgoing o join made on made.id = o.id
        where o.event ->> 'type' = 'send' and made.key <> all(o.blobs) order by o.id for update of o
    )
    update outgoing o set blobs = array_append(o.blobs, locked.key) from locked where o.id = locked.id
    """
)


@dataclass(frozen=True)
class Beginning:
    """A mail whose dialogue is about to start, with the bytes' place and what goes with them."""

    outgoing_id: str
    envelope_from: str
    mime_key: str
    text: str | None = None
    subject: str | None = None


Waiting = Mapping[str, Sequence[str]]
"""SMTP mailbox → addresses of who waits for the mail there: one mailbox may have been written in two ways."""


def apart(claimant: Claimant, in_hand: InHand) -> dict[str, Any]:
    """Values of `DUE` and `CUT`."""
    return {"holder": claimant.holder, "in_hand": list(in_hand.ids), "take_over": in_hand.take_over}


async def due_senders(conn: AsyncConnection, claimant: Claimant, in_hand: InHand) -> list[tuple[str, int]]:
    """(identity, its version) of all that have mails to send now; whose mails are due longest comes first."""
    return [(row.id, row.version) for row in await conn.execute(_DUE_SENDERS, apart(claimant, in_hand))]


async def waits_for(conn: AsyncConnection, outgoing_id: str) -> str | None:
    """The answer of its ticket that goes first."""
    earlier: str | None = await conn.scalar(_WAITS_FOR, {"id": outgoing_id})
    return earlier


async def claim(
    conn: AsyncConnection, sender_id: str, claimant: Claimant, in_hand: InHand, rows: int, allowance: Allowance
) -> tuple[list[Row[Any]], bool]:
    """Take at most `rows` due mails of an identity, oldest first; others cannot until the lease ends.

    Also whether some of these were due that the allowance leaves for later.
    """
    values = {"sender": sender_id, "rows": rows, "lease": claimant.lease, "minute": MINUTE} | apart(claimant, in_hand)
    values |= {"allowed": allowance.recipients, "whole": allowance.whole}
    due = (await conn.execute(_CLAIM, values)).all()
    taken = [row for row in due if row.id is not None]
    return taken, len(taken) < len(due)


async def claim_waiting(conn: AsyncConnection, sender_id: str, claimant: Claimant, in_hand: InHand, rows: int) -> set[str]:
    """Take at most `rows` mails that are due, none of which is to be sent: to note that their server is away."""
    values = {"sender": sender_id, "rows": rows, "lease": claimant.lease} | apart(claimant, in_hand)
    return set((await conn.scalars(_CLAIM_WAITING, values)).all())


async def note_blobs(conn: AsyncConnection, keys: Mapping[str, str]) -> None:
    """Mail → key its bytes are about to be kept under."""
    await conn.execute(_NOTE_BLOBS, {"ids": list(keys), "keys": list(keys.values())})


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


async def begin(conn: AsyncConnection, beginnings: Sequence[Beginning], claimant: Claimant) -> dict[str, Waiting]:
    """These dialogues are about to start: no cancel wins from here on. A former one without a result becomes a try of its own.

    Returns who waits for each; a mail that is not ours any more, or nobody waits for, is left out.
    """
    values = {
        "ids": [one.outgoing_id for one in beginnings],
        "senders": [one.envelope_from for one in beginnings],
        "keys": [one.mime_key for one in beginnings],
        "texts": [one.text for one in beginnings],
        "subjects": [one.subject for one in beginnings],
    }
    who = {"holder": claimant.holder, "instance": claimant.instance, "lease": claimant.lease, "cut_off": CUT_OFF}
    waiting: dict[str, dict[str, list[str]]] = {}
    for row in await conn.execute(_BEGIN, values | who):
        waiting.setdefault(row.outgoing_id, {}).setdefault(row.mailbox, []).append(row.address)
    return dict(waiting)
