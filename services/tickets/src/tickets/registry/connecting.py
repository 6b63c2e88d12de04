"""Which record a ticket is connected to: many tickets at once, each with its history and its event."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Row

from shared.api import RecordType
from shared.events import TicketEventType, derived_id
from shared.messaging.outbox import Unit
from tickets.adapters.change_log import add_changes
from tickets.adapters.job_store import add_job
from tickets.adapters.record_store import owners_of
from tickets.adapters.record_tickets import set_owners, unconnected
from tickets.adapters.search_queue import read_again
from tickets.domain.changes import differences
from tickets.domain.keys import record_key
from tickets.events import emit_ticket_event
from tickets.jobs import Progress

JOB_KIND: Final = "connect"
AT_ONCE: Final = 500
"""Tickets that one transaction connects."""

Owner = str | None


async def reconnect(unit: Unit, tickets: Sequence[tuple[Row[Any], Owner]], actor: str) -> None:
    """Connect each of the locked tickets to a record, or to nobody."""
    moved = [(row, owner) for row, owner in tickets if row.contact_id != owner]
    if not moved:
        return
    versions = await set_owners(unit.conn, {row.id: owner for row, owner in moved})
    at, kind = unit.clock(), TicketEventType.UPDATED
    await add_changes(unit.conn, [_entry(row, owner, actor, at) for row, owner in moved])
    await read_again(unit.conn, list(versions))
    for row, _ in moved:
        emit_ticket_event(unit, kind, row.id, row.title, actor=actor, at=at, of=(versions[row.id],))


async def connect(unit: Unit, sort: RecordType, addresses: Collection[str], actor: str, *, job_of: tuple[str, int]) -> None:
    """The tickets of these senders that are connected to nobody, or to a weaker sort, are connected to the records that have the addresses.

    What is more than one transaction should do goes on as a job, named by `job_of`: whose act it is, and its version.
    """
    if await _connect_some(unit, sort, addresses, actor) < AT_ONCE:
        return
    job_id = f"tickets-{derived_id(JOB_KIND, *job_of)}"
    await add_job(unit.conn, job_id, JOB_KIND, actor, {"sort": sort, "addresses": list(addresses)}, None)


async def connect_next(unit: Unit, job: Row[Any]) -> Progress:
    """A step of what `connect` left over."""
    done = await _connect_some(unit, job.input["sort"], job.input["addresses"], job.actor)
    return Progress(job.done + done, {}, "running" if done == AT_ONCE else "done")


async def _connect_some(unit: Unit, sort: RecordType, addresses: Collection[str], actor: str) -> int:
    if not addresses:
        return 0
    owners = await owners_of(unit.conn, addresses)
    owned = [address for address in addresses if sort in owners.get(record_key(address), {})]
    rows = await unconnected(unit.conn, sort, owned, AT_ONCE)
    await reconnect(unit, [(row, owners.get(record_key(row.sender), {}).get(sort, row.contact_id)) for row in rows], actor)
    return len(rows)


def _entry(row: Row[Any], owner: Owner, actor: str, at: Any) -> dict[str, Any]:
    told = differences({"contact_id": row.contact_id}, {"contact_id": owner})
    return {"ticket_id": row.id, "at": at, "actor": actor, "type": TicketEventType.UPDATED.value, "changes": told}
