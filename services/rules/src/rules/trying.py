"""A set's examples under rules that are not saved yet: which would break."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from rules.adapters import examples as store
from rules.adapters import stored_mails
from rules.adapters.examples import PinnedMail
from rules.adapters.rule_store import RuleSet
from rules.adapters.stored_mails import UnreadableError
from rules.domain.expectations import difference, holds
from rules.domain.rule import Rules
from rules.simulation.trial import Judged, Trial, TrialMail
from shared.api import Example, ExampleResult
from shared.archive import Archive
from shared.http import ProblemError
from shared.messaging.errors import UnavailableError

BATCH_BYTES: Final = 4 * 1024 * 1024
"""Memory is bounded by this and the largest mail: a batch is closed by the mail that brings it here."""
NAMED: Final = 5
"""Examples a version's note names; of more it gives the number."""
MAX_DETAIL: Final = 2_000


@dataclass(frozen=True)
class Tried:
    """The examples that were tried with the rules that follow version `version`, and those that do not hold."""

    version: int
    ids: frozenset[str]
    broken: Sequence[ExampleResult]

    @classmethod
    def of(cls, version: int, results: Sequence[ExampleResult]) -> Tried:
        """From each example's result."""
        return cls(version, frozenset(one.example.id for one in results), [one for one in results if not one.holds])

    def covers(self, version: int, ids: frozenset[str]) -> bool:
        """Whether nothing has changed since: neither the set, nor has an example been added."""
        return self.version == version and ids <= self.ids

    def note(self) -> str:
        """For the note of the version that was saved all the same."""
        lost = [one.example.name for one in self.broken if one.after is not None]
        untried = [one.example.name for one in self.broken if one.after is None]
        return _noted(lost, "breaks") + _noted(untried, "could not try")

    def refusal(self) -> ProblemError:
        """409 that says which examples would break, or why they could not be tried."""
        untried = {one.note for one in self.broken if one.after is None}
        if len(untried) == 1 and all(one.after is None for one in self.broken):
            told = f"The examples of these rules {untried.pop()}"
        else:
            told = "; ".join(f"the example '{one.example.name}' {one.note}" for one in self.broken)
        detail = f"{told[:1].upper()}{told[1:MAX_DETAIL]}. Change the rules or the examples, or save all the same with accept_broken=true."
        return ProblemError(409, "An example would break", detail, broken=[one.model_dump(mode="json") for one in self.broken])


NEVER_TRIED: Final = Tried(0, frozenset(), ())


class ExampleTrial:
    """Touches nothing: mails are read, rules evaluated, and tickets asked which candidate would take."""

    def __init__(self, engine: AsyncEngine, archive: Archive, trial: Trial) -> None:
        self._engine = engine
        self._archive = archive
        self._trial = trial

    async def results(self, today: RuleSet, rules: Rules) -> list[ExampleResult]:
        """Each example of the set under `rules`, the oldest first. What cannot be tried does not hold, and its note says why."""
        async with self._engine.connect() as conn:
            examples = await store.all_of(conn, today.scanner_id)
        return [
            _result(one, judged, rules, today.rules)
            async for batch in self._read(examples)
            for one, judged in await self._judge(rules, batch)
        ]

    async def _judge(self, rules: Rules, batch: Sequence[tuple[PinnedMail, TrialMail | str]]) -> list[tuple[PinnedMail, Judged]]:
        readable = [mail for _, mail in batch if isinstance(mail, TrialMail)]
        scanner_id = batch[0][0].scanner_id
        judged = iter(await self._trial.judge(scanner_id, rules, readable) if readable else ())
        return [(one, Judged(None, mail, None, None) if isinstance(mail, str) else next(judged)) for one, mail in batch]

    async def _read(self, examples: Sequence[PinnedMail]) -> AsyncIterator[list[tuple[PinnedMail, TrialMail | str]]]:
        """The examples with their mails, or with why they cannot be read."""
        batch: list[tuple[PinnedMail, TrialMail | str]] = []
        size = 0
        for example in examples:
            mail = await self._mail(example)
            batch.append((example, mail))
            size += 0 if isinstance(mail, str) else len(mail.raw)
            if size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    async def _mail(self, example: PinnedMail) -> TrialMail | str:
        if example.mail_id is None:
            async with self._engine.connect() as conn:
                return TrialMail(None, await store.raw_of(conn, example.id), example.created_at)
        try:
            return await self.stored(example.scanner_id, example.mail_id)
        except (UnreadableError, UnavailableError) as error:
            return str(error)

    async def stored(self, scanner_id: str, mail_id: str) -> TrialMail:
        """A mail of the scanner that was decided. Raises UnreadableError, and UnavailableError where the archive is away."""
        async with self._engine.connect() as conn:
            (found,) = await stored_mails.chosen(conn, scanner_id, [mail_id])
        if found.received_at is None:
            raise UnreadableError(stored_mails.UNKNOWN)
        raw = await stored_mails.bytes_of(self._archive, found)
        return TrialMail(found.mail_id, raw, found.received_at, found.archive_key)


def shown(example: PinnedMail, rules: Rules) -> Example:
    """As the API shows it; `rules` give the expected rule its name."""
    names = {rule.id: rule.name for rule in rules}
    known = {field: getattr(example, field) for field in PinnedMail.__dataclass_fields__}
    return Example.model_validate({**known, "rule_name": names.get(example.expected.rule_id or "")})


def _result(example: PinnedMail, judged: Judged, rules: Rules, today: Rules) -> ExampleResult:
    view, after = shown(example, today), judged.after
    if after is None:
        return ExampleResult(example=view, after=None, holds=False, note=f"could not be tried: {judged.note}")
    if holds(example.expected, after):
        return ExampleResult(example=view, after=after, holds=True)
    return ExampleResult(example=view, after=after, holds=False, note=f"would become {difference(example.expected, after, rules, today)}")


def _noted(names: Sequence[str], what: str) -> str:
    if not names:
        return ""
    shown_names = ", ".join(f"'{name}'" for name in names[:NAMED])
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"; {what} the example{'s' if len(names) > 1 else ''} {shown_names}{more}"
