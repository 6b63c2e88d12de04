"""What a check of the ledger asks the database, and what its repair writes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from fetcher.adapters import ledger, scanners
from fetcher.adapters.ledger import within
from fetcher.adapters.tables import FOLDERS, LEDGER, SCANNERS
from fetcher.domain.mails import Box


async def scope(conn: AsyncConnection, scanner_id: str | None) -> list[tuple[str, int]]:
    """Mailboxes to compare, each with the number of its selected folders: the one named, else all that are switched on."""
    mine = and_(FOLDERS.c.scanner_id == SCANNERS.c.id, FOLDERS.c.generation == SCANNERS.c.generation, FOLDERS.c.selected)
    found = select(SCANNERS.c.id, func.count(FOLDERS.c.name).label("folders")).outerjoin(FOLDERS, mine)
    wanted = SCANNERS.c.enabled if scanner_id is None else SCANNERS.c.id == scanner_id
    rows = await conn.execute(found.where(wanted).group_by(SCANNERS.c.id).order_by(SCANNERS.c.name, SCANNERS.c.id))
    return [(row.id, row.folders) for row in rows]


# --- gaps -----------------------------------------------------------------------------------------------------------------------


async def lines_between(conn: AsyncConnection, box: Box, after: int, upper: int | None, limit: int) -> list[int]:
    """UIDs with a line, above `after` and up to `upper`, ascending, the first `limit`."""
    found = select(LEDGER.c.uid).where(within(box), LEDGER.c.uid > after).order_by(LEDGER.c.uid).limit(limit)
    if upper is not None:
        found = found.where(LEDGER.c.uid <= upper)
    return list((await conn.execute(found)).scalars())


async def without_line(conn: AsyncConnection, box: Box, uids: Sequence[int]) -> list[int]:
    """Those of the UIDs that have no line, in their order."""
    found = await conn.execute(select(LEDGER.c.uid).where(within(box), LEDGER.c.uid.in_(uids)))
    known = set(found.scalars())
    return [uid for uid in uids if uid not in known]


async def queue(conn: AsyncConnection, box: Box, uids: Sequence[int]) -> None:
    """Lines `seen` without bytes: the next scan takes them up, however far below the cursor they are. A line that is there stays."""
    place = {"scanner_id": box.scanner_id, "generation": box.generation, "folder": box.folder, "uid_validity": box.uid_validity}
    begun = place | {"state": "seen", "outcome_reason": "a check of the ledger found the mail without a line"}
    rows = [begun | {"id": box.mail_id(uid), "uid": uid} for uid in uids]
    await conn.execute(insert(LEDGER).on_conflict_do_nothing(), rows)


async def scan_soon(conn: AsyncConnection, scanner_id: str) -> None:
    """Whoever holds the mailbox scans it now."""
    await conn.execute(update(SCANNERS).where(SCANNERS.c.id == scanner_id).values(next_scan_at=func.now()))
    await scanners.wake(conn, scanner_id)


# --- mails without outcome --------------------------------------------------------------------------------------------------------


async def ago(conn: AsyncConnection, seconds: float) -> datetime:
    """So many seconds before now, by the database's clock."""
    moment: datetime = (await conn.execute(select(func.now() - func.make_interval(0, 0, 0, 0, 0, 0, seconds)))).scalar_one()
    return moment


async def overdue(conn: AsyncConnection, scanner_id: str | None, before: datetime, limit: int) -> Sequence[Row[Any]]:
    """Lines under way since `before`, oldest first; each with `found` (how many there are) and `enabled` (its mailbox)."""
    since = func.coalesce(LEDGER.c.published_at, LEDGER.c.seen_at)
    under_way = or_(LEDGER.c.state == "published", LEDGER.c.state == "seen")
    columns = (LEDGER.c.id, LEDGER.c.scanner_id, LEDGER.c.folder, LEDGER.c.uid, LEDGER.c.state, since.label("since"))
    of = SCANNERS.c.id == LEDGER.c.scanner_id
    found = select(*columns, SCANNERS.c.enabled, func.count().over().label("found")).outerjoin(SCANNERS, of)
    found = found.where(under_way, LEDGER.c.outcome_type.is_(None), since < before, *_of(scanner_id))
    return (await conn.execute(found.order_by(since).limit(limit))).all()


async def to_publish(conn: AsyncConnection, scanner_id: str | None, before: datetime, limit: int) -> Sequence[ledger.Line]:
    """Lines published before then without outcome, whole, in the order of their ids; locked until the transaction ends."""
    late = (LEDGER.c.state == "published", LEDGER.c.outcome_type.is_(None), LEDGER.c.published_at < before)
    found = select(LEDGER).where(*late, *_of(scanner_id))
    return (await conn.execute(found.order_by(LEDGER.c.id).limit(limit).with_for_update(skip_locked=True))).all()


def _of(scanner_id: str | None) -> list[Any]:
    return [] if scanner_id is None else [LEDGER.c.scanner_id == scanner_id]


# --- doubles ----------------------------------------------------------------------------------------------------------------------


async def doubles(conn: AsyncConnection, scanner_id: str, limit: int) -> Sequence[Row[Any]]:
    """Lines of mails that another line published before: rows (id, folder, uid, first, found)."""
    return (await conn.execute(_DOUBLES, {"scanner": scanner_id, "limit": limit})).all()


_DOUBLES = text(
    """
    with twice as (
        select sha256 from ledger where scanner_id = :scanner and sha256 is not null and duplicate_of is null
        group by sha256 having count(*) > 1
    ),
    placed as (
        select id, folder, uid, number, first_value(id) over (partition by sha256, size, message_id order by number) as first
        from ledger where scanner_id = :scanner and duplicate_of is null and sha256 in (select sha256 from twice)
    )
    select id, folder, uid, first, count(*) over () as found from placed where id <> first order by number limit :limit
    """
)
