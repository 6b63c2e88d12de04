"""Scanners, their folders and jobs. Whatever changes what a scan would do takes the lease away from who has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, case, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from fetcher.adapters.tables import FOLDERS, JOBS, LEDGER, SCANNERS, SCANS
from fetcher.domain.cursor import FolderState

WAKE_CHANNEL = "fetcher_wake"
"""LISTEN/NOTIFY: a scanner's id, when it should be looked at now."""

MOST_DUE = 1_000
ScannerRow = Row[Any]


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


async def opening(conn: AsyncConnection, scanner_id: str) -> ScannerRow | None:
    """The scanner with what a scan must know before it begins, in one statement: has_jobs, has_begun, has_flags, has_moves, folders."""
    return (await conn.execute(_OPENING, {"id": scanner_id})).first()


_OPENING = text(
    """
    select s.*,
        exists (select from jobs j where j.scanner_id = s.id and j.state in ('queued', 'running') and j.kind = 'scan') as has_jobs,
        exists (select from ledger l where l.scanner_id = s.id and l.state = 'seen') as has_begun,
        exists (select from ledger l where l.scanner_id = s.id and l.flag_wanted and l.state <> 'seen') as has_flags,
        exists (select from ledger l where l.scanner_id = s.id and l.move_to is not null and l.move_after <= now()) as has_moves,
        (select jsonb_agg(f order by f.name) from folders f
            where f.scanner_id = s.id and f.generation = s.generation and f.selected) as folders
    from scanners s where s.id = :id
    """
)


def folders_of(opening: ScannerRow) -> dict[str, FolderState]:
    """Folders to read, by name, from a row of `opening`."""
    return {
        one["name"]: _state({**one, "start_at": _moment(one["start_at"]), "added_at": _moment(one["added_at"])})
        for one in opening.folders or []
    }


def _moment(shown: str | None) -> datetime | None:
    return None if shown is None else datetime.fromisoformat(shown)


def _state(row: Mapping[str, Any]) -> FolderState:
    return FolderState(**{field.name: row[field.name] for field in fields(FolderState)})


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
    return {"next_scan_at": due, "lease_token": SCANNERS.c.lease_token + 1, "lease_holder": None, "watching": None}


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


async def scan_now(conn: AsyncConnection, scanner_id: str) -> None:
    """The mailbox is scanned at once, as if it had never failed."""
    values = {"next_scan_at": func.now(), "failures": 0, "last_error": None}
    await conn.execute(update(SCANNERS).where(SCANNERS.c.id == scanner_id).values(values))
    await wake(conn, scanner_id)


# --- folders --------------------------------------------------------------------------------------------------------------------


async def selected_folders(conn: AsyncConnection, scanner: ScannerRow) -> dict[str, FolderState]:
    """Folders to read, by name."""
    place = and_(FOLDERS.c.scanner_id == scanner.id, FOLDERS.c.generation == scanner.generation, FOLDERS.c.selected)
    rows = await conn.execute(select(FOLDERS).where(place).order_by(FOLDERS.c.name))
    return {row["name"]: _state(dict(row)) for row in rows.mappings()}


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


async def put_problem(conn: AsyncConnection, scanner: ScannerRow, folder: str, problem: str | None, renamed_to: str | None) -> None:
    """Why the folder cannot be read; None: it can."""
    place = and_(FOLDERS.c.scanner_id == scanner.id, FOLDERS.c.generation == scanner.generation, FOLDERS.c.name == folder)
    await conn.execute(update(FOLDERS).where(place).values(problem=problem, renamed_to=renamed_to))


async def problems(conn: AsyncConnection, scanner_ids: Sequence[str]) -> Sequence[Any]:
    """Selected folders that cannot be read: rows (scanner_id, name, problem, renamed_to)."""
    columns = (FOLDERS.c.scanner_id, FOLDERS.c.name, FOLDERS.c.problem, FOLDERS.c.renamed_to)
    present = and_(SCANNERS.c.id == FOLDERS.c.scanner_id, SCANNERS.c.generation == FOLDERS.c.generation)
    found = select(*columns).join(SCANNERS, present).where(FOLDERS.c.scanner_id.in_(scanner_ids), FOLDERS.c.selected)
    return list(await conn.execute(found.where(FOLDERS.c.problem.is_not(None)).order_by(FOLDERS.c.name)))


# --- past scans -----------------------------------------------------------------------------------------------------------------


async def add_scan(conn: AsyncConnection, scanner_id: str, seconds: float, found: int, read: int, error: str | None) -> None:
    """A scan that is worth remembering."""
    began = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    values = {"scanner_id": scanner_id, "started_at": began, "seconds": seconds, "found": found, "read": read, "error": error}
    await conn.execute(insert(SCANS).values(values))


async def scans(conn: AsyncConnection, scanner_id: str, limit: int) -> Sequence[Row[Any]]:
    """The latest, newest first."""
    found = select(SCANS).where(SCANS.c.scanner_id == scanner_id)
    return (await conn.execute(found.order_by(SCANS.c.started_at.desc()).limit(limit))).all()


async def read_last_hour(conn: AsyncConnection, scanner_ids: Sequence[str]) -> dict[str, int]:
    """Mails read in the last hour, by scanner."""
    recent = and_(SCANS.c.scanner_id.in_(scanner_ids), SCANS.c.started_at > func.now() - timedelta(hours=1))
    found = select(SCANS.c.scanner_id, func.sum(SCANS.c.read).label("read")).where(recent).group_by(SCANS.c.scanner_id)
    return {row.scanner_id: int(row.read) for row in await conn.execute(found)}


async def forget_scans(conn: AsyncConnection) -> None:
    """Those older than a week."""
    await conn.execute(delete(SCANS).where(SCANS.c.started_at < func.now() - timedelta(days=7)))


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
    opened = and_(JOBS.c.scanner_id == scanner_id, JOBS.c.kind == "scan", JOBS.c.state.in_(["queued", "running"]))
    statement = update(JOBS).where(opened).values(state="running", done=0, total=None).returning(JOBS.c.id)
    return [row.id for row in await conn.execute(statement)]


async def note_progress(conn: AsyncConnection, scanner_id: str, ids: Sequence[str], done: int, total: int) -> None:
    """How far the scan is, on its mailbox and on the jobs that wait for it."""
    await conn.execute(update(SCANNERS).where(SCANNERS.c.id == scanner_id).values(backlog=max(0, total - done)))
    if ids:
        await conn.execute(update(JOBS).where(JOBS.c.id.in_(ids)).values(done=done, total=total))


async def wanted_now(conn: AsyncConnection) -> set[str]:
    """Mailboxes that somebody wants scanned now."""
    queued = select(JOBS.c.scanner_id).where(JOBS.c.state == "queued", JOBS.c.kind == "scan").distinct()
    return {row.scanner_id for row in await conn.execute(queued)}


async def moves_due(conn: AsyncConnection) -> set[str]:
    """Mailboxes that are read and have mails that want to be moved."""
    due = and_(LEDGER.c.move_to.is_not(None), LEDGER.c.move_after <= func.now(), SCANNERS.c.enabled)
    found = select(LEDGER.c.scanner_id).join(SCANNERS, SCANNERS.c.id == LEDGER.c.scanner_id).where(due).distinct()
    return {row.scanner_id for row in await conn.execute(found.limit(MOST_DUE))}


async def end_jobs(conn: AsyncConnection, ids: Sequence[str], state: str, result: Mapping[str, Any]) -> None:
    """`done`, or `failed` with the error in its result."""
    values = {"state": state, "result": dict(result), "finished_at": func.now()}
    values |= {"done": result["read"], "total": result["found"]}
    await conn.execute(update(JOBS).where(JOBS.c.id.in_(ids)).values(values))
