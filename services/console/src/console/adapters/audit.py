"""The audit log: who changed what. Written before the answer leaves, never changed, without bodies."""

from __future__ import annotations

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from console.adapters.tables import AUDIT
from shared.api import AuditEntry, Page
from shared.http import decode_cursor, page
from shared.observability import get_logger

log = get_logger("audit")


class Audit:
    """Append and read."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def write(self, actor: str, action: str, target: str, status: int) -> None:
        """Add an entry. The change has happened already, so a database that is away leaves the entry to the log."""
        entry = {
            "actor": actor.replace("\x00", "")[:400],
            "action": action[:400],
            "target": target.replace("\x00", "")[:1000],
            "status": status,
        }
        try:
            async with self._engine.begin() as conn:
                await conn.execute(insert(AUDIT).values(entry))
        except Exception as error:
            log.exception("audit entry only in this log", **entry, error=str(error)[:300])

    async def list(self, limit: int, cursor: str | None) -> Page[AuditEntry]:
        """Newest first."""
        query = select(AUDIT).order_by(AUDIT.c.id.desc()).limit(limit + 1)
        after = decode_cursor(cursor, 1)
        if after is not None:
            query = query.where(AUDIT.c.id < _number(after[0]))
        async with self._engine.connect() as conn:
            rows = (await conn.execute(query)).mappings().all()
        return page([AuditEntry(**{**row, "id": str(row["id"])}) for row in rows], limit, lambda entry: (int(entry.id),))


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
