"""Mails pinned to a rule set with what they must become: pin, list, try, unpin."""

from __future__ import annotations

import asyncio
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from rules.adapters import examples as store
from rules.adapters import rule_store
from rules.adapters.rule_store import RuleSet
from rules.adapters.stored_mails import UnreadableError
from rules.domain.rule import without_nul
from rules.pasted import pasted_bytes
from rules.simulation.trial import Trial, TrialMail
from rules.trying import ExampleTrial, shown
from shared.api import Example, ExampleExpectation, ExampleIn, ExampleResult
from shared.clock import utc_now
from shared.http import ProblemError, not_found
from shared.mail.model import ParsedMail
from shared.mail.parse import parse

MAX_EXAMPLES: Final = 100
"""Of one set: each change of it tries them all."""
MAX_PASTED_BYTES: Final = 1024 * 1024


class Examples:
    """Refusals are problem documents."""

    def __init__(self, engine: AsyncEngine, trial: Trial, example_trial: ExampleTrial) -> None:
        self._engine = engine
        self._trial = trial
        self._example_trial = example_trial

    async def of(self, today: RuleSet) -> list[Example]:
        """The oldest first."""
        async with self._engine.connect() as conn:
            return [shown(one, today.rules) for one in await store.all_of(conn, today.scanner_id)]

    async def check(self, today: RuleSet) -> list[ExampleResult]:
        """Each example under today's rules."""
        return await self._example_trial.results(today, today.rules)

    async def pin(self, today: RuleSet, new: ExampleIn, example_id: str, author: str) -> Example:
        """The same id again is the same example. Raises ProblemError 404, 409 or 422."""
        async with self._engine.connect() as conn:
            known = await store.get(conn, example_id)
        if known is None:
            await self._pin(today, new, example_id, author)
            async with self._engine.connect() as conn:
                known = await store.get(conn, example_id)
        if known is None:
            raise not_found("example", example_id)
        return shown(known, today.rules)

    async def unpin(self, today: RuleSet, example_id: str) -> None:
        """Raises ProblemError 404."""
        async with self._engine.begin() as conn:
            if not await store.delete(conn, today.scanner_id, example_id):
                raise not_found("example", example_id)

    async def _pin(self, today: RuleSet, new: ExampleIn, example_id: str, author: str) -> None:
        mail = await self._mail(today.scanner_id, new)
        parsed, expected = await self._expected(today, new.expected, mail)
        row = {
            "id": example_id,
            "scanner_id": today.scanner_id,
            "name": without_nul(new.name),
            "mail_id": mail.mail_id,
            "raw": mail.raw if mail.mail_id is None else None,
            "subject": without_nul(parsed.subject),
            "sender": without_nul(str(parsed.from_ or "")),
            "expected": expected.model_dump(mode="json"),
            "author": author[:300],
        }
        async with self._engine.begin() as conn:
            await rule_store.lock_scanner(conn, today.scanner_id)  # a set that is being saved must not miss it
            await _refuse_full(conn, today.scanner_id)
            if new.expected is None:
                await _refuse_changed(conn, today)
            await store.put(conn, row)

    async def _mail(self, scanner_id: str, new: ExampleIn) -> TrialMail:
        if new.mail_id is not None:
            try:
                return await self._example_trial.stored(scanner_id, without_nul(new.mail_id))
            except UnreadableError as error:
                raise ProblemError(404, "No such mail", f"The mail {new.mail_id} cannot be pinned: {error}.") from error
        raw = await asyncio.to_thread(pasted_bytes, new.raw, new.raw_base64)
        if len(raw) > MAX_PASTED_BYTES:
            raise ProblemError(
                422, "The mail is too large", "A pasted example has at most 1 MiB. Pin a mail of the mailbox by its id instead."
            )
        return TrialMail(None, raw, utc_now())

    async def _expected(
        self, today: RuleSet, expected: ExampleExpectation | None, mail: TrialMail
    ) -> tuple[ParsedMail, ExampleExpectation]:
        """What was asked for, else what today's rules make of it."""
        if expected is not None:
            _refuse_unknown_rule(today, expected)
            async with self._engine.connect() as conn:
                pec = await rule_store.is_pec(conn, today.scanner_id)
            return await asyncio.to_thread(parse, mail.raw, pec=pec), expected
        (judged,) = await self._trial.judge(today.scanner_id, today.rules, [mail])
        if judged.after is None or judged.parsed is None:
            detail = f"What today's rules make of it cannot be told: {judged.note}. Try again, or say what is expected."
            raise ProblemError(409, "The mail could not be tried", detail)
        return judged.parsed, ExampleExpectation(outcome=judged.after.outcome, rule_id=judged.after.rule_id)


def _refuse_unknown_rule(today: RuleSet, expected: ExampleExpectation) -> None:
    if expected.rule_id is not None and all(rule.id != expected.rule_id for rule in today.rules):
        message = "is no rule of this mailbox; leave it out for whichever rule"
        raise ProblemError(422, "No such rule", f"expected.rule_id: {message}", errors=[{"field": "expected.rule_id", "message": message}])


async def _refuse_full(conn: AsyncConnection, scanner_id: str) -> None:
    if await store.count(conn, scanner_id) >= MAX_EXAMPLES:
        raise ProblemError(409, "Too many examples", f"A mailbox can have {MAX_EXAMPLES} examples; unpin one first.")


async def _refuse_changed(conn: AsyncConnection, today: RuleSet) -> None:
    """What the rules make of a mail is what today's do, not those of a moment ago."""
    found = await rule_store.current(conn, today.scanner_id)
    if found is None or found.version != today.version:
        raise ProblemError(409, "Changed meanwhile", "The rules changed while the mail was tried with them. Pin it again.")
