"""What a decision sees and what it changes. Everything is loaded before, so that deciding is a function."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final

from shared.api import RecordType
from shared.events import OutcomeType
from shared.mail.model import Address

STATUSES: Final = ("open", "in_progress", "waiting", "closed")
MAIL_ORIGIN, OURS_ORIGIN, REFERRED_ORIGIN = "mail", "ours", "referred"
BY_MAIL: Final = "mail"
"""Who changed a ticket, where no person did."""
FAILURES: Final = frozenset({OutcomeType.FAILED, OutcomeType.DROPPED})
MAX_MERGES: Final = 20
"""A ticket merged into one that was merged into one …: so many steps are followed."""


@dataclass(frozen=True)
class TicketState:
    """A ticket as far as mails change it. A negative id is provisional: the number is given when it is stored."""

    id: int
    scanner_id: str | None
    title: str
    status: str = "open"
    priority: str = "normal"
    category: str | None = None
    assignee: str | None = None
    tags: tuple[str, ...] = ()
    deleted: bool = False
    closed_at: datetime | None = None
    linked_ticket_id: int | None = None
    merged_into: int | None = None
    """The ticket that has its messages now."""
    contact_id: str | None = None
    external_code: str | None = None
    version: int = 1
    history_id: int = 0
    """When it was opened (see `MailState.history_id`)."""


@dataclass(frozen=True)
class MailState:
    """The current outcome of a mail. Its row stays for ever: it is what makes a mail happen once."""

    mail_id: str
    scanner_id: str
    run: int
    revision: int
    type: OutcomeType
    at: datetime
    ticket_id: int | None = None
    rule_id: str | None = None
    rule_name: str | None = None
    reason: str | None = None
    kind: str | None = None
    """Kind of mail; None where it could not be read."""
    prior_type: str | None = None
    """What the outcome was before its ticket was marked as spam."""
    sender: str | None = None
    archive_key: str = ""
    received_at: datetime | None = None
    record_type: RecordType | None = None
    """Outcome link: sort of record the mail is filed with, and which."""
    record_id: str | None = None
    history_id: int = 0
    """Place in the history: of two mails that look at the same ticket, the one carried out first has the lower."""


@dataclass(frozen=True)
class KnownId:
    """A Message-ID that leads to a ticket: of a mail on it, of an answer of ours, or only referred to by a mail on it."""

    ticket_id: int
    scanner_id: str | None
    origin: str
    answer_id: str | None = None
    """Of an answer of ours: the ticket's message."""


@dataclass(frozen=True)
class NewLead:
    """A lead made for an address that no record has."""

    id: str
    name: str
    address: str
    key: str
    """`record_key` of the address."""


@dataclass(frozen=True)
class Acknowledgement:
    """That a mail opened a ticket by a rule that acknowledges."""

    to: Address
    refusal: str | None = None
    """Why none goes out, in plain words."""


@dataclass
class Desk:
    """All that a batch of commands may need. `apply` keeps it up to date from one command of the batch to the next."""

    mails: dict[str, MailState] = field(default_factory=dict)
    tickets: dict[int, TicketState] = field(default_factory=dict)
    titles: dict[tuple[str, str], int] = field(default_factory=dict)
    """(scanner, folded title) → the newest ticket with it."""
    codes: dict[tuple[str, str], int] = field(default_factory=dict)
    """(scanner, folded external code) → the newest ticket with it."""
    ids: dict[str, list[KnownId]] = field(default_factory=dict)
    participants: dict[int, set[str]] = field(default_factory=dict)
    """Ticket → those of its participants who matter to this batch."""
    records: dict[str, dict[RecordType, str]] = field(default_factory=dict)
    """Address, by any of `record_keys` → the record of each sort that has it."""
    spam: frozenset[str] = frozenset()
    """Listed addresses and domains."""
    own: frozenset[str] = frozenset()
    """The mailboxes' own addresses: never participants, never on the spam list."""
    acknowledge_unchecked: bool = True
    """Whether mails are acknowledged whose sender nobody checked; read where a rule of the batch acknowledges."""
    provisional: int = 0
    """The last provisional ticket number given."""

    def ticket(self, number: int) -> TicketState | None:
        """The ticket with the number, or the one that has its messages now; None where that is deleted or there is none."""
        found = self.tickets.get(number)
        for _ in range(MAX_MERGES):
            if found is None or found.merged_into is None:
                break
            found = self.tickets.get(found.merged_into)
        return None if found is None or found.deleted or found.merged_into is not None else found


class Change(Enum):
    """What a command does to its ticket."""

    OPENED = "opened"
    APPENDED = "appended"


@dataclass(frozen=True)
class Effects:
    """What one command does. All empty: it was done before."""

    mail: MailState | None = None
    """The outcome to store and report."""
    repeat: MailState | None = None
    """A stored outcome to report once more, because its receiver asked again."""
    ticket: TicketState | None = None
    change: Change | None = None
    before: TicketState | None = None
    """The ticket as it was, where the mail was appended to it."""
    lead: NewLead | None = None
    hit: str | None = None
    """Entry of the spam list that stopped the mail."""
    about: str | None = None
    """The message of ours the mail came back about."""
    acknowledgement: Acknowledgement | None = None
