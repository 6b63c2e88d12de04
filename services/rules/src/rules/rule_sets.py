"""Reading and changing rule sets: what the API's routes ask for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from rules.adapters import examples as pinned
from rules.adapters import rule_store
from rules.adapters.rule_store import RuleSet
from rules.domain.compare import changes, note_of
from rules.domain.expectations import same_effect
from rules.domain.rule import RuleMissingError, RuleRefusedError, Rules
from rules.trying import NEVER_TRIED, ExampleTrial, Tried
from shared.api import Page, RuleSetVersion
from shared.http import ProblemError, check_if_match, decode_cursor, not_found, page

POLL_S = 0.1
MAX_TRIES: Final = 3
"""How often the examples are tried for one change, since others may change the set meanwhile."""


@dataclass(frozen=True)
class Saving:
    """Who saves, and what they accept."""

    author: str
    if_match: str | None = None
    accept_broken: bool = False


class RuleSets:
    """Each change is one transaction that makes the set's next version. Refusals are problem documents."""

    def __init__(self, engine: AsyncEngine, wait_s: float, examples: ExampleTrial) -> None:
        self._engine = engine
        self._wait_s = wait_s
        self._examples = examples

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

    async def scanner_name(self, scanner_id: str) -> str:
        """As it is called today."""
        async with self._engine.connect() as conn:
            return await rule_store.scanner_name(conn, scanner_id)

    async def change(self, scanner_id: str, saving: Saving, how: Callable[[Rules], Rules], note: Callable[[str], str] = str) -> RuleSet:
        """The next version of the set, or today's where `how` changes nothing. Everything that saves rules comes through here.

        The set's examples are tried with the new rules before the transaction that saves them, since tickets is asked. Under the lock the
        set and its examples must be those that were tried; else they are tried again. `note` makes the version's note of the changes in
        words. Raises ProblemError 404, 409 (with the examples in `broken`) or 412.
        """
        await self._arrived(scanner_id)
        tried = NEVER_TRIED
        for tries_left in reversed(range(MAX_TRIES + 1)):
            async with self._changing(scanner_id, saving.if_match) as (conn, before):
                rules = how(before.rules)
                if rules == before.rules:
                    return before
                broken = await _broken(conn, before, rules, tried)
                if broken is not None:
                    words = note(note_of(changes(before.rules, rules))) + broken
                    return await rule_store.save(conn, before, rules, saving.author, words)
            if tries_left:
                tried = await self._try(before, rules, saving)
        raise ProblemError(
            409, "Changed meanwhile", "Others changed these rules while the examples were tried. Read them again, then save."
        )

    async def version(self, scanner_id: str, number: int) -> RuleSet:
        """Raises ProblemError 404."""
        await self._arrived(scanner_id)
        async with self._engine.connect() as conn:
            found = await rule_store.version(conn, scanner_id, number)
        if found is None:
            raise not_found("version of these rules", number)
        return found

    async def versions(self, scanner_id: str, limit: int, cursor: str | None) -> Page[RuleSetVersion]:
        """Newest first."""
        await self._arrived(scanner_id)
        (before,) = decode_cursor(cursor, 1) or (None,)
        if before is not None and not isinstance(before, int):
            raise ProblemError(400, "Not a cursor of this list", "Use the `next` of the page before, unchanged.")
        async with self._engine.connect() as conn:
            rows = await rule_store.versions(conn, scanner_id, limit + 1, before)
        shown = [RuleSetVersion(version=row.version, author=row.author, created_at=row.created_at, note=row.note) for row in rows]
        return page(shown, limit, lambda one: (one.version,))

    async def _try(self, before: RuleSet, rules: Rules, saving: Saving) -> Tried:
        tried = Tried.of(before.version, await self._examples.results(before, rules))
        if tried.broken and not saving.accept_broken:
            raise tried.refusal()
        return tried

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
    """Of a scanner that may have been deleted since it was asked for."""
    found = await rule_store.current(conn, scanner_id) if await rule_store.scanner_exists(conn, scanner_id) else None
    if found is None:
        raise not_found("scanner", scanner_id)
    return found


async def _broken(conn: AsyncConnection, before: RuleSet, rules: Rules, tried: Tried) -> str | None:
    """What the new version's note says of its examples; None where they must be tried first."""
    if same_effect(before.rules, rules):
        return ""
    ids = await pinned.ids(conn, before.scanner_id)
    if not ids:
        return ""
    return tried.note() if tried.covers(before.version, ids) else None
