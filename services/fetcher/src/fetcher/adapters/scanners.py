"""Scanners, their folders and jobs. Whatever changes what a scan would do takes the lease away from who has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, and_, case, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from fetcher.adapters.tables import FOLDERS, JOBS, SCANNERS
from fetcher.domain.cursor import FolderState
from shared.messaging.errors import NeverRetryError

WAKE_CHANNEL = "fetcher_wake"
"""LISTEN/NOTIFY: a scanner's id, when it should be looked at now."""

ScannerRow = Row[Any]


class NoSuchScannerError(NeverRetryError):
    """The scanner was deleted."""


async def add(conn: AsyncConnection, values: Mapping[str, Any], first_scan_after: float) -> bool:
    """Insert with INBOX selected, due in so many seconds; False where the id is there already."""
    row = {**values, "next_scan_at": func.now() + timedelta(seconds=first_scan_after)}
    statement = upsert(SCANNERS).values(row).on_conflict_do_nothing().returning(SCANNERS.c.id)
    if (await conn.execute(statement)).first() is None:
        return False
    await conn.execute(insert(FOLDERS).values(scanner_id=values["id"], generation=1, name="INBOX"))
    await wake(conn, values["id"])
    return True


async def get(conn: AsyncConnection, scanner_id: str, *, lock: bool = False) -> ScannerRow | None:
    """One scanner by its id."""
    found = select(SCANNERS).where(SCANNERS.c.id == scanner_id)
    return (await conn.execute(found.with_for_update() if lock else found)).first()


async def page(conn: AsyncConnection, after: tuple[str, str] | None, limit: int) -> Sequence[ScannerRow]:
    """By name, then id."""
    found = select(SCANNERS).order_by(SCANNERS.c.name, SCANNERS.c.id).limit(limit)
    if after is not None:
        found = found.where((SCANNERS.c.name > after[0]) | ((SCANNERS.c.name == after[0]) & (SCANNERS.c.id > after[1])))
    return (await conn.execute(found)).all()


async def change(conn: AsyncConnection, scanner: ScannerRow, values: Mapping[str, Any], *, new_mailbox: bool) -> ScannerRow:
    """Write settings as a new version; the next scan starts at once, with them. A new mailbox begins with fresh cursors."""
    generation = scanner.generation + (1 if new_mailbox else 0)
    if new_mailbox:
        await _carry_folders(conn, scanner, generation)
    now = {"version": scanner.version + 1, "generation": generation, "updated_at": func.now(), "failures": 0, "last_error": None}
    statement = update(SCANNERS).where(SCANNERS.c.id == scanner.id).values(**values, **now, **_free())
    changed: ScannerRow = (await conn.execute(statement.returning(SCANNERS))).one()
    await wake(conn, scanner.id)
    return changed


def _free() -> dict[str, Any]:
    """Due now, but not before its first scan may be; and whoever holds it holds it no more."""
    due = case((SCANNERS.c.last_scan_at.is_(None), SCANNERS.c.next_scan_at), else_=func.now())
    return {"next_scan_at": due, "lease_token": SCANNERS.c.lease_token + 1, "lease_until": None, "lease_holder": None}


async def _carry_folders(conn: AsyncConnection, scanner: ScannerRow, generation: int) -> None:
    chosen = select(FOLDERS.c.scanner_id, text(":generation"), FOLDERS.c.name, FOLDERS.c.selected).where(
        FOLDERS.c.scanner_id == scanner.id, FOLDERS.c.generation == scanner.generation, FOLDERS.c.selected
    )
    statement = insert(FOLDERS).from_select(["scanner_id", "generation", "name", "selected"], chosen)
    await conn.execute(statement, {"generation": generation})


async def remove(conn: AsyncConnection, scanner_id: str) -> bool:
    """Delete scanner, folders and jobs; its lines stay in the ledger."""
    gone = (await conn.execute(delete(SCANNERS).where(SCANNERS.c.id == scanner_id).returning(SCANNERS.c.id))).first()
    await wake(conn, scanner_id)
    return gone is not None


async def wake(conn: AsyncConnection, scanner_id: str) -> None:
    """Tell every fetcher, at commit."""
    await conn.execute(text("select pg_notify(:channel, :id)"), {"channel": WAKE_CHANNEL, "id": scanner_id})


# --- folders --------------------------------------------------------------------------------------------------------------------


async def selected_folders(conn: AsyncConnection, scanner: ScannerRow) -> dict[str, FolderState]:
    """Folders to read, by name."""
    place = and_(FOLDERS.c.scanner_id == scanner.id, FOLDERS.c.generation == scanner.generation, FOLDERS.c.selected)
    rows = await conn.execute(select(FOLDERS).where(place).order_by(FOLDERS.c.name))
    return {row.name: FolderState(row.uid_validity, row.cursor, row.start_uid, row.start_at, row.checked_uid, row.added_at) for row in rows}


async def select_folders(conn: AsyncConnection, scanner: ScannerRow, names: Iterable[str]) -> None:
    """Exactly these are read from now on; a folder taken up again goes on where it stopped."""
    mine = and_(FOLDERS.c.scanner_id == scanner.id, FOLDERS.c.generation == scanner.generation)
    await conn.execute(update(FOLDERS).where(mine).values(selected=False))
    rows = [{"scanner_id": scanner.id, "generation": scanner.generation, "name": name} for name in dict.fromkeys(names)]
    if rows:
        statement = upsert(FOLDERS).values(rows)
        await conn.execute(statement.on_conflict_do_update(index_elements=list(FOLDERS.primary_key.columns), set_={"selected": True}))


async def put_state(conn: AsyncConnection, scanner: ScannerRow, folder: str, state: FolderState) -> None:
    """Where reading begins in a folder, or begins again."""
    place = and_(FOLDERS.c.scanner_id == scanner.id, FOLDERS.c.generation == scanner.generation, FOLDERS.c.name == folder)
    values = {"cursor": state.cursor, "start_uid": state.start_uid, "start_at": state.start_at, "checked_uid": state.checked_uid}
    await conn.execute(update(FOLDERS).where(place).values(uid_validity=state.uid_validity, **values))


# --- scan jobs ------------------------------------------------------------------------------------------------------------------


async def add_job(conn: AsyncConnection, job_id: str, scanner_id: str) -> None:
    """Scan now. The same id twice is one job."""
    statement = upsert(JOBS).values(id=job_id, scanner_id=scanner_id).on_conflict_do_nothing().returning(JOBS.c.id)
    if (await conn.execute(statement)).first() is not None:
        await conn.execute(update(SCANNERS).where(SCANNERS.c.id == scanner_id).values(next_scan_at=func.now()))
        await wake(conn, scanner_id)


async def job(conn: AsyncConnection, job_id: str) -> Row[Any] | None:
    """One job by its id."""
    return (await conn.execute(select(JOBS).where(JOBS.c.id == job_id))).first()


async def begin_jobs(conn: AsyncConnection, scanner_id: str) -> list[str]:
    """Open jobs of the scanner, running now; also those a fetcher began and did not end."""
    opened = and_(JOBS.c.scanner_id == scanner_id, JOBS.c.state.in_(["queued", "running"]))
    statement = update(JOBS).where(opened).values(state="running", done=0, total=None).returning(JOBS.c.id)
    return [row.id for row in await conn.execute(statement)]


async def note_progress(conn: AsyncConnection, ids: Sequence[str], done: int, total: int) -> None:
    """How far the scan is."""
    await conn.execute(update(JOBS).where(JOBS.c.id.in_(ids)).values(done=done, total=total))


async def end_jobs(conn: AsyncConnection, ids: Sequence[str], state: str, result: Mapping[str, Any]) -> None:
    """`done`, or `failed` with the error in its result."""
    values = {"state": state, "result": dict(result), "finished_at": func.now()}
    values |= {"done": result["read"], "total": result["found"]}
    await conn.execute(update(JOBS).where(JOBS.c.id.in_(ids)).values(values))
