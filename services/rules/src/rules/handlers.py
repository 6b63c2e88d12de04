"""What the rules service does with each event: mails are decided, outcomes noted, scanners copied.

A batch of mails is decided at once (`Decider.decide`): rule sets read once, mails parsed and evaluated one after the other, decisions
inserted with one statement. Each mail then leaves with the command of the decision that was first: its own or an earlier one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from rules.adapters import decisions, rule_store
from rules.adapters.mail_bytes import bytes_of
from rules.adapters.prepared import PreparedSets
from rules.domain.command import RUN, command_of
from rules.domain.evaluate import Evaluation, PreparedRules, evaluate
from shared.archive import Archive
from shared.clock import Clock, utc_now
from shared.events import CommandKind, Failure, MailOutcome, RawMail, ScannerSettings, TicketCommand, derived_id
from shared.mail.model import ParsedMail
from shared.mail.parse import parse
from shared.messaging.dead_letters import Failed
from shared.messaging.outbox import Unit
from shared.messaging.raw_mail import read_raw_mail
from shared.messaging.received import Received
from shared.observability import MAILS_DECIDED, get_logger
from shared.topics import TICKET_COMMANDS

log = get_logger("rules")

THREAD_BYTES: Final = 64 * 1024
"""A mail above this is parsed in a thread, so that heartbeats and HTTP go on meanwhile."""
MAX_REASON: Final = 2_000


@dataclass(frozen=True)
class Decided:
    """A mail's decision, not yet known to be the first."""

    mail: ParsedMail
    evaluation: Evaluation
    command: TicketCommand

    @property
    def key(self) -> decisions.Key:
        """Mail id and run."""
        return self.command.mail_id, self.command.run


class Decider:
    """The handler of `mail.raw`."""

    def __init__(self, archive: Archive, sets: PreparedSets, clock: Clock = utc_now) -> None:
        self._archive = archive
        self._sets = sets
        self._clock = clock

    async def decide(self, unit: Unit, mails: Sequence[Received[RawMail]]) -> None:
        """Batch hook: decide the mails that have no decision yet and leave each one's command for `on_mail`."""
        by_key = {(mail.envelope.id, RUN): mail for mail in mails}
        commands = await decisions.stored_commands(unit.conn, list(by_key))
        rules = await self._sets.current(unit.conn, {mail.body.scanner_id for mail in mails})
        decided = [await self._decide_one(mail, rules[mail.body.scanner_id]) for key, mail in by_key.items() if key not in commands]
        won = await decisions.keep_first(unit.conn, [self._row(one) for one in decided])
        commands |= await decisions.stored_commands(unit.conn, [one.key for one in decided if one.key not in won])
        commands |= {one.key: one.command for one in decided if one.key in won}
        unit.memo["commands"] = commands
        for one in decided:
            if one.key in won:
                _tell(one)

    async def on_mail(self, unit: Unit, mail: Received[RawMail]) -> None:
        """Send the decision's command. Its id is a function of mail and run: sent twice, it is the same event."""
        command: TicketCommand = unit.memo["commands"][mail.envelope.id, RUN]
        event_id = derived_id(command.mail_id, command.run, "command")
        unit.emit(TICKET_COMMANDS, event_id=event_id, key=mail.body.conversation, body=command, cause=mail.envelope)

    async def _decide_one(self, mail: Received[RawMail], rules: PreparedRules) -> Decided:
        """Holds one mail's bytes at a time, and lets others run in between."""
        raw = await bytes_of(self._archive, mail)
        if len(raw) > THREAD_BYTES:
            return await asyncio.to_thread(_decided, mail.envelope.id, mail.body, raw, rules)
        await asyncio.sleep(0)
        return _decided(mail.envelope.id, mail.body, raw, rules)

    def _row(self, one: Decided) -> dict[str, Any]:
        command = one.command
        return {
            "mail_id": command.mail_id,
            "run": command.run,
            "scanner_id": command.scanner_id,
            "kind": one.mail.kind.value,
            "rule_set_version": command.rule_set_version,
            "trace": [entry.model_dump(mode="json") for entry in one.evaluation.trace],
            "command_id": derived_id(command.mail_id, command.run, "command"),
            "command": command.model_dump(mode="json", by_alias=True, exclude_none=True),
            "decided_at": self._clock(),
        }


def _decided(mail_id: str, attributes: RawMail, raw: bytes, rules: PreparedRules) -> Decided:
    """Pure. The rules are asked about a mail with our mark as well: anybody can write the mark, only tickets knows our Message-IDs."""
    mail = parse(raw)
    evaluation = evaluate(mail, rules)
    return Decided(mail, evaluation, command_of(mail_id, attributes, mail, evaluation, rules.version))


def _tell(one: Decided) -> None:
    MAILS_DECIDED.labels(one.mail.kind.value).inc()
    rules = [candidate.rule_name for candidate in one.command.candidates]
    log.info("decided", mail_id=one.command.mail_id, kind=one.mail.kind.value, version=one.command.rule_set_version, candidates=rules[:10])


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


async def on_outcomes(unit: Unit, outcomes: Sequence[Received[MailOutcome]]) -> None:
    """Batch hook: write what became of the mails to their decisions."""
    await decisions.note_outcomes(unit.conn, [one.body for one in outcomes])


async def on_outcome(unit: Unit, outcome: Received[MailOutcome]) -> None:
    """`on_outcomes` wrote the whole batch."""


async def on_scanner(unit: Unit, scanner: Received[ScannerSettings]) -> None:
    """Copy the scanner and give it the built-in rule; a tombstone takes it and its rules away."""
    if scanner.tombstone:
        await rule_store.delete_scanner(unit.conn, scanner.key)
    else:
        await rule_store.put_scanner(unit.conn, scanner.body)
