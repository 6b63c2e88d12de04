"""Rows as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from shared.api import AttachmentView, DeliveryView, FieldChange, Message, RecordRef, SpamSender, Ticket, TicketChange
from shared.events import DeliveryState
from shared.mail.model import Address, Fold
from tickets.domain.deliveries import worst
from tickets.domain.files import Policy, file_name
from tickets.domain.html import sanitise


def ticket_view(row: Row[Any], attachments: Sequence[Row[Any]], watchers: Sequence[Address], policy: Policy) -> Ticket:
    return Ticket(
        id=row.id,
        title=row.title,
        description=row.description,
        status=row.status,
        priority=row.priority,
        category=row.category,
        assignee=row.assignee,
        tags=row.tags,
        source=row.source,
        scanner_id=row.scanner_id,
        sender=row.sender,
        recipients=row.recipients,
        contact=RecordRef(id=row.contact_id, type=row.contact_type, name=row.contact_name) if row.contact_id else None,
        external_code=row.external_code,
        watchers=[watcher.address for watcher in watchers],
        linked_ticket_id=row.linked_ticket_id,
        merged_into=row.merged_into,
        attachments=[attachment_view(attachment, policy) for attachment in attachments],
        message_count=row.message_count,
        deleted=row.deleted_at is not None,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def attachment_view(row: Row[Any], policy: Policy) -> AttachmentView:
    refusal = policy.refusal(row.name, row.type, row.size)
    return AttachmentView(id=row.id, name=file_name(row.name), type=row.type, size=row.size, inline=row.inline, blocked=refusal)


def attachment_path(ticket_id: int, attachment_id: str) -> str:
    """Address of an image shown in place."""
    return f"/api/v1/tickets/{ticket_id}/attachments/{attachment_id}?inline=true"


def message_view(row: Row[Any], attachments: Sequence[Row[Any]], deliveries: Sequence[Row[Any]], policy: Policy) -> Message:
    images = {one.content_id: attachment_path(row.ticket_id, one.id) for one in attachments if one.content_id}
    states = [DeliveryView(recipient=one.recipient, state=DeliveryState(one.state), detail=one.detail, at=one.at) for one in deliveries]
    return Message(
        id=row.id,
        kind=row.kind,
        direction=row.direction,
        sender=row.sender,
        text=row.text,
        folds=[Fold.model_validate(fold) for fold in row.folds],
        html=sanitise(row.html, images) if row.html else None,
        attachments=[attachment_view(one, policy) for one in attachments],
        mail_id=row.mail_id,
        message_id=row.message_id,
        delivery=worst(state.state for state in states),
        deliveries=states,
        created_at=row.received_at,
    )


def change_view(row: Row[Any]) -> TicketChange:
    return TicketChange(
        id=row.id,
        at=row.at,
        actor=row.actor,
        type=row.type,
        changes=[FieldChange.model_validate(one) for one in row.changes],
        mail_id=row.mail_id,
        message_id=row.message_id,
        other_ticket_id=row.other_ticket_id,
    )


def spam_sender_view(row: Row[Any]) -> SpamSender:
    return SpamSender(
        id=row.id,
        address=row.address,
        kind="domain" if row.folded.startswith("@") else "address",
        created_by=row.created_by,
        created_at=row.created_at,
        hits=row.hits,
        last_hit_at=row.last_hit_at,
    )
