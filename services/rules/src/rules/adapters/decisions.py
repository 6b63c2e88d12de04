"""Decisions in Postgres: the first one of a mail and run is kept, whoever comes later gets it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.adapters.tables import DECISIONS
from shared.events import Candidate, MailOutcome
from shared.mail.model import Kind

Key = tuple[str, int]
"""Mail id and run."""


@dataclass(frozen=True)
class Stored:
    """What a decision says for ever; the rest of its command is read from the mail again."""

    kind: Kind
    kind_reason: str
    version: int | None
    candidates: list[Candidate]


async def keep_first(conn: AsyncConnection, rows: Sequence[dict[str, Any]]) -> set[Key]:
    """Insert the decisions in one statement; returns the keys that were new. A racing insert of the same key is waited for."""
    if not rows:
        return set()
    ordered = sorted(rows, key=lambda row: (row["mail_id"], row["run"]))  # two batches never wait for each other in a circle
    statement = insert(DECISIONS).on_conflict_do_nothing().returning(DECISIONS.c.mail_id, DECISIONS.c.run)
    return {(row.mail_id, row.run) for row in await conn.execute(statement, ordered)}


async def stored(conn: AsyncConnection, keys: Sequence[Key]) -> dict[Key, Stored]:
    """The decisions made before."""
    if not keys:
        return {}
    of = DECISIONS.c
    query = select(of.mail_id, of.run, of.kind, of.kind_reason, of.rule_set_version, of.candidates)
    rows = await conn.execute(query.where(tuple_(of.mail_id, of.run).in_(list(keys))))
    return {
        (row.mail_id, row.run): Stored(Kind(row.kind), row.kind_reason, row.rule_set_version, _candidates(row.candidates)) for row in rows
    }


def _candidates(stored_ones: list[Any]) -> list[Candidate]:
    return [Candidate.model_validate(one) for one in stored_ones]


async def note_outcomes(conn: AsyncConnection, outcomes: Sequence[MailOutcome]) -> None:
    """Write what became of the mails; of two outcomes of one run the one with the greater revision holds."""
    statement = (
        update(DECISIONS)
        .where(
            DECISIONS.c.mail_id == bindparam("mail"),
            DECISIONS.c.run == bindparam("number"),
            DECISIONS.c.outcome_revision < bindparam("revision"),
        )
        .values(outcome=bindparam("body"), outcome_revision=bindparam("revision"))
    )
    rows = [
        {"mail": one.mail_id, "number": one.run, "revision": one.revision, "body": one.model_dump(mode="json")}
        for one in sorted(outcomes, key=lambda one: (one.mail_id, one.run, one.revision))
    ]
    await conn.execute(statement, rows)


async def find(conn: AsyncConnection, mail_id: str, run: int | None) -> Row[Any] | None:
    """The mail's decision of that run, of the last one where none is named."""
    query = select(DECISIONS).where(DECISIONS.c.mail_id == mail_id)
    if run is not None:
        query = query.where(DECISIONS.c.run == run)
    return (await conn.execute(query.order_by(DECISIONS.c.run.desc()).limit(1))).first()
