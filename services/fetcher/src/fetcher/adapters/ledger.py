"""The ledger: one line per UID ever seen, and the outbox of `mail.raw`."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb
from sqlalchemy import Row, TextClause, and_, false, func, or_, select, text, true, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from fetcher.adapters.tables import FOLDERS, LEDGER
from fetcher.domain.mails import Box
from shared.clock import utc_now
from shared.events import MailOutcome

Line = Row[Any]


@dataclass(frozen=True, slots=True)
class Begun:
    """What publishing needs of a line that is `seen`, without reading back what was just written."""

    id: str
    scanner_id: str
    folder: str
    uid_validity: int
    uid: int
    message_id: str | None
    received_at: datetime
    size: int
    sha256: str
    archive_key: str
    conversation: str
    address: str
    pec: bool
    traceparent: str | None
    resend: int = 0


NO_OUTCOME = {
    "outcome_type": None,
    "outcome_run": None,
    "outcome_revision": None,
    "outcome_ticket_id": None,
    "outcome_rule_id": None,
    "outcome_rule_name": None,
    "outcome_reason": None,
    "outcome_at": None,
}
_DEFAULTS: dict[str, Any] = NO_OUTCOME | {
    "message_id": None,
    "sender": "",
    "recipients": [],
    "subject": "",
    "received_at": None,
    "size": None,
    "sha256": None,
    "archive_key": None,
    "conversation": None,
    "address": "",
    "pec": False,
    "traceparent": None,
    "duplicate_of": None,
    "fetch_failures": 0,
    "flag_wanted": False,
    "erased_at": None,
}
_PLACE = ("scanner_id", "generation", "folder", "uid_validity", "uid")
MAX_PENDING_FLAGS = 1_000


def within(box: Box) -> Any:
    """The lines of a folder in one life of it."""
    return and_(
        LEDGER.c.scanner_id == box.scanner_id,
        LEDGER.c.generation == box.generation,
        LEDGER.c.folder == box.folder,
        LEDGER.c.uid_validity == box.uid_validity,
    )


async def window(conn: AsyncConnection, box: Box, low: int) -> dict[int, Line]:
    """Lines of the UIDs above `low`, and those begun below it: uid → (state, outcome, reason, failures, archive key)."""
    wanted: tuple[Any, ...] = (LEDGER.c.uid, LEDGER.c.state, LEDGER.c.outcome_type, LEDGER.c.outcome_reason, LEDGER.c.fetch_failures)
    found = select(*wanted).where(within(box), or_(LEDGER.c.uid > low, LEDGER.c.state == "seen"))
    return {row.uid: row for row in (await conn.execute(found)).all()}


async def begun(conn: AsyncConnection, scanner_id: str, limit: int) -> Sequence[Line]:
    """Lines of the scanner that were archived, perhaps, but not known to be published; oldest first."""
    waiting = select(LEDGER).where(LEDGER.c.scanner_id == scanner_id, LEDGER.c.state == "seen", LEDGER.c.archive_key.is_not(None))
    return (await conn.execute(waiting.order_by(LEDGER.c.number).limit(limit))).all()


async def lost_places(conn: AsyncConnection, scanner_id: str, generation: int, folders: Mapping[str, int]) -> list[str]:
    """Ids of lines `seen` without bytes, in a folder or a life of it that is read no more. `folders`: name → UIDVALIDITY."""
    alive = [and_(LEDGER.c.generation == generation, LEDGER.c.folder == name, LEDGER.c.uid_validity == v) for name, v in folders.items()]
    lost = select(LEDGER.c.id).where(LEDGER.c.scanner_id == scanner_id, LEDGER.c.state == "seen", ~or_(false(), *alive))
    return [row.id for row in await conn.execute(lost)]


async def known_mails(conn: AsyncConnection, scanner_id: str, lines: Sequence[Mapping[str, Any]]) -> dict[tuple[int, str], str]:
    """First lines of the scanner with the same bytes, by (size, SHA-256), leaving out the lines themselves.

    The Message-ID is within the bytes; the line of an erased mail has none.
    """
    digests = [line["sha256"] for line in lines if line.get("sha256")]
    if not digests:
        return {}
    rows = await conn.execute(_SAME, {"scanner": scanner_id, "digests": digests, "own": [line["id"] for line in lines]})
    return {(row.size, row.sha256): row.id for row in rows}  # the first one is written last, and stays


_SAME = text(
    """
    select id, size, sha256 from ledger
    where scanner_id = :scanner and sha256 = any(cast(:digests as text[])) and duplicate_of is null and id <> all(cast(:own as text[]))
    order by number desc
    """
)


async def record(conn: AsyncConnection, lines: Sequence[Mapping[str, Any]], known: Collection[int] = ()) -> list[Line | Begun]:
    """Write the lines; one that is there already is written again only while it is `seen` or `skipped`. Returns those to be published.

    `known`: UIDs that have a line; the others are written by COPY, and again as those when somebody else was faster.
    """
    now = utc_now()
    rows = [{**_DEFAULTS, **line} | {"outcome_at": now if line.get("outcome_type") else None} for line in lines]
    fresh = [row for row in rows if row["uid"] not in known]
    with suppress(UniqueViolation):
        async with conn.begin_nested():
            await _copy(conn, fresh)
        found: list[Line | Begun] = [Begun(*[row[name] for name in _BEGUN]) for row in fresh if row["archive_key"]]
        found += await _record_again(conn, [row for row in rows if row["uid"] in known])
        return sorted(found, key=lambda line: int(line.uid))
    return sorted(await _record_again(conn, rows), key=lambda line: int(line.uid))


async def _copy(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    connection = (await conn.get_raw_connection()).driver_connection
    assert isinstance(connection, psycopg.AsyncConnection)  # noqa: S101 -- the only driver we use
    async with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(_COPY_TYPES)
        for row in rows:
            await copy.write_row([Jsonb(row[name]) if name == "recipients" else row[name] for name in _COLUMNS])


async def _record_again(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> list[Line]:
    """One statement with one JSON parameter: as rows of bind parameters the same took five times the time of all other steps."""
    if not rows:
        return []
    written = await conn.execute(_RECORD, {"rows": json.dumps(rows, default=_json)})
    return [line for line in written if line.state == "seen"]


_COLUMNS = ("id", *_PLACE, "state", *_DEFAULTS)
# Binary COPY: a fraction of the CPU of an INSERT, here and in the database.
_COPY = sql.SQL("copy ledger ({}) from stdin (format binary)").format(sql.SQL(", ").join(map(sql.Identifier, _COLUMNS)))
_COPY_TYPES = [LEDGER.c[name].type.compile(postgresql.dialect()).lower().partition("(")[0] for name in _COLUMNS]  # type: ignore[no-untyped-call]  # SQLAlchemy's
_BEGUN = tuple(field.name for field in fields(Begun) if field.name in _COLUMNS)


def _json(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _record_statement() -> TextClause:
    fresh = [f"{name} = excluded.{name}" for name in ("state", *_DEFAULTS) if name != "traceparent"]
    return text(
        f"""
        insert into ledger as l ({", ".join(_COLUMNS)})
        select {", ".join(_COLUMNS)} from jsonb_populate_recordset(null::ledger, cast(:rows as jsonb)) order by uid
        on conflict (id) do update set {", ".join(fresh)}, traceparent = coalesce(l.traceparent, excluded.traceparent)
            where l.state = 'seen' or l.outcome_type = 'skipped'
        returning l.*
        """  # noqa: S608 -- names from this file only
    )


_RECORD = _record_statement()


async def published(conn: AsyncConnection, ids: Iterable[str]) -> None:
    """Kafka acknowledged them. An outcome may have come already, faster than this."""
    await conn.execute(_PUBLISHED, {"ids": sorted(ids)})


_PUBLISHED = text(
    """
    update ledger set state = 'published', published_at = now(), fetch_failures = 0, outcome_reason = null
    where id = any(cast(:ids as text[])) and state = 'seen'
    """
)


async def finish(conn: AsyncConnection, ids: Iterable[str], outcome: str, reason: str) -> None:
    """Our own outcome for lines that have none: revision 0, or that of their release, so that any later one holds."""
    values = {"state": "done", "outcome_type": outcome, "outcome_reason": reason, "outcome_at": func.now()}
    order = {"outcome_run": func.coalesce(LEDGER.c.outcome_run, 1), "outcome_revision": func.coalesce(LEDGER.c.outcome_revision, 0)}
    statement = update(LEDGER).where(LEDGER.c.id.in_(list(ids)), LEDGER.c.outcome_type.is_(None))
    await conn.execute(statement.values(values | order))


async def advance(conn: AsyncConnection, box: Box, uid: int) -> None:
    """Move the folder's cursor forward, never back."""
    place = and_(FOLDERS.c.scanner_id == box.scanner_id, FOLDERS.c.generation == box.generation, FOLDERS.c.name == box.folder)
    statement = update(FOLDERS).where(place, FOLDERS.c.uid_validity == box.uid_validity)
    await conn.execute(statement.values(cursor=func.greatest(FOLDERS.c.cursor, uid)))


async def unflagged(conn: AsyncConnection, box: Box) -> list[int]:
    """UIDs of handled mails whose flag is not set yet."""
    found = select(LEDGER.c.uid).where(within(box), LEDGER.c.flag_wanted, LEDGER.c.state != "seen")
    return [row.uid for row in await conn.execute(found.order_by(LEDGER.c.uid).limit(MAX_PENDING_FLAGS))]


async def flagged(conn: AsyncConnection, box: Box, uids: Sequence[int]) -> None:
    """The server took the flags."""
    await conn.execute(update(LEDGER).where(within(box), LEDGER.c.uid.in_(uids)).values(flag_wanted=False))


async def put_outcomes(conn: AsyncConnection, outcomes: Iterable[MailOutcome]) -> int:
    """Write each outcome where it is newer than what the line has: the greater (run, revision) holds. Returns how many were.

    After `released` the line is under way again: published at no time yet, until `fetcher.released` has; and it keeps run and revision,
    so that only a newer outcome counts.
    """
    rows = [
        {
            "id": one.mail_id,
            "type": one.type.value,
            "run": one.run,
            "revision": one.revision,
            "ticket": one.ticket_id,
            "rule": one.rule_id,
            "rule_name": one.rule_name,
            "reason": one.reason,
            "kind": one.kind,
            "at": one.at,
        }
        for one in outcomes
    ]
    if not rows:
        return 0
    columns = {name: [row[name] for row in sorted(rows, key=lambda row: str(row["id"]))] for name in rows[0]}
    return (await conn.execute(_PUT_OUTCOMES, columns)).rowcount


_PUT_OUTCOMES = text(
    """
    update ledger l set state = case o.type when 'released' then 'published' else 'done' end,
        outcome_type = nullif(o.type, 'released'), outcome_run = o.run, outcome_revision = o.revision,
        published_at = case when o.type <> 'released' then l.published_at end,
        sweeps = case o.type when 'released' then 0 else l.sweeps end, kind = coalesce(o.kind, l.kind),
        outcome_ticket_id = o.ticket, outcome_rule_id = o.rule, outcome_rule_name = o.rule_name,
        outcome_reason = case when l.erased_at is null then o.reason else l.outcome_reason end, outcome_at = o.at
    from unnest(cast(:id as text[]), cast(:type as text[]), cast(:run as int[]),
        cast(:revision as int[]), cast(:ticket as bigint[]),
        cast(:rule as text[]), cast(:rule_name as text[]), cast(:reason as text[]), cast(:kind as text[]), cast(:at as timestamptz[]))
        as o(id, type, run, revision, ticket, rule, rule_name, reason, kind, at)
    where l.id = o.id and l.duplicate_of is null
      and (l.outcome_type is null and l.outcome_revision is null or (l.outcome_run, l.outcome_revision) < (o.run, o.revision))
    """
)


async def overdue(conn: AsyncConnection, seconds: float, limit: int) -> Sequence[Line]:
    """Published lines without outcome for longer than `seconds`; locked until the transaction ends."""
    late = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    found = select(LEDGER).where(LEDGER.c.state == "published", LEDGER.c.outcome_type.is_(None), LEDGER.c.published_at < late)
    return (await conn.execute(found.order_by(LEDGER.c.published_at).limit(limit).with_for_update(skip_locked=True))).all()


async def released(conn: AsyncConnection, limit: int) -> Sequence[Line]:
    """Lines to be published because their mails are spam no more, oldest first; locked until the transaction ends."""
    found = select(LEDGER).where(LEDGER.c.state == "published", LEDGER.c.published_at.is_(None))
    return (await conn.execute(found.order_by(LEDGER.c.number).limit(limit).with_for_update(skip_locked=True))).all()


async def sent_again(conn: AsyncConnection, ids: Sequence[str], *, by_sweep: bool) -> None:
    """Note that the lines were published once more; an outcome they had is taken back."""
    values: dict[str, Any] = {"resend": LEDGER.c.resend + 1, "published_at": func.now(), "state": "published"}
    values |= {"sweeps": LEDGER.c.sweeps + 1} if by_sweep else {**NO_OUTCOME, "sweeps": 0}
    await conn.execute(update(LEDGER).where(LEDGER.c.id.in_(ids)).values(values))


async def begin_again(conn: AsyncConnection, mail_id: str) -> None:
    """Forget that the mail could not be fetched: the next scan tries anew."""
    values = NO_OUTCOME | {"state": "seen", "fetch_failures": 0}
    await conn.execute(update(LEDGER).where(LEDGER.c.id == mail_id).values(values))


async def summary(conn: AsyncConnection, scanner_id: str | None) -> Sequence[Row[Any]]:
    """Counts by scanner, state and outcome."""
    columns = (LEDGER.c.scanner_id, LEDGER.c.state, LEDGER.c.outcome_type)
    wanted = true() if scanner_id is None else LEDGER.c.scanner_id == scanner_id
    return (await conn.execute(select(*columns, func.count().label("mails")).where(wanted).group_by(*columns).order_by(*columns))).all()


async def line(conn: AsyncConnection, mail_id: str, *, lock: bool = False) -> Line | None:
    """One line by its id."""
    found = select(LEDGER).where(LEDGER.c.id == mail_id)
    return (await conn.execute(found.with_for_update() if lock else found)).first()


async def further_places(conn: AsyncConnection, mail_id: str, limit: int) -> Sequence[Line]:
    """Lines of the further places of a mail, the first ones met."""
    found = select(LEDGER).where(LEDGER.c.duplicate_of == mail_id)
    return (await conn.execute(found.order_by(LEDGER.c.number).limit(limit))).all()


async def end_of_search(conn: AsyncConnection, conditions: Iterable[Any], before: int | None, lines: int) -> int | None:
    """The number of the line that comes after the newest so many; None where there are no more."""
    found = select(LEDGER.c.number).where(*conditions)
    if before is not None:
        found = found.where(LEDGER.c.number < before)
    return (await conn.execute(found.order_by(LEDGER.c.number.desc()).offset(lines).limit(1))).scalar()


async def page(conn: AsyncConnection, conditions: Iterable[Any], before: int | None, limit: int) -> Sequence[Line]:
    """Lines newest first, below the number `before`."""
    found = select(LEDGER).where(*conditions)
    if before is not None:
        found = found.where(LEDGER.c.number < before)
    return (await conn.execute(found.order_by(LEDGER.c.number.desc()).limit(limit))).all()
