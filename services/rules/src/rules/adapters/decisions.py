"""Decisions in Postgres: the first one of a mail and run is kept, whoever comes later gets it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, bindparam, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from rules.adapters.tables import DECISIONS
from shared.events import Candidate, MailOutcome, OutcomeType
from shared.mail.model import Kind

Key = tuple[str, int]
"""Mail id and run."""

ACTED: Final = frozenset({OutcomeType.TICKET, OutcomeType.UPDATE, OutcomeType.LINK, OutcomeType.ARCHIVED, OutcomeType.IGNORED})
"""Outcomes a rule's action brings about."""

_NOTE: Final = (
    update(DECISIONS)
    .where(DECISIONS.c.mail_id == bindparam("mail"), DECISIONS.c.run == bindparam("number"))
    .values(outcome=bindparam("body"), outcome_revision=bindparam("revision"), acted_rule_id=bindparam("acted"))
)


@dataclass(frozen=True)
class Stored:
    """What a decision says for ever; the rest of its command is read from the mail again."""

    kind: Kind
    kind_reason: str
    version: int | None
    candidates: list[Candidate]
    erased: bool = False
    """Its mail is not to be read again."""


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
    query = select(of.mail_id, of.run, of.kind, of.kind_reason, of.rule_set_version, of.candidates, of.erased)
    rows = await conn.execute(query.where(tuple_(of.mail_id, of.run).in_(list(keys))))
    return {
        (row.mail_id, row.run): Stored(Kind(row.kind), row.kind_reason, row.rule_set_version, _candidates(row.candidates), row.erased)
        for row in rows
    }


def _candidates(stored_ones: list[Any]) -> list[Candidate]:
    return [Candidate.model_validate(one) for one in stored_ones]


async def note_outcomes(conn: AsyncConnection, outcomes: Sequence[MailOutcome]) -> list[MailOutcome]:
    """Write what became of the mails; of two outcomes of one run the one with the greater revision holds.

    Returns the outcomes to be counted for the rule they name: of each mail and run the first whose rule acted, whatever comes later.
    """
    given: dict[Key, list[MailOutcome]] = {}
    for one in sorted(outcomes, key=lambda one: one.revision):
        given.setdefault((one.mail_id, one.run), []).append(one)
    noted = [_noted(row, given[row.mail_id, row.run]) for row in await _locked(conn, list(given))]
    if noted:
        await conn.execute(_NOTE, [values for values, _ in noted])
    return [acted for _, acted in noted if acted is not None]


async def _locked(conn: AsyncConnection, keys: Sequence[Key]) -> Sequence[Any]:
    """The decisions of the mails that have one, locked in the order of their keys."""
    of = DECISIONS.c
    query = select(of.mail_id, of.run, of.outcome, of.outcome_revision, of.acted_rule_id, of.erased)
    wanted = query.where(tuple_(of.mail_id, of.run).in_(list(keys))).order_by(of.mail_id, of.run).with_for_update()
    return (await conn.execute(wanted)).all()


def _noted(row: Any, given: Sequence[MailOutcome]) -> tuple[dict[str, Any], MailOutcome | None]:
    """A decision's new values, and the outcome to be counted."""
    newest = given[-1]
    later = newest.revision > row.outcome_revision
    acted = None if row.acted_rule_id else next((one for one in given if one.rule_id is not None and one.type in ACTED), None)
    values = {
        "mail": row.mail_id,
        "number": row.run,
        "body": newest.model_dump(mode="json", exclude={"reason"} if row.erased else None) if later else row.outcome,
        "revision": newest.revision if later else row.outcome_revision,
        "acted": row.acted_rule_id if acted is None else acted.rule_id,
    }
    return values, acted


async def find(conn: AsyncConnection, mail_id: str, run: int | None) -> Row[Any] | None:
    """The mail's decision of that run, of the last one where none is named."""
    query = select(DECISIONS).where(DECISIONS.c.mail_id == mail_id)
    if run is not None:
        query = query.where(DECISIONS.c.run == run)
    return (await conn.execute(query.order_by(DECISIONS.c.run.desc()).limit(1))).first()
