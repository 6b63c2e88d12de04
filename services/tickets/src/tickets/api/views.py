"""Rows as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from shared.api import (
    AttachmentView,
    DeliveryView,
    Draft,
    FieldChange,
    Message,
    MessageReport,
    RecordRef,
    SpamSender,
    Ticket,
    TicketChange,
    Upload,
)
from shared.events import DeliveryState, OutgoingMode
from shared.mail.model import Address, Fold
from tickets.answer_files import File
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
        attention=row.attention,
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


def report_view(row: Row[Any]) -> MessageReport:
    return MessageReport(kind=row.kind, recipient=row.recipient, detail=row.detail, mail_id=row.mail_id, at=row.at)


def message_view(
    row: Row[Any], attachments: Sequence[Row[Any]], deliveries: Sequence[Row[Any]], policy: Policy, reports: Sequence[Row[Any]] = ()
) -> Message:
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
        mode=_mode(row),
        recipients=_addresses(row.recipients) if row.direction == "out" else [],
        cc=_addresses(row.cc) if row.direction == "out" else [],
        reports=[report_view(one) for one in reports],
        undo_until=row.undo_until,
        created_at=row.received_at,
    )


def _mode(row: Row[Any]) -> OutgoingMode | None:
    """Of what left as a mail before there were modes, `info`."""
    if row.mode:
        return OutgoingMode(row.mode)
    return OutgoingMode.INFO if row.direction == "out" and row.message_id else None


def _addresses(people: Sequence[dict[str, Any]]) -> list[str]:
    return [one["address"] for one in people]


def upload_view(row: Row[Any]) -> Upload:
    return Upload(id=row.id, name=row.name, type=row.type, size=row.size)


def draft_view(row: Row[Any], files: Sequence[File], policy: Policy) -> Draft:
    """`files`: those of its attachments that are still there."""
    return Draft(
        body=row.body,
        mode=row.mode,
        quote=row.quote,
        cc=row.cc,
        attachments=row.attachments,
        files=[_file_view(one, policy) for one in files],
        version=row.version,
        updated_at=row.updated_at,
    )


def _file_view(file: File, policy: Policy) -> AttachmentView:
    refusal = policy.refusal(file.name, file.type, file.size)
    return AttachmentView(id=file.id, name=file_name(file.name), type=file.type, size=file.size, blocked=refusal)


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
