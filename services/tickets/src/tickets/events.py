"""The events tickets emits, with ids that are functions of what happened (so that doing it twice emits it once)."""

from __future__ import annotations

from datetime import datetime

from shared.events import MailOutcome, OutgoingMail, TicketEvent, TicketEventType, derived_id
from shared.messaging.envelope import Envelope
from shared.messaging.outbox import Unit
from shared.observability import OUTCOMES
from shared.topics import MAIL_OUTCOMES, MAIL_OUTGOING, TICKET_EVENTS
from tickets.domain.state import MailState

REASON_CHARS = 2000


def emit_outcome(unit: Unit, mail: MailState, ticket_id: int | None, cause: Envelope | None = None) -> None:
    """The mail's current outcome, under the same id each time it is told."""
    body = MailOutcome(
        mail_id=mail.mail_id,
        scanner_id=mail.scanner_id,
        run=mail.run,
        revision=mail.revision,
        type=mail.type,
        kind=mail.kind,
        ticket_id=ticket_id,
        rule_id=mail.rule_id,
        rule_name=mail.rule_name,
        reason=mail.reason[:REASON_CHARS] if mail.reason else None,
        record_type=mail.record_type,
        record_id=mail.record_id,
        at=mail.at,
    )
    event_id = derived_id(mail.mail_id, mail.run, mail.revision, "outcome")
    unit.emit(MAIL_OUTCOMES, event_id=event_id, key=mail.mail_id, body=body, cause=cause)
    OUTCOMES.labels(mail.type.value).inc()


def emit_ticket_event(
    unit: Unit,
    kind: TicketEventType,
    ticket_id: int,
    title: str,
    *,
    actor: str,
    at: datetime,
    of: tuple[str | int, ...],
    message_id: str | None = None,
    mail_id: str | None = None,
    cause: Envelope | None = None,
) -> None:
    """One change of a ticket. `of` names what happened: two changes never share it."""
    body = TicketEvent(ticket_id=ticket_id, type=kind, title=title, actor=actor, message_id=message_id, mail_id=mail_id, at=at)
    unit.emit(TICKET_EVENTS, event_id=derived_id(ticket_id, kind, *of, "ticket-event"), key=str(ticket_id), body=body, cause=cause)


def emit_send(unit: Unit, mail: OutgoingMail, *, resend: int | None = None) -> None:
    """An answer to be sent; the sweep sends it again under the same id."""
    unit.emit(MAIL_OUTGOING, event_id=mail.outgoing_id, key=str(mail.ticket_id), body=mail, resend=resend)


def emit_cancel(unit: Unit, message_id: str, ticket_id: int, *, resend: int | None = None) -> None:
    """Stop an answer that has not left yet; the sweep says it again under the same id."""
    body = OutgoingMail(outgoing_id=message_id, type="cancel", ticket_id=ticket_id)
    unit.emit(MAIL_OUTGOING, event_id=derived_id(message_id, "cancel"), key=str(ticket_id), body=body, resend=resend)
