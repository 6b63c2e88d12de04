"""Examples in Postgres: mails pinned to a rule set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.adapters.tables import EXAMPLES
from shared.api import ExampleExpectation


@dataclass(frozen=True)
class PinnedMail:
    """An example without its bytes: a mail of ours by its id, or a pasted one."""

    id: str
    scanner_id: str
    name: str
    mail_id: str | None
    subject: str
    sender: str
    expected: ExampleExpectation
    author: str
    created_at: datetime

    @classmethod
    def of(cls, row: Row[Any]) -> PinnedMail:
        """From a row of `examples`."""
        return cls(**(dict(row._mapping) | {"expected": ExampleExpectation.model_validate(row.expected)}))  # noqa: SLF001 -- SQLAlchemy's public name


_SHOWN = [EXAMPLES.c[name] for name in PinnedMail.__dataclass_fields__]


async def all_of(conn: AsyncConnection, scanner_id: str) -> list[PinnedMail]:
    """The oldest first."""
    query = select(*_SHOWN).where(EXAMPLES.c.scanner_id == scanner_id).order_by(EXAMPLES.c.created_at, EXAMPLES.c.id)
    return [PinnedMail.of(row) for row in await conn.execute(query)]


async def get(conn: AsyncConnection, example_id: str) -> PinnedMail | None:
    """One example."""
    row = (await conn.execute(select(*_SHOWN).where(EXAMPLES.c.id == example_id))).first()
    return PinnedMail.of(row) if row else None


async def ids(conn: AsyncConnection, scanner_id: str) -> frozenset[str]:
    """Which there are."""
    return frozenset(await conn.scalars(select(EXAMPLES.c.id).where(EXAMPLES.c.scanner_id == scanner_id)))


async def raw_of(conn: AsyncConnection, example_id: str) -> bytes:
    """The bytes of a pasted mail; none where the example was deleted meanwhile."""
    found: bytes | None = await conn.scalar(select(EXAMPLES.c.raw).where(EXAMPLES.c.id == example_id))
    return found or b""


async def count(conn: AsyncConnection, scanner_id: str) -> int:
    """How many there are."""
    return await conn.scalar(select(func.count()).select_from(EXAMPLES).where(EXAMPLES.c.scanner_id == scanner_id)) or 0


async def put(conn: AsyncConnection, row: dict[str, Any]) -> None:
    """Insert it; one of the same id stays."""
    await conn.execute(insert(EXAMPLES).values(row).on_conflict_do_nothing())


async def delete(conn: AsyncConnection, scanner_id: str, example_id: str) -> bool:
    """Whether there was one."""
    gone = EXAMPLES.delete().where(EXAMPLES.c.scanner_id == scanner_id, EXAMPLES.c.id == example_id).returning(EXAMPLES.c.id)
    return (await conn.execute(gone)).first() is not None
