"""What tickets does with each event. Commands are carried out a batch at a time; see `shared.messaging.consumer` for what isolates them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert

from shared.events import CommandKind, Failure, ScannerSettings, TicketCommand, TicketEventType
from shared.messaging.dead_letters import Failed
from shared.messaging.envelope import Envelope
from shared.messaging.outbox import Unit
from shared.messaging.received import Received
from shared.observability import get_logger
from tickets.acknowledging import acknowledge, counted
from tickets.adapters.automatic import hold, read_limits
from tickets.adapters.desk import load_desk, load_mails
from tickets.adapters.rows import message_id_of
from tickets.adapters.save import Done, Numbers, next_history_ids, save
from tickets.adapters.tables import scanners
from tickets.attention import notices
from tickets.coming_back import note
from tickets.domain.carry_out import apply, carry_out
from tickets.domain.keys import address_key, lock_names
from tickets.domain.state import BY_MAIL, Change, Desk, Effects, MailState
from tickets.domain.storable import storable, without_nul
from tickets.erasure.refusing import without_erased
from tickets.events import emit_outcome, emit_ticket_event

log = get_logger("tickets")

REASON_CHARS = 2000
ESCAPED_NUL = b"\\u0000"


def locks_of(received: Received[TicketCommand]) -> Iterable[str]:
    """Advisory locks that one command needs."""
    return lock_names(_body(received))


async def on_commands(unit: Unit, received: Sequence[Received[TicketCommand]]) -> None:
    """A batch of commands: load all they need, decide one after the other, store all they did, tell it."""
    commands = await without_erased(unit.conn, [_body(one) for one in received])
    desk = await load_desk(unit.conn, commands)
    at, history_ids = unit.clock(), await next_history_ids(unit.conn, len(commands))
    done: list[Done] = []
    for one, command, history_id in zip(received, commands, history_ids, strict=True):
        effects = carry_out(command, desk, at, history_id=history_id, asked_again=one.envelope.resend > 0)
        apply(effects, command, desk)
        done.append(Done(command, effects))
    number = await save(unit.conn, done, desk)
    await _answer_by_machine(unit, received, done, desk, number)
    for one, what in zip(received, done, strict=True):
        _tell(unit, what, desk, number, one.envelope)


async def _answer_by_machine(
    unit: Unit, received: Sequence[Received[TicketCommand]], done: Sequence[Done], desk: Desk, number: Numbers
) -> None:
    """Acknowledgements, and what came back about our mails."""
    if not any(one.effects.acknowledgement or one.effects.about for one in done):
        return
    await hold(unit.conn, [*counted(done), *notices(done, desk)])
    limits = await read_limits(unit.conn)
    for one, what in zip(received, done, strict=True):
        await acknowledge(unit, what, number, limits, replayed=one.envelope.replay is not None)
        if what.effects.about is not None:
            await note(unit, what.command, what.effects.about, one.envelope)


async def on_command(_: Unit, __: Received[TicketCommand]) -> None:
    """Nothing is left to do: `on_commands` did the whole batch in the same transaction."""


async def on_command_failure(unit: Unit, failed: Failed) -> None:
    """Our own dead letter: the mail's outcome is `failed` (or `dropped`) until a later command succeeds."""
    command = _failure_of(failed, unit.clock())
    if command is None:
        log.error("a dead letter names no mail", reason=failed.reason[:300])
        return
    desk = Desk(mails=await load_mails(unit.conn, [command.mail_id]))
    (history_id,) = await next_history_ids(unit.conn, 1)
    done = Done(command, carry_out(command, desk, unit.clock(), history_id=history_id))
    number = await save(unit.conn, [done], desk)
    _tell(unit, done, desk, number, failed.envelope)


def _failure_of(failed: Failed, at: datetime) -> TicketCommand | None:
    """A command to record the failure, from as much of the event as can be read; None where it does not say which mail it is."""
    try:
        read = json.loads(failed.record.value or b"")
    except ValueError:
        read = {}
    given = read if isinstance(read, dict) else {}
    mail_id, run = given.get("mail_id") or failed.mail_id, given.get("run", 1)
    if not isinstance(mail_id, str):
        return None
    reason = without_nul(failed.reason[:REASON_CHARS])
    return TicketCommand(
        mail_id=_storable(mail_id),
        run=run if isinstance(run, int) and run > 0 else 1,
        kind=CommandKind.FAILURE,
        scanner_id=_storable(str(given.get("scanner_id", ""))),
        received_at=at,
        archive_key=_storable(str(given.get("archive_key", ""))),
        failure=Failure(outcome="dropped" if failed.outcome == "dropped" else "failed", reason=reason),
    )


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")


def _tell(unit: Unit, done: Done, desk: Desk, number: Numbers, cause: Envelope | None) -> None:
    """The outcome, and the change of the ticket where there is one."""
    effects = done.effects
    if effects.repeat is not None:
        emit_outcome(unit, effects.repeat, effects.repeat.ticket_id, cause)
    if effects.mail is None:
        return
    emit_outcome(unit, effects.mail, number(effects.mail.ticket_id), cause)
    if effects.ticket is not None:
        _tell_of_ticket(unit, effects.mail, effects, desk, number, cause)
    log.info("carried out", mail_id=effects.mail.mail_id, outcome=effects.mail.type.value, ticket=number(effects.mail.ticket_id))


def _tell_of_ticket(unit: Unit, mail: MailState, effects: Effects, desk: Desk, number: Numbers, cause: Envelope | None) -> None:
    ticket = effects.ticket
    ticket_id = number(ticket.id) if ticket else None
    if ticket is None or ticket_id is None:
        return
    kind = TicketEventType.CREATED if effects.change is Change.OPENED else TicketEventType.UPDATED
    of, message = (mail.mail_id, mail.run, mail.revision), message_id_of(mail.mail_id)
    emit_ticket_event(
        unit, kind, ticket_id, ticket.title, actor=BY_MAIL, at=mail.at, of=of, message_id=message, mail_id=mail.mail_id, cause=cause
    )
    older = number(ticket.linked_ticket_id)
    if kind is TicketEventType.CREATED and older is not None:
        title = desk.tickets[ticket.linked_ticket_id or 0].title
        emit_ticket_event(unit, TicketEventType.LINKED, older, title, actor=BY_MAIL, at=mail.at, of=of, mail_id=mail.mail_id, cause=cause)


async def on_scanner(unit: Unit, received: Received[ScannerSettings]) -> None:
    """Keep our copy of the scanner; a lower version is older news. A deleted one keeps its row: its tickets still name it."""
    if received.tombstone:
        await unit.conn.execute(update(scanners).where(scanners.c.scanner_id == received.key).values(deleted=True))
        return
    body = received.body
    row = {
        "scanner_id": body.scanner_id,
        "version": body.version,
        "name": body.name,
        "address": body.address,
        "folded": address_key(body.address),
        "sender_id": body.sender_id,
        "deleted": False,
    }
    statement = insert(scanners).values(row)
    changes = {name: statement.excluded[name] for name in row if name != "scanner_id"}
    newer = scanners.c.version <= statement.excluded.version
    await unit.conn.execute(statement.on_conflict_do_update(index_elements=[scanners.c.scanner_id], set_=changes, where=newer))


def _body(received: Received[TicketCommand]) -> TicketCommand:
    """Postgres' texts take no NUL; a command from a healthy rules service has none."""
    return storable(received.body) if ESCAPED_NUL in received.value else received.body
