"""Decisions, simulated mails and examples without a person: what is to be looked at next, and how it is written back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Text, and_, bindparam, cast, delete, or_, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.adapters.tables import DECISIONS, EXAMPLES, SIMULATED_MAILS
from shared.erasure.person import Person

ROWS: Final = 500
_DECISION: Final = ("evidence", "kind_reason", "candidates", "outcome", "erased")
_SIMULATED: Final = ("subject", "sender", "kind_reason", "note", "before", "after", "evidence")


async def decisions_of(conn: AsyncConnection, mail_ids: Sequence[str]) -> Sequence[Row[Any]]:
    """All runs of these mails, locked."""
    found = select(DECISIONS).where(DECISIONS.c.mail_id.in_(mail_ids)).order_by(DECISIONS.c.mail_id, DECISIONS.c.run)
    return (await conn.execute(found.with_for_update())).all()


async def decisions_naming(
    conn: AsyncConnection, person: Person, before: datetime, after: Sequence[Any]
) -> tuple[Sequence[Row[Any]], list[Any] | None]:
    """Of the next decisions beyond (mail id, run) those that may name the person, locked; and how far that is."""
    of = DECISIONS.c
    last = await _last(conn, DECISIONS, (of.mail_id, of.run), after)
    if last is None:
        return [], None
    named = or_(*(cast(of[name], Text).ilike(person.like) for name in ("evidence", "kind_reason", "candidates", "outcome")))
    part = and_(tuple_(of.mail_id, of.run) > tuple_(*after), tuple_(of.mail_id, of.run) <= tuple_(*last))
    query = select(DECISIONS).where(part, named, of.received_at <= before).order_by(of.mail_id, of.run)
    return (await conn.execute(query.with_for_update())).all(), last


async def put_decisions(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """`mail`, `number` and the columns of a decision that tell of its mail."""
    if rows:
        key = (DECISIONS.c.mail_id == bindparam("mail"), DECISIONS.c.run == bindparam("number"))
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in _DECISION}
        await conn.execute(update(DECISIONS).where(*key).values(values), list(rows))


async def open_simulations(conn: AsyncConnection, begun_at: datetime) -> bool:
    """Whether one that was asked for before is still under way."""
    return bool(await conn.scalar(_OPEN, {"begun": begun_at}))


_OPEN: Final = text("select exists (select 1 from simulations where state in ('queued', 'running') and created_at <= :begun)")


async def simulated_naming(
    conn: AsyncConnection, person: Person, mail_ids: Sequence[str], after: Sequence[Any]
) -> tuple[Sequence[Row[Any]], list[Any] | None]:
    """Of the next simulated mails beyond (simulation, position) those of these mails, or that may name the person; and how far that is."""
    of = SIMULATED_MAILS.c
    last = await _last(conn, SIMULATED_MAILS, (of.simulation_id, of.position), after)
    if last is None:
        return [], None
    named = or_(of.mail_id.in_(mail_ids), *(cast(of[name], Text).ilike(person.like) for name in _SIMULATED))
    part = and_(tuple_(of.simulation_id, of.position) > tuple_(*after), tuple_(of.simulation_id, of.position) <= tuple_(*last))
    query = select(SIMULATED_MAILS).where(part, named).order_by(of.simulation_id, of.position)
    return (await conn.execute(query.with_for_update())).all(), last


async def put_simulated(conn: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """`simulation`, `place` and the columns that tell of the mail."""
    if rows:
        key = (SIMULATED_MAILS.c.simulation_id == bindparam("simulation"), SIMULATED_MAILS.c.position == bindparam("place"))
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in _SIMULATED}
        await conn.execute(update(SIMULATED_MAILS).where(*key).values(values), list(rows))


async def examples_naming(conn: AsyncConnection, person: Person, mail_ids: Sequence[str], after: str) -> Sequence[Row[Any]]:
    """Of the next examples beyond an id: those of these mails, or that may name the person, without their bytes."""
    of = EXAMPLES.c
    named = or_(of.mail_id.in_(mail_ids), of.sender.ilike(person.like), of.subject.ilike(person.like))
    query = select(*(column for column in of if column.name != "raw")).where(of.id > after, named)
    return (await conn.execute(query.order_by(of.id).limit(ROWS))).all()


async def remove_examples(conn: AsyncConnection, ids: Sequence[str]) -> None:
    await conn.execute(delete(EXAMPLES).where(EXAMPLES.c.id.in_(ids)))


async def versions_naming(conn: AsyncConnection, person: Person) -> int:
    """Versions of rule sets whose conditions name the address."""
    return int(await conn.scalar(_VERSIONS, {"like": person.like}) or 0)


_VERSIONS: Final = text("select count(*) from rule_sets where rules::text ilike :like")


async def _last(conn: AsyncConnection, table: Any, key: tuple[Any, Any], after: Sequence[Any]) -> list[Any] | None:
    part = select(*key).select_from(table).where(tuple_(*key) > tuple_(*after)).order_by(*key).limit(ROWS)
    rows = (await conn.execute(part)).all()
    return list(rows[-1]) if rows else None
