"""Contacts, accounts and leads with their addresses."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.api import Record, RecordType
from shared.http import ProblemError, not_found
from tickets.adapters.tables import record_addresses, records
from tickets.domain.keys import record_key, record_keys
from tickets.domain.registry import folded, name_key, search_words

_LIKE = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_"})
_LOCK_ACCOUNTS = text("select pg_advisory_xact_lock(hashtextextended('accounts by name', 0))")


@dataclass(frozen=True)
class Wanted:
    """What a list of the registry shows; None does not restrict."""

    sort: RecordType
    q: str | None = None
    address: str | None = None
    account_id: str | None = None


def keys_of(addresses: Collection[str]) -> list[str]:
    """What the addresses are stored under, those of earlier releases too, which kept plus tags."""
    return sorted({key for address in addresses for key in record_keys(address)})


async def list_records(conn: AsyncConnection, wanted: Wanted, after: tuple[datetime, str] | None, limit: int) -> list[Record]:
    """Oldest first. Every word of `q` has to be in name, company or addresses, without regard to case and accents."""
    query = select(records).where(records.c.type == wanted.sort).order_by(records.c.created_at, records.c.id).limit(limit)
    for word in folded((wanted.q or "").replace("\x00", "")).split():
        query = query.where(records.c.words.like(f"%{word.translate(_LIKE)}%"))
    if wanted.address is not None:
        keys = keys_of([wanted.address.replace("\x00", "")])
        having = select(record_addresses.c.contact_id).where(record_addresses.c.type == wanted.sort, record_addresses.c.folded.in_(keys))
        query = query.where(records.c.id.in_(having))
    if wanted.account_id is not None:
        query = query.where(records.c.account_id == wanted.account_id.replace("\x00", ""))
    if after is not None:
        query = query.where(tuple_(records.c.created_at, records.c.id) > tuple_(*after))
    return await _shown(conn, (await conn.execute(query)).all())


async def get_record(conn: AsyncConnection, sort: RecordType, record_id: str) -> Record:
    """Raises ProblemError 404."""
    return (await find_records(conn, sort, [record_id]))[0]


async def find_records(conn: AsyncConnection, sort: RecordType, ids: Sequence[str], *, lock: bool = False) -> list[Record]:
    """In the order of `ids`, locked in the order of their ids where asked for. Raises ProblemError 404 for the first there is not."""
    wanted = [record_id.replace("\x00", "") for record_id in ids]
    query = select(records).where(records.c.id.in_(wanted), records.c.type == sort).order_by(records.c.id)
    rows = (await conn.execute(query.with_for_update() if lock else query)).all()
    found = {record.id: record for record in await _shown(conn, rows)}
    for record_id in wanted:
        if record_id not in found:
            raise not_found(sort, record_id)
    return [found[record_id] for record_id in wanted]


async def insert_record(conn: AsyncConnection, values: Mapping[str, Any], addresses: Sequence[str]) -> bool:
    """False where it was there already."""
    found = searched(values["name"], values.get("company"), addresses)
    statement = insert(records).values({**values, **found}).on_conflict_do_nothing()
    return (await conn.execute(statement.returning(records.c.id))).first() is not None


async def update_record(conn: AsyncConnection, record: Record, values: Mapping[str, Any], addresses: Sequence[str]) -> None:
    """Set the values; `addresses` are all it has from now on."""
    found = searched(values.get("name", record.name), values.get("company", record.company), addresses)
    raised = {"version": records.c.version + 1, "updated_at": func.now()}
    await conn.execute(update(records).where(records.c.id == record.id).values({**values, **found, **raised}))


async def delete_records(conn: AsyncConnection, ids: Sequence[str]) -> None:
    """Contacts of a deleted account belong to none. Their tickets have to be elsewhere already."""
    await give_contacts(conn, ids, None)
    await conn.execute(delete(records).where(records.c.id.in_(ids)))


async def give_contacts(conn: AsyncConnection, account_ids: Sequence[str], account_id: str | None) -> None:
    """The contacts of these accounts belong to another."""
    values = {"account_id": account_id, "version": records.c.version + 1, "updated_at": func.now()}
    await conn.execute(update(records).where(records.c.account_id.in_(account_ids)).values(values))


def searched(name: str, company: str | None, addresses: Sequence[str]) -> dict[str, str]:
    """The columns that find a record."""
    return {"folded_name": name_key(name), "words": search_words(name, company, addresses)}


async def set_addresses(conn: AsyncConnection, record_id: str, sort: RecordType, addresses: Sequence[str]) -> list[str]:
    """Replace the record's addresses; returns them, each once. Raises ProblemError 409 where another of its sort has one."""
    by_key: dict[str, str] = {}
    for address in addresses:
        by_key.setdefault(record_key(address), address)
    await _refuse_taken(conn, record_id, sort, addresses)
    await conn.execute(delete(record_addresses).where(record_addresses.c.contact_id == record_id))
    rows = address_rows(record_id, sort, list(by_key.values()))
    if rows:
        await conn.execute(insert(record_addresses), rows)
    return list(by_key.values())


def address_rows(record_id: str, sort: RecordType, addresses: Sequence[str], first: int = 0) -> list[dict[str, Any]]:
    """Rows of addresses that differ by their keys."""
    return [
        {"type": sort, "folded": record_key(address), "contact_id": record_id, "address": address, "position": position}
        for position, address in enumerate(addresses, first)
    ]


async def move_addresses(conn: AsyncConnection, kept: Record, others: Sequence[Record]) -> list[str]:
    """The addresses of the others become the kept one's, behind its own; returns all."""
    position = len(kept.addresses)
    for other in others:
        theirs = record_addresses.c.contact_id == other.id
        values = {"contact_id": kept.id, "position": record_addresses.c.position + position}
        await conn.execute(update(record_addresses).where(theirs).values(values))
        position += len(other.addresses)
    return [address for record in (kept, *others) for address in record.addresses]


async def owners_of(conn: AsyncConnection, addresses: Collection[str]) -> dict[str, dict[str, str]]:
    """Ids of the records that have the address, by `record_key` and sort."""
    columns = (record_addresses.c.type, record_addresses.c.address, record_addresses.c.contact_id)
    query = select(*columns).where(record_addresses.c.folded.in_(keys_of(addresses)))
    found: dict[str, dict[str, str]] = {}
    for row in await conn.execute(query):
        found.setdefault(record_key(row.address), {})[row.type] = row.contact_id
    return found


async def accounts_named(conn: AsyncConnection, keys: Collection[str]) -> dict[str, str]:
    """Ids of accounts by folded name, the oldest of several."""
    query = select(records.c.folded_name, records.c.id).where(records.c.type == "account", records.c.folded_name.in_(sorted(keys)))
    found: dict[str, str] = {}
    for row in await conn.execute(query.order_by(records.c.created_at, records.c.id)):
        found.setdefault(row.folded_name, row.id)
    return found


async def lock_account_names(conn: AsyncConnection) -> None:
    """Of two that look for an account by its name and make it, one waits for the other."""
    await conn.execute(_LOCK_ACCOUNTS)


async def _refuse_taken(conn: AsyncConnection, record_id: str, sort: RecordType, addresses: Sequence[str]) -> None:
    columns = (record_addresses.c.address, record_addresses.c.contact_id, records.c.name)
    query = select(*columns).join(records, records.c.id == record_addresses.c.contact_id)
    query = query.where(record_addresses.c.type == sort, record_addresses.c.folded.in_(keys_of(addresses)))
    taken = (await conn.execute(query.where(record_addresses.c.contact_id != record_id))).first()
    if taken is not None:
        detail = f"{taken.address} belongs to the {sort} “{taken.name}” ({taken.contact_id}): take it out there first, or merge the two."
        raise ProblemError(409, "Address taken", detail, record_id=taken.contact_id, address=taken.address)


async def addresses_of(conn: AsyncConnection, ids: Collection[str]) -> dict[str, list[str]]:
    """Addresses by their record's id, in their order."""
    query = select(record_addresses).where(record_addresses.c.contact_id.in_(sorted(ids)))
    found: dict[str, list[str]] = {}
    for one in await conn.execute(query.order_by(record_addresses.c.contact_id, record_addresses.c.position, record_addresses.c.folded)):
        found.setdefault(one.contact_id, []).append(one.address)
    return found


async def _shown(conn: AsyncConnection, rows: Sequence[Row[Any]]) -> list[Record]:
    addresses = await addresses_of(conn, [row.id for row in rows])
    return [_record(row, addresses.get(row.id, [])) for row in rows]


def _record(row: Row[Any], addresses: list[str]) -> Record:
    return Record(
        id=row.id,
        type=row.type,
        name=row.name,
        addresses=addresses,
        phone=row.phone,
        company=row.company,
        website=row.website,
        account_id=row.account_id,
        note=row.note,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
