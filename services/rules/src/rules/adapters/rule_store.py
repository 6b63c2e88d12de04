"""Scanners and their versioned rule sets in Postgres."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.adapters.tables import RULE_INDEX, RULE_SETS, SCANNERS
from rules.domain.rule import FIRST_VERSION, Rules, StoredRule, builtin_rules
from shared.events import ScannerSettings

Stamp = tuple[str, int]
"""What names the content of a set: scanner and version."""

NOBODY = "system"


@dataclass(frozen=True)
class RuleSet:
    """One version of a scanner's rules."""

    scanner_id: str
    version: int
    author: str
    note: str
    created_at: datetime
    rules: Rules

    @classmethod
    def of(cls, row: Row[Any]) -> RuleSet:
        """From a row of `rule_sets`."""
        rules = tuple(StoredRule.model_validate(rule) for rule in row.rules)
        return cls(row.scanner_id, row.version, row.author, row.note, row.created_at, rules)


async def put_scanner(conn: AsyncConnection, settings: ScannerSettings) -> None:
    """Keep the newer settings, and make version 1 of the rules where there is none. A deleted scanner that comes again goes on."""
    statement = insert(SCANNERS).values(scanner_id=settings.scanner_id, version=settings.version, settings=settings.model_dump(mode="json"))
    new = statement.excluded
    newer = statement.on_conflict_do_update(
        index_elements=[SCANNERS.c.scanner_id],
        set_={"version": new.version, "settings": new.settings, "deleted": False},
        where=or_(SCANNERS.c.version < new.version, SCANNERS.c.deleted),
    )
    await conn.execute(newer)
    first = _set_row(settings.scanner_id, FIRST_VERSION, NOBODY, "The built-in rule", builtin_rules(settings.scanner_id))
    await conn.execute(insert(RULE_SETS).values(first).on_conflict_do_nothing())
    in_force = await current(conn, settings.scanner_id)
    assert in_force is not None  # noqa: S101 -- there is at least the first
    await _index(conn, settings.scanner_id, in_force.rules)


async def delete_scanner(conn: AsyncConnection, scanner_id: str) -> None:
    """Nobody can see or change its rules any more. They are kept: the traces of its decisions are told from them."""
    await conn.execute(SCANNERS.update().where(SCANNERS.c.scanner_id == scanner_id).values(deleted=True))
    await conn.execute(RULE_INDEX.delete().where(RULE_INDEX.c.scanner_id == scanner_id))


async def scanner_exists(conn: AsyncConnection, scanner_id: str) -> bool:
    """Whether the scanner's event has arrived, and it was not deleted since."""
    found = select(SCANNERS.c.scanner_id).where(SCANNERS.c.scanner_id == scanner_id, SCANNERS.c.deleted.is_(False))
    return (await conn.execute(found)).first() is not None


async def is_pec(conn: AsyncConnection, scanner_id: str) -> bool:
    """Whether the mailbox is known to be one of certified mail."""
    settings = await conn.scalar(select(SCANNERS.c.settings).where(SCANNERS.c.scanner_id == scanner_id))
    return bool(settings and settings.get("pec"))


async def scanner_name(conn: AsyncConnection, scanner_id: str) -> str:
    """As it is called today; empty for one that is not known."""
    settings = await conn.scalar(select(SCANNERS.c.settings).where(SCANNERS.c.scanner_id == scanner_id))
    return str(settings["name"]) if settings else ""


async def lock_scanner(conn: AsyncConnection, scanner_id: str) -> None:
    """Changes of one set go one after the other; reading does not wait."""
    await conn.execute(select(SCANNERS.c.scanner_id).where(SCANNERS.c.scanner_id == scanner_id).with_for_update())


async def current_stamps(conn: AsyncConnection, scanner_ids: Iterable[str]) -> dict[str, Stamp]:
    """The version in force of each scanner that has rules."""
    sets = RULE_SETS.c
    newest = (
        select(sets.scanner_id, sets.version)
        .ext(distinct_on(sets.scanner_id))
        .where(sets.scanner_id.in_(list(scanner_ids)))
        .order_by(sets.scanner_id, sets.version.desc())
    )
    return {row.scanner_id: (row.scanner_id, row.version) for row in await conn.execute(newest)}


async def load(conn: AsyncConnection, stamps: Sequence[Stamp]) -> list[RuleSet]:
    """The sets' content."""
    if not stamps:
        return []
    wanted = tuple_(RULE_SETS.c.scanner_id, RULE_SETS.c.version).in_(list(stamps))
    return [RuleSet.of(row) for row in await conn.execute(select(RULE_SETS).where(wanted))]


async def current(conn: AsyncConnection, scanner_id: str) -> RuleSet | None:
    """The set in force."""
    query = select(RULE_SETS).where(RULE_SETS.c.scanner_id == scanner_id).order_by(RULE_SETS.c.version.desc()).limit(1)
    row = (await conn.execute(query)).first()
    return RuleSet.of(row) if row else None


async def version(conn: AsyncConnection, scanner_id: str, number: int) -> RuleSet | None:
    """One version of the set."""
    query = select(RULE_SETS).where(RULE_SETS.c.scanner_id == scanner_id, RULE_SETS.c.version == number)
    row = (await conn.execute(query)).first()
    return RuleSet.of(row) if row else None


async def in_force_at(conn: AsyncConnection, scanner_id: str, moment: datetime) -> RuleSet | None:
    """The set that was in force then; None where there was none yet."""
    query = select(RULE_SETS).where(RULE_SETS.c.scanner_id == scanner_id, RULE_SETS.c.created_at <= moment)
    row = (await conn.execute(query.order_by(RULE_SETS.c.version.desc()).limit(1))).first()
    return RuleSet.of(row) if row else None


async def versions(conn: AsyncConnection, scanner_id: str, limit: int, before: int | None) -> Sequence[Any]:
    """Versions without their rules, newest first, below `before`."""
    sets = RULE_SETS.c
    query = select(sets.version, sets.author, sets.created_at, sets.note).where(sets.scanner_id == scanner_id)
    if before is not None:
        query = query.where(sets.version < before)
    return (await conn.execute(query.order_by(sets.version.desc()).limit(limit))).all()


async def save(conn: AsyncConnection, before: RuleSet, rules: Rules, author: str, note: str) -> RuleSet:
    """The next version; the caller holds `lock_scanner` and read `before` under it."""
    row = _set_row(before.scanner_id, before.version + 1, author, note, rules)
    saved = (await conn.execute(insert(RULE_SETS).values(row).returning(RULE_SETS.c.created_at))).one()
    gone = RULE_INDEX.c.rule_id.not_in([rule.id for rule in rules])
    await conn.execute(RULE_INDEX.delete().where(RULE_INDEX.c.scanner_id == before.scanner_id, gone))
    await _index(conn, before.scanner_id, rules)
    return RuleSet(before.scanner_id, before.version + 1, author, note, saved.created_at, rules)


async def scanner_of(conn: AsyncConnection, rule_id: str) -> str | None:
    """The scanner a rule belongs to."""
    found: str | None = await conn.scalar(select(RULE_INDEX.c.scanner_id).where(RULE_INDEX.c.rule_id == rule_id))
    return found


async def _index(conn: AsyncConnection, scanner_id: str, rules: Rules) -> None:
    rows = [{"rule_id": rule.id, "scanner_id": scanner_id} for rule in rules]
    await conn.execute(insert(RULE_INDEX).values(rows).on_conflict_do_nothing())


def _set_row(scanner_id: str, number: int, author: str, note: str, rules: Rules) -> dict[str, Any]:
    stored = [rule.model_dump(mode="json") for rule in rules]
    return {"scanner_id": scanner_id, "version": number, "author": author[:300], "note": note, "created_at": func.now(), "rules": stored}
