"""What the tests of spam do alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text

from tests.integration.tickets.rig import Rig


async def mark(rig: Rig, *numbers: int, listing: str = "address") -> dict[str, Any]:
    """Mark tickets as spam, to the job's end."""
    answer = await rig.api.post("/tickets/spam", json={"ticket_ids": list(numbers), "listing": listing})
    assert answer.status_code == 202, answer.text
    await rig.run_jobs()
    job: dict[str, Any] = await rig.get(answer.headers["Location"].removeprefix("/api/v1"))
    return job


async def take_off(rig: Rig, address: str) -> dict[str, Any]:
    """Take an entry off the list and bring back what it concerned, to the job's end."""
    (entry,) = (await rig.get("/spam-senders", q=address))["items"]
    answer = await rig.api.delete(f"/spam-senders/{entry['id']}", params={"restore": True})
    assert answer.status_code == 202, answer.text
    await rig.run_jobs()
    job: dict[str, Any] = await rig.get(answer.headers["Location"].removeprefix("/api/v1"))
    return job


async def rows_of(rig: Rig, query: str) -> Sequence[Row[Any]]:
    async with rig.engine.connect() as conn:
        return (await conn.execute(text(query))).all()
