"""Making, changing and deleting a contact, an account or a lead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from shared.api import Record, RecordIn, RecordPatch, RecordType
from shared.http import ProblemError, check_if_match
from shared.messaging.outbox import Outbox, Unit
from tickets.adapters.record_store import (
    delete_records,
    find_records,
    get_record,
    insert_record,
    keys_of,
    owners_of,
    set_addresses,
    update_record,
)
from tickets.adapters.record_tickets import count_tickets, tickets_of
from tickets.adapters.spam_store import lock_senders
from tickets.domain.keys import record_key
from tickets.domain.registry import misplaced, next_owner
from tickets.registry.connecting import AT_ONCE, connect, reconnect

MAX_MOVED: Final = 10_000
"""Tickets of a record that is deleted or merged: they are moved while the caller waits."""
_OPTIONAL: Final = frozenset({"phone", "company", "website", "account_id"})


async def create(unit: Unit, sort: RecordType, record_id: str, request: RecordIn, actor: str) -> Record:
    """Nothing happens where it was made already. Mails of its addresses that are under way wait, so that none is left unconnected."""
    values = await _values(unit.conn, sort, request.model_dump(exclude={"addresses"}))
    addresses = plain_addresses(request.addresses)
    await lock_senders(unit.conn, keys_of(addresses))
    at = unit.clock()
    row = {**values, "id": record_id, "type": sort, "created_at": at, "updated_at": at}
    if await insert_record(unit.conn, row, addresses):
        given = await set_addresses(unit.conn, record_id, sort, addresses)
        await connect(unit, sort, given, actor, job_of=(record_id, 1))
    return await get_record(unit.conn, sort, record_id)


async def change(unit: Unit, sort: RecordType, record_id: str, request: RecordPatch, actor: str, if_match: str | None) -> Record:
    """The fields given. Raises ProblemError 404, 409, 412, 422."""
    values = await _values(unit.conn, sort, request.model_dump(exclude_unset=True, exclude={"addresses"}))
    addresses = plain_addresses(request.addresses or [])
    await lock_senders(unit.conn, keys_of(addresses))
    record = (await find_records(unit.conn, sort, [record_id], lock=True))[0]
    check_if_match(if_match, record.version)
    if values.get("account_id") == record.id:
        raise _wrong("account_id", "a record cannot belong to itself")
    if request.addresses is not None:
        addresses = await set_addresses(unit.conn, record_id, sort, addresses)
        await connect(unit, sort, addresses, actor, job_of=(record_id, record.version + 1))
    if values or request.addresses is not None:
        await update_record(unit.conn, record, values, addresses if request.addresses is not None else record.addresses)
    return await get_record(unit.conn, sort, record_id)


async def remove(outbox: Outbox, sort: RecordType, record_id: str, actor: str, if_match: str | None) -> None:
    """Its tickets are connected to the next record that has their sender's address, or to nobody; mails filed with it keep their outcome.

    Bounded transactions: repeat it if it was interrupted.
    """
    moved = AT_ONCE
    while moved == AT_ONCE:
        async with outbox.transaction() as unit:
            before = await get_record(unit.conn, sort, record_id)
            await lock_senders(unit.conn, keys_of(before.addresses))
            record = (await find_records(unit.conn, sort, [record_id], lock=True))[0]
            check_if_match(if_match, record.version)
            await refuse_many(unit.conn, [record_id])
            rows = await tickets_of(unit.conn, [record_id], AT_ONCE)
            owners = await owners_of(unit.conn, {row.sender for row in rows if row.sender})
            next_ones = [(row, next_owner(owners.get(record_key(row.sender or ""), {}), [record_id])) for row in rows]
            await reconnect(unit, next_ones, actor)
            moved = len(rows)
            if moved < AT_ONCE:
                await delete_records(unit.conn, [record_id])


async def refuse_many(conn: AsyncConnection, record_ids: list[str]) -> None:
    """Raise ProblemError 409 where more tickets would have to be moved than a caller can wait for."""
    if await count_tickets(conn, record_ids, MAX_MOVED + 1) > MAX_MOVED:
        detail = f"It has more than {MAX_MOVED:,} tickets. Keep it, and merge or delete the others into it, or delete old tickets first."
        raise ProblemError(409, "Too many tickets", detail)


def plain_addresses(addresses: list[str]) -> list[str]:
    return [address.replace("\x00", "") for address in addresses]


async def _values(conn: AsyncConnection, sort: RecordType, given: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a request. Raises ProblemError 422 for a field this sort does not have, and for an account there is not."""
    if wrong := misplaced(sort, given):
        raise _wrong(wrong[0], f"{'an' if sort == 'account' else 'a'} {sort} has no such field")
    values = {name: _cleaned(name, value) for name, value in given.items() if value is not None or name in _OPTIONAL}
    if values.get("name") == "":
        raise _wrong("name", "must not be blank")
    if account_id := values.get("account_id"):
        try:
            await get_record(conn, "account", account_id)
        except ProblemError as error:
            raise _wrong("account_id", f"there is no account {account_id}") from error
    return values


def _cleaned(name: str, value: str | None) -> str | None:
    text = (value or "").replace("\x00", "")
    if name == "note":
        return text.strip()
    text = " ".join(text.split())
    return text or None if name in _OPTIONAL else text


def _wrong(field: str, message: str) -> ProblemError:
    return ProblemError(422, "The request is not valid", f"{field}: {message}", errors=[{"field": field, "message": message}])
