"""Merging doubles: several records of one sort become one."""

from __future__ import annotations

from collections.abc import Sequence

from shared.api import Record, RecordType
from shared.http import ProblemError, check_if_match
from shared.messaging.outbox import Outbox, Unit
from tickets.adapters.record_store import (
    delete_records,
    find_records,
    get_record,
    give_contacts,
    keys_of,
    move_addresses,
    update_record,
)
from tickets.adapters.record_tickets import move_mails, tickets_of
from tickets.adapters.spam_store import lock_senders
from tickets.domain.registry import MAX_ADDRESSES, filled
from tickets.registry.connecting import AT_ONCE, reconnect
from tickets.registry.records import refuse_many


async def merge(outbox: Outbox, sort: RecordType, record_id: str, ids: Sequence[str], actor: str, if_match: str | None) -> Record:
    """Addresses, tickets, filed mails and an account's contacts become the kept one's; its empty fields are filled; the others are gone.

    Bounded transactions: repeat it if it was interrupted. Raises ProblemError 404, 409, 412, 422.
    """
    others = list(dict.fromkeys(one.replace("\x00", "") for one in ids))
    if record_id in others:
        raise ProblemError(422, "The request is not valid", f"ids: {record_id} is the {sort} that stays; name the others only")
    while True:
        async with outbox.transaction() as unit:
            if await _merge_some(unit, sort, record_id, others, actor, if_match):
                return await get_record(unit.conn, sort, record_id)


async def _merge_some(unit: Unit, sort: RecordType, record_id: str, others: list[str], actor: str, if_match: str | None) -> bool:
    """A step; True when it was the last."""
    before = await find_records(unit.conn, sort, [record_id, *others])
    await lock_senders(unit.conn, keys_of([address for record in before for address in record.addresses]))
    kept, *gone = await find_records(unit.conn, sort, [record_id, *others], lock=True)
    _refuse(kept, gone, if_match)
    await refuse_many(unit.conn, others)
    rows = await tickets_of(unit.conn, others, AT_ONCE)
    await reconnect(unit, [(row, record_id) for row in rows], actor)
    mails = await move_mails(unit.conn, others, record_id, AT_ONCE)
    if max(len(rows), mails) == AT_ONCE:
        return False
    addresses = await move_addresses(unit.conn, kept, gone)
    values = filled(kept.model_dump(), [one.model_dump() for one in gone], sort)
    await give_contacts(unit.conn, others, record_id)
    await delete_records(unit.conn, others)
    await update_record(unit.conn, kept, values, addresses)
    return True


def _refuse(kept: Record, gone: Sequence[Record], if_match: str | None) -> None:
    check_if_match(if_match, kept.version)
    if sum(len(record.addresses) for record in (kept, *gone)) > MAX_ADDRESSES:
        detail = f"Together they have more than {MAX_ADDRESSES} addresses; take some out first."
        raise ProblemError(409, "Too many addresses", detail)
