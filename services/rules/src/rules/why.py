"""A mail's decision with its trace, told from what was kept and from the version of the rules that decided."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from rules.adapters import decisions, rule_store
from rules.domain.evidence import Evidence, traces
from rules.domain.rule import builtin_rules
from shared.api import Decision, MailOutcomeView, RuleTrace
from shared.http import not_found


async def decision_of(engine: AsyncEngine, mail_id: str, run: int | None) -> Decision:
    """Of the mail's last run, where none is named. Raises ProblemError 404."""
    async with engine.connect() as conn:
        row = await decisions.find(conn, mail_id, run)
        if row is None:
            raise not_found("decision of the mail", mail_id)
        trace = await _trace(conn, row)
    outcome = _outcome(row.outcome)
    return Decision(
        mail_id=row.mail_id,
        run=row.run,
        scanner_id=row.scanner_id,
        kind=row.kind,
        kind_reason=row.kind_reason,
        rule_set_version=row.rule_set_version,
        decided_at=row.decided_at,
        trace=[_with_outcome(one, outcome) for one in trace],
        candidates=row.candidates,
        outcome=outcome,
    )


async def _trace(conn: AsyncConnection, row: Row[Any]) -> list[RuleTrace]:
    """Nothing where the kind alone decided. A mail that came before its scanner was decided by the built-in rule alone."""
    if row.evidence is None or row.rule_set_version is None:
        return []
    found = await rule_store.version(conn, row.scanner_id, row.rule_set_version)
    rules = builtin_rules(row.scanner_id) if found is None else found.rules
    return traces(Evidence.model_validate(row.evidence), rules)


def _outcome(stored: dict[str, Any] | None) -> MailOutcomeView | None:
    if stored is None:
        return None
    return MailOutcomeView.model_validate({name: stored[name] for name in MailOutcomeView.model_fields if name in stored})


def _with_outcome(trace: RuleTrace, outcome: MailOutcomeView | None) -> RuleTrace:
    took = outcome is not None and outcome.rule_id == trace.rule_id
    return trace.model_copy(update={"took": took})
