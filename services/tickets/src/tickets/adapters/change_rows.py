"""Rows of the history of tickets: what a batch of mails changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict

from shared.events import TicketEventType
from tickets.adapters.rows import Number, Row, message_id_of
from tickets.domain.changes import differences
from tickets.domain.state import BY_MAIL, Change, Effects

BY_RULES = ("status", "priority", "category", "assignee", "tags")


def change_rows(done: Iterable[Effects], number: Number) -> list[Row]:
    """In the order of the mails; a ticket that another continues has an entry too."""
    return [row for effects in done for row in _rows(effects, number)]


def _rows(effects: Effects, number: Number) -> Iterator[Row]:
    mail, ticket = effects.mail, effects.ticket
    if mail is None or ticket is None:
        return
    common = {"at": mail.at, "actor": BY_MAIL, "mail_id": mail.mail_id, "message_id": message_id_of(mail.mail_id)}
    kind = TicketEventType.CREATED if effects.change is Change.OPENED else TicketEventType.UPDATED
    told = {"ticket_id": number(ticket.id), "type": kind.value, "changes": _differences(effects), "other_ticket_id": None}
    yield {**common, **told}
    if kind is TicketEventType.CREATED and ticket.linked_ticket_id is not None:
        linked: Row = {"type": TicketEventType.LINKED.value, "changes": [], "message_id": None}
        yield {**common, **linked, "ticket_id": number(ticket.linked_ticket_id), "other_ticket_id": number(ticket.id)}


def _differences(effects: Effects) -> list[dict[str, object]]:
    if effects.before is None or effects.ticket is None:
        return []
    before, after = asdict(effects.before), asdict(effects.ticket)
    return differences(before, {name: after[name] for name in BY_RULES})
