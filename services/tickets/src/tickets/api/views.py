"""Rows as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from shared.api import AttachmentView, DeliveryView, Message, RecordRef, SpamSender, Ticket
from shared.events import DeliveryState
from shared.mail.model import Fold
from tickets.domain.deliveries import worst
from tickets.domain.html import sanitise


def ticket_view(row: Row[Any], attachments: Sequence[Row[Any]]) -> Ticket:
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
        contact=RecordRef(id=row.contact_id, name=row.contact_name) if row.contact_id else None,
        linked_ticket_id=row.linked_ticket_id,
        attachments=[attachment_view(attachment) for attachment in attachments],
        message_count=row.message_count,
        deleted=row.deleted_at is not None,
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def attachment_view(row: Row[Any]) -> AttachmentView:
    return AttachmentView(id=row.id, name=row.name, type=row.type, size=row.size, inline=row.inline)


def attachment_path(ticket_id: int, attachment_id: str) -> str:
    """Address of an image shown in place."""
    return f"/api/v1/tickets/{ticket_id}/attachments/{attachment_id}?inline=true"


def message_view(row: Row[Any], attachments: Sequence[Row[Any]], deliveries: Sequence[Row[Any]]) -> Message:
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
        attachments=[attachment_view(one) for one in attachments],
        mail_id=row.mail_id,
        message_id=row.message_id,
        delivery=worst(state.state for state in states),
        deliveries=states,
        created_at=row.received_at,
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
