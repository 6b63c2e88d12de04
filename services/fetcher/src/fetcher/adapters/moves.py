"""What the ledger knows of moves: which mails are wanted elsewhere, which are on their way, and where they came to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from fetcher.adapters.scanners import WAKE_CHANNEL, ScannerRow
from fetcher.adapters.tables import LEDGER
from fetcher.domain.mails import Box

MOST_TRIES = 5
NOT_MOVING = {"move_to": None, "moving_to": None, "move_after": None, "move_tries": 0}
OTHER_MAILBOX = "the scanner reads another mailbox now: the mail stays where it was"


async def movable(conn: AsyncConnection, ids: Sequence[str]) -> dict[str, Row[Any]]:
    """Lines of these mails that may want to be moved, locked, with their scanner's folders. A mail of an older mailbox never does."""
    rows = (await conn.execute(_MOVABLE, {"ids": sorted(ids)})).all()
    return {row.id: row for row in rows}


_MOVABLE = text(
    """
    select l.id, l.scanner_id, l.folder, coalesce(l.at_folder, l.folder) as now, l.moving_to, l.outcome_type, l.outcome_run,
        l.outcome_revision, s.move_matched_to, s.move_unmatched_to, s.spam_folder
    from ledger l join scanners s on s.id = l.scanner_id and s.generation = l.generation
    where l.id = any(cast(:ids as text[])) and l.duplicate_of is null
      and (l.at_folder is not null or l.move_to is not null
        or s.move_matched_to is not null or s.move_unmatched_to is not null or s.spam_folder is not null)
    order by l.id for update of l
    """
)


async def want(conn: AsyncConnection, wanted: Mapping[str, str | None]) -> None:
    """Mail id → the folder it should be moved to, None to leave it where it is. Fetchers look for moves at once."""
    if not wanted:
        return
    ids = sorted(wanted)
    await conn.execute(_WANT, {"ids": ids, "folders": [wanted[one] for one in ids], "channel": WAKE_CHANNEL})


_WANT = text(
    """
    with wanted as (
        update ledger l set move_to = w.folder, move_after = case when w.folder is not null then now() end,
            move_tries = 0, move_error = null
        from unnest(cast(:ids as text[]), cast(:folders as text[])) as w(id, folder)
        where l.id = w.id returning l.move_to
    )
    select pg_notify(:channel, '') where exists (select from wanted where move_to is not null)
    """
)


async def due(conn: AsyncConnection, scanner: ScannerRow, limit: int) -> Sequence[Row[Any]]:
    """Lines to be moved now: first those whose move was begun, then by age."""
    return (await conn.execute(_DUE, {"id": scanner.id, "generation": scanner.generation, "limit": limit})).all()


_DUE = text(
    """
    select l.*, coalesce(at_folder, folder) as now_folder,
        case when at_folder is null then uid_validity else at_uid_validity end as now_validity,
        case when at_folder is null then uid else at_uid end as now_uid
    from ledger l
    where scanner_id = :id and generation = :generation and move_to is not null and move_after <= now()
    order by moving_to is null, number limit :limit
    """
)


async def forget_older(conn: AsyncConnection, scanner: ScannerRow) -> None:
    """Mails of the mailbox that the scanner read before are never moved."""
    older = update(LEDGER).where(
        LEDGER.c.scanner_id == scanner.id, LEDGER.c.generation != scanner.generation, LEDGER.c.move_to.is_not(None)
    )
    await conn.execute(older.values(NOT_MOVING | {"move_error": OTHER_MAILBOX}))


async def begin(conn: AsyncConnection, ids: Sequence[str], target: str) -> set[str]:
    """Note the move before anything is done to the mailbox, with the time of the next try; returns those still wanted there."""
    return {row.id for row in await conn.execute(_BEGIN, {"ids": sorted(ids), "target": target})}


_NEXT_TRY = "now() + make_interval(secs => least(3600, 60 * power(4, move_tries)))"
_BEGIN = text(
    f"""
    update ledger l set moving_to = cast(:target as varchar), move_tries = move_tries + 1,
        move_after = {_NEXT_TRY}
    from (select id from ledger where id = any(cast(:ids as text[])) order by id for update) chosen
    where l.id = chosen.id and move_to = cast(:target as varchar) and moving_to is null
    returning l.id
    """  # noqa: S608 -- a constant of this file
)


async def try_again(conn: AsyncConnection, mail_id: str) -> None:
    """One more try, counted before it is made: a mail at which the connection breaks stops no scan for long."""
    await conn.execute(_TRY_AGAIN, {"id": mail_id})


_TRY_AGAIN = text(f"update ledger set move_tries = move_tries + 1, move_after = {_NEXT_TRY} where id = :id")  # noqa: S608 -- as above


async def not_begun(conn: AsyncConnection, mail_id: str) -> None:
    """A move that was noted turned out not to have happened: it is due again, unless the mail is wanted here by now."""
    await conn.execute(_NOT_BEGUN, {"id": mail_id})


_NOT_BEGUN = text(
    """
    update ledger set moving_to = null, move_to = nullif(move_to, coalesce(at_folder, folder)),
        move_after = case when move_to <> coalesce(at_folder, folder) then now() end
    where id = :id
    """
)


async def add_places(conn: AsyncConnection, scanner: ScannerRow, folder: str, uid_validity: int, uids: Mapping[str, int]) -> None:
    """Mail id → its UID in the folder: a line for the new place, so that a scan of the folder meets nothing new."""
    box, ids = Box(scanner.id, scanner.generation, folder, uid_validity), sorted(uids)
    places = {"ids": ids, "new_ids": [box.mail_id(uids[one]) for one in ids], "uids": [uids[one] for one in ids]}
    await conn.execute(_ADD_PLACES, places | {"folder": folder, "validity": uid_validity})


_SAME = "scanner_id, generation, message_id, sender, recipients, subject, received_at, size, sha256, conversation, address, pec, kind"
_ADD_PLACES = text(
    f"""
    insert into ledger (id, folder, uid_validity, uid, state, duplicate_of, outcome_type, outcome_run, outcome_revision, outcome_reason,
        outcome_at, {_SAME})
    select p.new_id, cast(:folder as text), cast(:validity as bigint), p.uid, 'done', l.id, 'duplicate', 1, 0,
        'the same mail as ' || l.id || ', moved here', now(), {_SAME}
    from unnest(cast(:ids as text[]), cast(:new_ids as text[]), cast(:uids as bigint[])) as p(id, new_id, uid)
    join ledger l on l.id = p.id where p.new_id <> l.id order by p.uid
    on conflict do nothing
    """  # noqa: S608 -- names from this file only
)


async def moved(conn: AsyncConnection, folder: str, uid_validity: int | None, uids: Mapping[str, int | None]) -> None:
    """Mail id → its UID in the folder, None where nobody said. A mail that is wanted elsewhere by now is due at once."""
    ids = sorted(uids)
    values = {"ids": ids, "uids": [uids[one] for one in ids], "folder": folder, "validity": uid_validity}
    await conn.execute(_MOVED, values)


_MOVED = text(
    """
    update ledger l set at_folder = m.folder, at_uid_validity = cast(:validity as bigint), at_uid = m.uid, moving_to = null, move_tries = 0,
        move_error = null, move_to = nullif(l.move_to, m.folder), move_after = case when l.move_to <> m.folder then now() end
    from (
        select c.id, c.uid, cast(:folder as varchar) as folder from unnest(cast(:ids as text[]), cast(:uids as bigint[])) as c(id, uid)
        join ledger on ledger.id = c.id order by c.id for update of ledger
    ) m where l.id = m.id
    """
)


async def give_up(conn: AsyncConnection, ids: Sequence[str], reason: str) -> None:
    """They stay where they are, with the reason at the line."""
    await conn.execute(_GIVE_UP, {"ids": sorted(ids), "reason": reason[:500]})


_GIVE_UP = text(
    """
    update ledger l set move_to = null, moving_to = null, move_after = null, move_tries = 0, move_error = :reason
    from (select id from ledger where id = any(cast(:ids as text[])) order by id for update) chosen where l.id = chosen.id
    """
)


async def failed(conn: AsyncConnection, ids: Sequence[str], reason: str) -> None:
    """Why this try failed; the next was set when it began."""
    await conn.execute(_FAILED, {"ids": sorted(ids), "reason": reason[:500]})


_FAILED = text(
    """
    update ledger l set move_error = :reason
    from (select id from ledger where id = any(cast(:ids as text[])) order by id for update) chosen where l.id = chosen.id
    """
)
