"""The tables of tickets. Every look-up a command, a list or a sweep does has its index here.

`history_id` numbers what was done in the order it was done: a mail carried out, a ticket opened, a participant brought, a Message-ID
learned. What a mail itself did has the mail's own number. It is taken under the locks that keep related commands apart, so of two
that could see each other the later has the higher.

Texts that are looked up are stored as `domain.keys.index_key` makes them: a B-tree entry may not exceed 2,704 bytes.
"""

from tickets.adapters.tables.answers import (
    DRAFT_VERSIONS,
    automatic_mails,
    deliveries,
    drafts,
    message_reports,
    outgoing,
    unwanted_files,
    uploads,
)
from tickets.adapters.tables.base import ERASED, HISTORY, MESSAGING, METADATA
from tickets.adapters.tables.desk import desk_settings, erasures, jobs, saved_views, webhook_deliveries, webhooks
from tickets.adapters.tables.mails import mails, operators, scanners, spam_senders
from tickets.adapters.tables.registry import import_parts, import_records, record_addresses, records
from tickets.adapters.tables.tickets import (
    attachments,
    message_ids,
    messages,
    participants,
    search_queue,
    ticket_changes,
    ticket_search,
    tickets,
    watchers,
)

__all__ = [
    "DRAFT_VERSIONS",
    "ERASED",
    "HISTORY",
    "MESSAGING",
    "METADATA",
    "attachments",
    "automatic_mails",
    "deliveries",
    "desk_settings",
    "drafts",
    "erasures",
    "import_parts",
    "import_records",
    "jobs",
    "mails",
    "message_ids",
    "message_reports",
    "messages",
    "operators",
    "outgoing",
    "participants",
    "record_addresses",
    "records",
    "saved_views",
    "scanners",
    "search_queue",
    "spam_senders",
    "ticket_changes",
    "ticket_search",
    "tickets",
    "unwanted_files",
    "uploads",
    "watchers",
    "webhook_deliveries",
    "webhooks",
]
