"""A set's examples under rules that are not saved yet: which would break."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from rules.adapters import examples as store
from rules.adapters import stored_mails
from rules.adapters.examples import PinnedMail
from rules.adapters.rule_store import RuleSet
from rules.adapters.stored_mails import StoredMail, UnreadableError
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
        if all(one.after is None and one.note == self.broken[0].note for one in self.broken):
            told, remedy = f"the examples of these rules {self.broken[0].note}", "Try again in a while"
        else:
            told = "; ".join(f"the example '{one.example.name}' {one.note}" for one in self.broken)
            remedy = "Change the rules or the examples"
        detail = f"{told[:1].upper()}{told[1:MAX_DETAIL]}. {remedy}, or save all the same with accept_broken=true."
        return ProblemError(409, "An example would break", detail, broken=[one.model_dump(mode="json") for one in self.broken])


NEVER_TRIED: Final = Tried(0, frozenset(), ())


@dataclass(frozen=True)
class ReadExample:
    """An example with its mail, or without it and a note that says why."""

    example: PinnedMail
    mail: TrialMail | None
    note: str = ""


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
            mail_ids = [one.mail_id for one in examples if one.mail_id is not None]
            known = {mail.mail_id: mail for mail in await stored_mails.chosen(conn, today.scanner_id, mail_ids)} if mail_ids else {}
        results: list[ExampleResult] = []
        while len(results) < len(examples):
            batch = await self._read(examples[len(results) :], known)
            judged = await self._judge(today.scanner_id, rules, batch)
            results += [_result(read.example, one, rules, today.rules) for read, one in zip(batch, judged, strict=True)]
        return results

    async def stored(self, scanner_id: str, mail_id: str) -> TrialMail:
        """A mail of the scanner that was decided. Raises UnreadableError, and UnavailableError where the archive is away."""
        async with self._engine.connect() as conn:
            (found,) = await stored_mails.chosen(conn, scanner_id, [mail_id])
        return await self._archived(found)

    async def _judge(self, scanner_id: str, rules: Rules, batch: Sequence[ReadExample]) -> list[Judged]:
        readable = [one.mail for one in batch if one.mail is not None]
        judged = iter(await self._trial.judge(scanner_id, rules, readable) if readable else ())
        return [Judged(None, one.note, None, None) if one.mail is None else next(judged) for one in batch]

    async def _read(self, examples: Sequence[PinnedMail], known: Mapping[str | None, StoredMail]) -> list[ReadExample]:
        """As many from the beginning as make a batch, one at least."""
        batch: list[ReadExample] = []
        size = 0
        async with self._engine.connect() as conn:
            for example in examples:
                read = await self._read_one(conn, example, known)
                batch.append(read)
                size += len(read.mail.raw) if read.mail else 0
                if size >= BATCH_BYTES:
                    break
        return batch

    async def _read_one(self, conn: AsyncConnection, example: PinnedMail, known: Mapping[str | None, StoredMail]) -> ReadExample:
        if example.mail_id is None:
            return ReadExample(example, TrialMail(None, await store.raw_of(conn, example.id), example.created_at))
        try:
            return ReadExample(example, await self._archived(known[example.mail_id]))
        except (UnreadableError, UnavailableError) as error:
            return ReadExample(example, None, str(error))

    async def _archived(self, found: StoredMail) -> TrialMail:
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
