"""Rules tried on mails: parse, evaluate, and let tickets say which candidate would take. Nothing is stored, sent or counted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from rules.adapters import rule_store
from rules.adapters.resolutions import Resolutions, UnresolvedError, encode
from rules.domain.command import command_of
from rules.domain.evaluate import PreparedRules, evaluate, prepare_rules
from rules.domain.evidence import Evidence
from rules.domain.rule import Rules
from shared.api import Resolution, ResultSide
from shared.events import CommandKind, OutcomeType, RawMail
from shared.mail.model import ParsedMail
from shared.mail.parse import parse

_BY_KIND: Final = {
    CommandKind.BOUNCE: OutcomeType.BOUNCE,
    CommandKind.RECEIPT: OutcomeType.RECEIPT,
    CommandKind.AUTO_REPLY: OutcomeType.AUTO_REPLY,
}
"""What becomes of a mail whose kind alone decides, unless it is one of ours come back: no rule is asked, and tickets may be away."""


@dataclass(frozen=True)
class TrialMail:
    """A mail to try rules on. `mail_id` is None for one that never came: tickets tries it on what is there today."""

    mail_id: str | None
    raw: bytes
    received_at: datetime
    archive_key: str = ""


@dataclass(frozen=True)
class Judged:
    """What the mail would become; `after` is None where that cannot be told, and `note` says why."""

    after: ResultSide | None
    note: str
    parsed: ParsedMail | None
    evidence: Evidence | None


@dataclass(frozen=True)
class Draft:
    """Rules compiled, to be tried on many mails of a scanner."""

    scanner_id: str
    pec: bool
    prepared: PreparedRules


@dataclass(frozen=True)
class _Tried:
    """A mail the rules were asked about; `judged` has what becomes of it where its kind alone decides."""

    judged: Judged
    command: bytes


class Trial:
    """One per process. Parsing, evaluating and compiling run in a thread: heartbeats and HTTP go on meanwhile."""

    def __init__(self, engine: AsyncEngine, resolutions: Resolutions) -> None:
        self._engine = engine
        self._resolutions = resolutions

    async def judge(self, scanner_id: str, rules: Rules, mails: Sequence[TrialMail]) -> list[Judged]:
        """What each mail would become under `rules`; with tickets away, those it decides about have a note instead."""
        draft = await self.prepare(scanner_id, rules)
        tried = await asyncio.to_thread(_try_all, draft, mails)
        try:
            return await self._resolved(tried)
        except UnresolvedError as error:
            note = str(error)
            return [one.judged if one.judged.after is not None else replace(one.judged, note=note) for one in tried]

    async def prepare(self, scanner_id: str, rules: Rules) -> Draft:
        """`rules` compiled, for `judge_all`. Raises PatternRefusedError."""
        async with self._engine.connect() as conn:
            pec = await rule_store.is_pec(conn, scanner_id)
        return Draft(scanner_id, pec, await asyncio.to_thread(prepare_rules, rules, None))

    async def judge_all(self, draft: Draft, mails: Sequence[TrialMail]) -> list[Judged]:
        """As `judge`. Raises UnresolvedError where tickets is needed and away. Holds what it parsed: give it so many bytes at a time."""
        return await self._resolved(await asyncio.to_thread(_try_all, draft, mails))

    async def _resolved(self, tried: Sequence[_Tried]) -> list[Judged]:
        answers = await self._resolutions.ask([one.command for one in tried])
        return [replace(one.judged, after=_side(answer)) for one, answer in zip(tried, answers, strict=True)]


def _try_all(draft: Draft, mails: Sequence[TrialMail]) -> list[_Tried]:
    return [_try(draft, mail) for mail in mails]


def _try(draft: Draft, mail: TrialMail) -> _Tried:
    parsed = parse(mail.raw, pec=draft.pec)
    evaluation = evaluate(parsed, draft.prepared)
    command = command_of(mail.mail_id or str(uuid4()), _attributes(draft, mail), parsed, evaluation, None)
    outcome = _BY_KIND.get(command.kind)
    after = None if outcome is None else ResultSide(outcome=outcome, reason=command.kind_reason or None)
    judged = Judged(after, "", parsed, evaluation.evidence)
    return _Tried(judged, encode(command))


def _attributes(draft: Draft, mail: TrialMail) -> RawMail:
    """What a command takes from a mail's event. Where the mail lay in its mailbox plays no part in it."""
    return RawMail(
        scanner_id=draft.scanner_id,
        received_at=mail.received_at,
        archive_key=mail.archive_key,
        pec=draft.pec,
        size=len(mail.raw),
        folder="",
        uid_validity=0,
        uid=0,
        sha256="",
        conversation="",
    )


def _side(resolution: Resolution) -> ResultSide:
    return ResultSide.model_validate(resolution.model_dump(exclude={"mail_id"}))
