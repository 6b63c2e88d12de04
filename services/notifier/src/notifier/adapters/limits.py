"""What a server puts up with, over all notifiers: connections at a time, and recipients a minute."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.adapters.claimant import Claimant

MINUTE = timedelta(minutes=1)
Slots = Mapping[str, Collection[int]]
"""Identity → numbers of its connections that are held."""

# Numbers that nobody else holds, or that a notifier held which is gone. Of two who want the same the second gets none.
_TAKE = text(
    """
    insert into smtp_slots (sender_id, number, holder, until)
    select cast(:sender as text), free.number, cast(:holder as text), now() + :lease
    from generate_series(1, cast(:limit as integer)) as free(number)
    where free.number <> all(cast(:held as integer[])) and not exists (
        select 1 from smtp_slots s
        where s.sender_id = cast(:sender as text) and s.number = free.number and s.until > now() and s.holder <> cast(:holder as text)
    )
    order by free.number limit :wanted
    on conflict (sender_id, number) do update set holder = excluded.holder, until = excluded.until
        where smtp_slots.until <= now() or smtp_slots.holder = excluded.holder
    returning number
    """
)
_RENEW = text(
    """
    update smtp_slots s set until = now() + :lease
    from unnest(cast(:senders as text[]), cast(:numbers as integer[])) as mine(sender_id, number)
    where s.sender_id = mine.sender_id and s.number = mine.number and s.holder = :holder
    """
)
_GIVE_BACK = text("delete from smtp_slots where sender_id = :sender and number = any(cast(:numbers as integer[])) and holder = :holder")
_TAKE_BACK = text("delete from smtp_slots where starts_with(holder, :instance || '/') and holder <> :holder")
_FORGET = text("delete from smtp_grants where sender_id = :sender and until <= now()")
_USED = text("select coalesce(sum(recipients), 0) as used, min(until) - now() as wait from smtp_grants where sender_id = :sender")
_RENEW_GRANTS = text(
    "update smtp_grants set until = now() + :lease where outgoing_id = any(cast(:ids as text[])) and until > now() + :minute"
)
_USED_UP = text("update smtp_grants set until = now() + :minute where outgoing_id = any(cast(:ids as text[])) and until > now() + :minute")
_UNUSED = text("delete from smtp_grants where outgoing_id = any(cast(:ids as text[])) and until > now() + :minute")


@dataclass(frozen=True)
class Allowance:
    """Recipients an identity may write to now; None: as many as there are."""

    recipients: int | None = None
    whole: bool = True
    """Nothing was used for a minute: even a mail with more recipients than the limit may go."""
    wait: timedelta = timedelta()
    """Until there is more, where there is none."""


async def take_slots(conn: AsyncConnection, sender: Row[Any], claimant: Claimant, held: Collection[int], wanted: int) -> set[int]:
    """At most `wanted` more of the connections the identity's server allows, beyond those `held`; fewer, or none, when others hold them."""
    values = {"sender": sender.id, "holder": claimant.holder, "lease": claimant.lease, "limit": sender.connections}
    return set((await conn.scalars(_TAKE, values | {"held": list(held), "wanted": wanted})).all())


async def renew_slots(conn: AsyncConnection, slots: Slots, claimant: Claimant) -> None:
    """Keep them for another lease."""
    pairs = [(sender, number) for sender, numbers in slots.items() for number in numbers]
    if pairs:
        values = {"senders": [sender for sender, _ in pairs], "numbers": [number for _, number in pairs]}
        await conn.execute(_RENEW, values | {"holder": claimant.holder, "lease": claimant.lease})


async def give_back_slots(conn: AsyncConnection, sender_id: str, numbers: Collection[int], claimant: Claimant) -> None:
    """Others may have them."""
    await conn.execute(_GIVE_BACK, {"sender": sender_id, "numbers": list(numbers), "holder": claimant.holder})


async def take_back_slots(conn: AsyncConnection, claimant: Claimant) -> None:
    """At start: what an earlier life of this instance held is free."""
    await conn.execute(_TAKE_BACK, {"instance": claimant.instance, "holder": claimant.holder})


async def allowance(conn: AsyncConnection, sender: Row[Any]) -> Allowance:
    """How many recipients are left of this minute. The identity's row is locked by the caller, so that two do not share them."""
    if sender.per_minute is None:
        return Allowance()
    await conn.execute(_FORGET, {"sender": sender.id})
    row = (await conn.execute(_USED, {"sender": sender.id})).one()
    return Allowance(max(sender.per_minute - row.used, 0), whole=row.used == 0, wait=row.wait or timedelta())


async def renew_grants(conn: AsyncConnection, ids: Collection[str], claimant: Claimant) -> None:
    """A dialogue may last longer than the lease, and counts until a minute after its end."""
    await conn.execute(_RENEW_GRANTS, {"ids": list(ids), "lease": claimant.lease + MINUTE, "minute": MINUTE})


async def use_up(conn: AsyncConnection, ids: Collection[str]) -> None:
    """The tries of these mails are over: they count for another minute."""
    await conn.execute(_USED_UP, {"ids": list(ids), "minute": MINUTE})


async def return_unused(conn: AsyncConnection, ids: Collection[str]) -> None:
    """These mails were not tried after all."""
    await conn.execute(_UNUSED, {"ids": list(ids), "minute": MINUTE})
