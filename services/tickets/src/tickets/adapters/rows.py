"""Rows of a mail's message: what is stored of a command that opened or updated a ticket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from shared.events import CommandMail, TicketCommand, derived_id
from shared.mail.model import Address
from tickets.domain.keys import address_key, code_key, title_key
from tickets.domain.registry import name_key, search_words
from tickets.domain.state import MailState, NewLead, TicketState

Row = dict[str, Any]
Number = Callable[[int | None], int | None]
"""Gives the stored number of a provisional one."""


def message_id_of(mail_id: str) -> str:
    """Id of the ticket's message a mail becomes."""
    return derived_id(mail_id, "message")


def mail_row(mail: MailState, number: Number) -> Row:
    return {
        "mail_id": mail.mail_id,
        "scanner_id": mail.scanner_id,
        "run": mail.run,
        "revision": mail.revision,
        "type": mail.type.value,
        "at": mail.at,
        "ticket_id": number(mail.ticket_id),
        "rule_id": mail.rule_id,
        "rule_name": mail.rule_name,
        "reason": mail.reason,
        "kind": mail.kind,
        "prior_type": mail.prior_type,
        "sender_folded": mail.sender,
        "archive_key": mail.archive_key,
        "received_at": mail.received_at,
        "record_type": mail.record_type,
        "record_id": mail.record_id,
        "history_id": mail.history_id,
    }


def ticket_row(ticket: TicketState, command: TicketCommand, mail: CommandMail, state: MailState, number: Number) -> Row:
    sender = mail.from_.address if mail.from_ else ""
    return {
        "id": number(ticket.id),
        "title": ticket.title,
        "folded_title": title_key(ticket.title),
        "description": mail.text,
        "status": ticket.status,
        "priority": ticket.priority,
        "category": ticket.category,
        "assignee": ticket.assignee,
        "tags": ticket.tags,
        "source": "mail",
        "scanner_id": command.scanner_id,
        "sender": sender,
        "sender_folded": address_key(sender) or None,
        "recipients": list(dict.fromkeys(address.address for address in [*mail.to, *mail.cc] if address.address)),
        "contact_id": ticket.contact_id,
        "external_code": ticket.external_code,
        "folded_code": code_key(ticket.external_code) if ticket.external_code else None,
        "linked_ticket_id": number(ticket.linked_ticket_id),
        "closed_at": ticket.closed_at,
        "created_at": state.at,
        "updated_at": state.at,
        "history_id": ticket.history_id,
    }


def lead_row(lead: NewLead) -> Row:
    words = search_words(lead.name, None, [lead.address])
    return {"id": lead.id, "type": "lead", "name": lead.name, "folded_name": name_key(lead.name), "words": words}


def lead_address_row(lead: NewLead) -> Row:
    return {"type": "lead", "folded": lead.key, "contact_id": lead.id, "address": lead.address}


def message_row(command: TicketCommand, mail: CommandMail, state: MailState, ticket_id: int | None) -> Row:
    sender = mail.from_ or Address(address="")
    return {
        "id": message_id_of(command.mail_id),
        "ticket_id": ticket_id,
        "kind": "mail",
        "direction": "in",
        "sender": sender.address or sender.name,
        "sender_name": sender.name,
        "reply_to": _addresses(mail.reply_to),
        "recipients": _addresses(mail.to),
        "cc": _addresses(mail.cc),
        "text": mail.text,
        "folds": [fold.model_dump() for fold in mail.folds],
        "html": mail.html,
        "mail_id": command.mail_id,
        "message_id": mail.message_id,
        "in_reply_to": mail.in_reply_to,
        "references": mail.references,
        "received_at": command.received_at,
        "order_id": command.mail_id,
        "created_at": state.at,
    }


def attachment_rows(command: TicketCommand, mail: CommandMail, ticket_id: int | None) -> Iterator[Row]:
    for position, attachment in enumerate(mail.attachments):
        yield {
            "id": derived_id(command.mail_id, attachment.part, "attachment"),
            "ticket_id": ticket_id,
            "message_id": message_id_of(command.mail_id),
            "archive_key": command.archive_key,
            "part": attachment.part,
            "position": position,
            "name": attachment.name,
            "type": attachment.type,
            "size": attachment.size,
            "sha256": attachment.sha256,
            "content_id": attachment.content_id,
            "inline": attachment.inline,
        }


def _addresses(addresses: list[Address]) -> list[dict[str, str]]:
    return [address.model_dump() for address in addresses]
