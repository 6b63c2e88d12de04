"""Reading and changing rule sets, and reading decisions: what the API's routes ask for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from rules.adapters import decisions, rule_store
from rules.adapters.rule_store import RuleSet
from rules.domain.evidence import Evidence, traces
from rules.domain.rule import FIRST_VERSION, RuleMissingError, RuleRefusedError, Rules, builtin_rules
from shared.api import Decision, MailOutcomeView, Page, RuleSetVersion
from shared.http import ProblemError, check_if_match, decode_cursor, not_found, page

POLL_S = 0.1


class RuleSets:
    """Each change is one transaction that makes the set's next version. Refusals are problem documents."""

    def __init__(self, engine: AsyncEngine, wait_s: float) -> None:
        self._engine = engine
        self._wait_s = wait_s

    async def current(self, scanner_id: str) -> RuleSet:
        """The set in force. A mailbox made a moment ago is waited for: its event may still be on its way."""
        await self._arrived(scanner_id)
        async with self._engine.connect() as conn:
            return await _current(conn, scanner_id)

    async def scanner_of(self, rule_id: str) -> str:
        """Raises ProblemError 404."""
        async with self._engine.connect() as conn:
            found = await rule_store.scanner_of(conn, rule_id)
        if found is None:
            raise not_found("rule", rule_id)
        return found

    async def change(self, scanner_id: str, author: str, note: str, if_match: str | None, how: Callable[[Rules], Rules]) -> RuleSet:
        """The next version of the set, or today's when `how` changed nothing. Raises ProblemError 404, 409 or 412."""
        async with self._changing(scanner_id, if_match) as (conn, before):
            rules = how(before.rules)
            return before if rules == before.rules else await rule_store.save(conn, before, rules, author, note)

    async def restore(self, scanner_id: str, number: int, author: str, if_match: str | None) -> RuleSet:
        """Today's rules become those of version `number`, as a new version."""
        await self._arrived(scanner_id)
        async with self._changing(scanner_id, if_match) as (conn, before):
            old = await rule_store.version(conn, scanner_id, number)
            if old is None:
                raise not_found("version of these rules", number)
            return await rule_store.save(conn, before, old.rules, author, f"Version {number} restored")

    async def versions(self, scanner_id: str, limit: int, cursor: str | None) -> Page[RuleSetVersion]:
        """Newest first."""
        await self._arrived(scanner_id)
        after = decode_cursor(cursor, 1)
        async with self._engine.connect() as conn:
            rows = await rule_store.versions(conn, scanner_id, limit + 1, int(after[0]) if after else None)
        shown = [RuleSetVersion(version=row.version, author=row.author, created_at=row.created_at, note=row.note) for row in rows]
        return page(shown, limit, lambda one: (one.version,))

    async def decision(self, mail_id: str) -> Decision:
        """The decision of the mail's last run. Raises ProblemError 404."""
        async with self._engine.connect() as conn:
            row = await decisions.newest(conn, mail_id)
            if row is None:
                raise not_found("decision of the mail", mail_id)
            decided_by = await rule_store.version(conn, row.scanner_id, row.rule_set_version or FIRST_VERSION)
        rules = builtin_rules(row.scanner_id) if decided_by is None else decided_by.rules
        outcome = (
            MailOutcomeView.model_validate({name: row.outcome.get(name) for name in MailOutcomeView.model_fields}) if row.outcome else None
        )
        return Decision(
            mail_id=row.mail_id,
            run=row.run,
            scanner_id=row.scanner_id,
            kind=row.kind,
            kind_reason=row.kind_reason,
            rule_set_version=row.rule_set_version,
            decided_at=row.decided_at,
            trace=[] if row.evidence is None else traces(Evidence.model_validate(row.evidence), rules),
            candidates=row.candidates,
            outcome=outcome,
        )

    @asynccontextmanager
    async def _changing(self, scanner_id: str, if_match: str | None) -> AsyncIterator[tuple[AsyncConnection, RuleSet]]:
        """A transaction that alone may change the scanner's rules; the domain's refusals become problems."""
        async with self._engine.begin() as conn:
            await rule_store.lock_scanner(conn, scanner_id)
            before = await _current(conn, scanner_id)
            check_if_match(if_match, before.version)
            try:
                yield conn, before
            except RuleMissingError as error:
                raise not_found("rule", error) from error
            except RuleRefusedError as error:
                raise ProblemError(409, "Not possible with this rule set", str(error)) from error

    async def _arrived(self, scanner_id: str) -> None:
        deadline = time.monotonic() + self._wait_s
        while True:
            async with self._engine.connect() as conn:
                if await rule_store.scanner_exists(conn, scanner_id):
                    return
            if time.monotonic() >= deadline:
                raise not_found("scanner", scanner_id)
            await asyncio.sleep(POLL_S)


async def _current(conn: AsyncConnection, scanner_id: str) -> RuleSet:
    found = await rule_store.current(conn, scanner_id)
    if found is None:
        raise not_found("scanner", scanner_id)
    return found
