"""The desk as a few dictionaries: what `test_against_model.py` compares the service with.

It is written from the design's sentences, not from the service: slow, in memory, one mail after the other, with no table and no index.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

OWN: Final = "help@company.example"


@dataclass(frozen=True)
class ModelMail:
    """A mail with what its rules capture: `number` and `title` are keys to look up, None for a rule that is not there."""

    mail_id: str
    sender: str
    subject: str
    message_id: str
    refers: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    forged: bool = False
    """It fails DMARC."""
    number: int | None = None
    title: str | None = None
    conversation: bool = True
    creates: bool = True


@dataclass
class ModelTicket:
    title: str
    status: str = "open"
    mails: list[str] = field(default_factory=list)
    answers: int = 0
    people: set[str] = field(default_factory=set)
    ours: set[str] = field(default_factory=set)
    """Message-IDs of our answers."""
    own: set[str] = field(default_factory=set)
    """Message-IDs of its mails."""
    referred: set[str] = field(default_factory=set)
    linked: int | None = None
    merged_into: int | None = None
    deleted: bool = False


class ModelDesk:
    """Ticket number → ticket, mail → (outcome, ticket)."""

    def __init__(self) -> None:
        self.tickets: dict[int, ModelTicket] = {}
        self.outcomes: dict[str, tuple[str, int | None]] = {}
        self.spam: set[str] = set()

    def carry_out(self, mail: ModelMail) -> None:
        """Once; a second time nothing happens."""
        if mail.mail_id in self.outcomes:
            return
        if mail.sender in self.spam:
            self.outcomes[mail.mail_id] = ("spam", None)
            return
        for found, known in self._candidates(mail):
            if found is not None:
                self._update(found, mail)
                return
            if known:
                self._open(mail, None)
                return
        self.outcomes[mail.mail_id] = ("unmatched", None)

    def _candidates(self, mail: ModelMail) -> list[tuple[int | None, bool]]:
        """(ticket found, whether it takes without one), in the rules' order."""
        tried: list[tuple[int | None, bool]] = []
        if mail.conversation:
            tried.append((self._by_conversation(mail), False))
        if mail.number is not None:
            tried.append((self._alive(mail.number), False))
        if mail.title is not None:
            tried.append((self._by_title(mail.title), False))
        if mail.creates:
            tried.append((None, True))
        return tried

    def _by_conversation(self, mail: ModelMail) -> int | None:
        ours = [number for number, one in self.tickets.items() if one.ours & set(mail.refers)]
        theirs = [number for number, one in self.tickets.items() if (one.own | one.referred) & set(mail.refers)]
        asked_for = [number for number, one in self.tickets.items() if mail.message_id in one.referred - one.own - one.ours]
        return self._best(ours, mail) or self._best([*theirs, *asked_for], mail)

    def _best(self, numbers: list[int], mail: ModelMail) -> int | None:
        """The newest the sender takes part in, else the newest."""
        alive = sorted({found for number in numbers if (found := self._alive(number)) is not None}, reverse=True)
        return next((number for number in alive if self._takes_part(number, mail)), None) or next(iter(alive), None)

    def _by_title(self, title: str) -> int | None:
        """The newest that has its messages still; where all were merged, what the newest became part of."""
        named = [number for number, one in self.tickets.items() if one.title == title and not one.deleted]
        whole = [number for number in named if self.tickets[number].merged_into is None]
        return self._alive(max(whole or named)) if named else None

    def _alive(self, number: int) -> int | None:
        """The ticket, or where it was merged to; None where that is deleted or there never was one."""
        while (ticket := self.tickets.get(number)) is not None and ticket.merged_into is not None:
            number = ticket.merged_into
        return None if ticket is None or ticket.deleted else number

    def _takes_part(self, number: int, mail: ModelMail) -> bool:
        return not mail.forged and mail.sender in self.tickets[number].people

    def _update(self, number: int, mail: ModelMail) -> None:
        if not self._takes_part(number, mail):
            self._open(mail, number)
            return
        ticket = self.tickets[number]
        ticket.status = "in_progress" if ticket.status == "in_progress" else "open"
        self._learn(ticket, mail)
        self.outcomes[mail.mail_id] = ("update", number)

    def _open(self, mail: ModelMail, linked: int | None) -> None:
        number = max(self.tickets, default=0) + 1
        self.tickets[number] = ticket = ModelTicket(mail.subject, linked=linked)
        self._learn(ticket, mail)
        self.outcomes[mail.mail_id] = ("ticket", number)

    @staticmethod
    def _learn(ticket: ModelTicket, mail: ModelMail) -> None:
        ticket.mails.append(mail.mail_id)
        ticket.people |= {mail.sender, *mail.cc} - {OWN}
        ticket.own.add(mail.message_id)
        ticket.referred |= set(mail.refers)

    def answer(self, number: int, message_id: str) -> None:
        ticket = self.tickets[number]
        ticket.answers += 1
        ticket.ours.add(message_id)
        ticket.status = ticket.status if ticket.status == "closed" else "waiting"

    def merge(self, number: int, into: int) -> None:
        gone, target = self.tickets[number], self.tickets[into]
        target.mails += gone.mails
        target.answers += gone.answers
        target.people |= gone.people
        target.ours |= gone.ours
        target.own |= gone.own
        target.referred |= gone.referred
        for mail_id in gone.mails:
            self.outcomes[mail_id] = (self.outcomes[mail_id][0], into)
        self.tickets[number] = ModelTicket(gone.title, status="closed", linked=gone.linked, merged_into=into)
