"""What the rules service does with each event: mails are decided, outcomes noted, scanners copied.

A batch of mails is decided at once (`Decider.decide`): rule sets read once, mails parsed and evaluated one after the other, decisions
inserted with one statement. Each mail then leaves with the command of the decision that was first: its own, or an earlier one, whose
mail is read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from rules.adapters import decisions, rule_store
from rules.adapters.counts import RuleCounter
from rules.adapters.decisions import Key, Stored
from rules.adapters.mail_bytes import bytes_of
from rules.adapters.prepared import PreparedSets
from rules.domain.command import RUN, command_of
from rules.domain.evaluate import Evaluation, PreparedRules, evaluate
from shared.archive import Archive
from shared.clock import Clock, utc_now
from shared.erasure.person import GONE_REASON
from shared.erasure.refusals import refusals
from shared.events import CommandKind, Failure, MailOutcome, RawMail, ScannerSettings, TicketCommand, derived_id
from shared.mail.model import Kind
from shared.mail.parse import parse
from shared.messaging.dead_letters import Failed
from shared.messaging.outbox import Unit
from shared.messaging.raw_mail import read_raw_mail
from shared.messaging.received import Received
from shared.observability import CONDITIONS_ONE_BY_ONE, MAILS_DECIDED, get_logger
from shared.topics import TICKET_COMMANDS

log = get_logger("rules")
T = TypeVar("T")

THREAD_BYTES: Final = 64 * 1024
"""A mail above this is parsed in a thread, so that heartbeats and HTTP go on meanwhile."""
MAX_REASON: Final = 2_000


@dataclass(frozen=True)
class Decided:
    """A mail's decision, not yet known to be the first."""

    kind: Kind
    kind_reason: str
    evaluation: Evaluation
    command: TicketCommand


class Decider:
    """The handler of `mail.raw`."""

    def __init__(self, archive: Archive, sets: PreparedSets, clock: Clock = utc_now) -> None:
        self._archive = archive
        self._sets = sets
        self._counter = RuleCounter()
        self._clock = clock

    async def decide(self, unit: Unit, mails: Sequence[Received[RawMail]]) -> None:
        """Batch hook: decide the mails that have no decision yet and leave each one's command for `on_mail`."""
        by_key = {(mail.envelope.id, RUN): mail for mail in mails}
        before = await decisions.stored(unit.conn, list(by_key))
        new = {key: mail for key, mail in by_key.items() if key not in before}
        rules = await self._sets.current(unit.conn, {mail.body.scanner_id for mail in new.values()})
        decided = {key: await self._of_bytes(mail, partial(_decided, rules[mail.body.scanner_id])) for key, mail in new.items()}
        again = {key: await self._command_again(by_key[key], one) for key, one in before.items()}
        erased = await _erased(unit, by_key, {key: one.command for key, one in decided.items()} | again)
        decided = {key: one for key, one in decided.items() if key not in erased}
        won = await decisions.keep_first(unit.conn, [self._row(one) for one in decided.values()])
        lost = await decisions.stored(unit.conn, [key for key in decided if key not in won])
        again |= {key: await self._command_again(by_key[key], one) for key, one in lost.items()}
        unit.memo["commands"] = {key: one.command for key, one in decided.items()} | again | erased
        matched = [candidate.rule_id for key in won for candidate in decided[key].evaluation.candidates]
        await self._counter.matched(unit.conn, matched, self._clock())
        for key in won:
            _tell(decided[key])

    async def on_mail(self, unit: Unit, mail: Received[RawMail]) -> None:
        """Send the decision's command. Its id is a function of mail and run: sent twice, it is the same event."""
        command: TicketCommand = unit.memo["commands"][mail.envelope.id, RUN]
        event_id = derived_id(command.mail_id, command.run, "command")
        unit.emit(TICKET_COMMANDS, event_id=event_id, key=mail.body.conversation, body=command, cause=mail.envelope)

    async def _command_again(self, mail: Received[RawMail], before: Stored) -> TicketCommand:
        """The command of a decision made before."""
        if before.erased:
            return _refusal(mail)
        return await self._of_bytes(mail, partial(_again, before))

    async def _of_bytes(self, mail: Received[RawMail], read: Callable[[str, RawMail, bytes], T]) -> T:
        """Holds one mail's bytes at a time, and lets others run in between."""
        raw = await bytes_of(self._archive, mail)
        if len(raw) > THREAD_BYTES:
            return await asyncio.to_thread(read, mail.envelope.id, mail.body, raw)
        await asyncio.sleep(0)
        return read(mail.envelope.id, mail.body, raw)

    def _row(self, one: Decided) -> dict[str, Any]:
        command, evidence = one.command, one.evaluation.evidence
        return {
            "mail_id": command.mail_id,
            "run": command.run,
            "scanner_id": command.scanner_id,
            "kind": one.kind.value,
            "kind_reason": one.kind_reason,
            "rule_set_version": command.rule_set_version,
            "candidates": [candidate.model_dump(mode="json") for candidate in one.evaluation.candidates],
            "evidence": None if evidence is None else evidence.model_dump(mode="json", exclude_defaults=True),
            "received_at": command.received_at,
            "archive_key": command.archive_key,
            "decided_at": self._clock(),
        }


def _decided(rules: PreparedRules, mail_id: str, attributes: RawMail, raw: bytes) -> Decided:
    """Pure. The rules are asked about a mail with our mark as well: anybody can write the mark, only tickets knows our Message-IDs."""
    mail = parse(raw, pec=attributes.pec)
    evaluation = evaluate(mail, rules)
    version = None if evaluation.evidence is None else rules.version
    return Decided(mail.kind, mail.kind_reason, evaluation, command_of(mail_id, attributes, mail, evaluation, version))


def _again(before: Stored, mail_id: str, attributes: RawMail, raw: bytes) -> TicketCommand:
    """Pure. The command of a decision made before: kind and candidates are what they were, whatever would be told today."""
    mail = parse(raw, pec=attributes.pec).model_copy(update={"kind": before.kind, "kind_reason": before.kind_reason})
    return command_of(mail_id, attributes, mail, Evaluation(before.candidates, None), before.version)


async def _erased(unit: Unit, mails: Mapping[Key, Received[RawMail]], commands: Mapping[Key, TicketCommand]) -> dict[Key, TicketCommand]:
    """Commands in place of those of mails that were erased: nothing of what such a mail says is stored or goes on."""
    senders = {key: one.mail.from_.address for key, one in commands.items() if one.mail is not None and one.mail.from_ is not None}
    refused = await refusals(unit.conn, senders.values())
    return {key: _refusal(mails[key]) for key, sender in senders.items() if refused.covers(sender, mails[key].body.received_at)}


def _refusal(mail: Received[RawMail]) -> TicketCommand:
    """Pure. Tickets leaves the outcome such a mail has, and drops one that has none."""
    return TicketCommand(
        mail_id=mail.envelope.id,
        run=RUN,
        kind=CommandKind.FAILURE,
        scanner_id=mail.body.scanner_id,
        received_at=mail.body.received_at,
        archive_key=mail.body.archive_key,
        failure=Failure(outcome="dropped", reason=GONE_REASON),
    )


def _tell(one: Decided) -> None:
    MAILS_DECIDED.labels(one.kind.value).inc()
    CONDITIONS_ONE_BY_ONE.labels("out_of_memory").inc(one.evaluation.asked_again)
    rules = [candidate.rule_name for candidate in one.command.candidates]
    log.info("decided", mail_id=one.command.mail_id, kind=one.kind.value, version=one.command.rule_set_version, candidates=rules[:10])


async def on_failure(unit: Unit, failed: Failed) -> None:
    """A mail that cannot be decided: tickets records `failed` or `dropped`. Tolerant, since the event itself may be what is wrong."""
    if failed.mail_id is None or failed.envelope is None:
        return
    extensions = failed.envelope.extensions
    command = TicketCommand(
        mail_id=failed.mail_id,
        run=RUN,
        kind=CommandKind.FAILURE,
        scanner_id=extensions.get("scannerid", ""),
        received_at=failed.envelope.time,
        archive_key=extensions.get("archivekey", ""),
        failure=Failure.model_validate({"outcome": failed.outcome, "reason": failed.reason[:MAX_REASON]}),
    )
    conversation = extensions.get("conversation", failed.mail_id)
    try:
        body = read_raw_mail(failed.envelope)
    except ValidationError:
        pass
    else:
        conversation = body.conversation
        command = command.model_copy(
            update={"scanner_id": body.scanner_id, "received_at": body.received_at, "archive_key": body.archive_key}
        )
    event_id = derived_id(failed.mail_id, RUN, "failure", failed.outcome, failed.tries)
    unit.emit(TICKET_COMMANDS, event_id=event_id, key=conversation, body=command, cause=failed.envelope)


class OutcomeNotes:
    """The handler of `mail.outcomes`."""

    def __init__(self) -> None:
        self._counter = RuleCounter()

    async def note(self, unit: Unit, outcomes: Sequence[Received[MailOutcome]]) -> None:
        """Batch hook: write what became of the mails to their decisions, and count it for the rules that acted."""
        acted = await decisions.note_outcomes(unit.conn, [one.body for one in outcomes])
        await self._counter.acted(unit.conn, [(one.rule_id, one.at) for one in acted if one.rule_id is not None])


async def on_outcome(unit: Unit, outcome: Received[MailOutcome]) -> None:
    """`OutcomeNotes.note` wrote the whole batch."""


async def on_scanner(unit: Unit, scanner: Received[ScannerSettings]) -> None:
    """Copy the scanner and give it the built-in rule; a tombstone hides it."""
    if scanner.tombstone:
        await rule_store.delete_scanner(unit.conn, scanner.key)
    else:
        await rule_store.put_scanner(unit.conn, scanner.body)
