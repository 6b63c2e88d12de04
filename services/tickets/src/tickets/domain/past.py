"""The desk as a command found it: what later mails did is taken away again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from shared.events import TicketCommand
from tickets.domain.keys import MAX_BIGINT
from tickets.domain.state import Desk, KnownId, TicketState
from tickets.domain.wanted import Wanted

TODAY: Final = MAX_BIGINT
"""Place in the history of a mail that was never carried out: after all the others."""


@dataclass
class Past:
    """What the commands of a batch may have seen, each from its own place in the history."""

    places: dict[str, int] = field(default_factory=dict)
    """Mail → its place, for those that were carried out."""
    ids: dict[tuple[str, int], list[KnownId]] = field(default_factory=dict)
    """(Message-ID, place) → where it led to before."""
    titles: dict[tuple[str, str, int], int] = field(default_factory=dict)
    """(scanner, folded title, place) → the newest ticket with it before."""
    tickets: dict[int, TicketState] = field(default_factory=dict)
    participants: dict[int, dict[str, int]] = field(default_factory=dict)
    """Ticket → participant → since when."""
    contacts: dict[str, str] = field(default_factory=dict)
    spam: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()

    def place(self, command: TicketCommand) -> int:
        return self.places.get(command.mail_id, TODAY)

    def desk(self, command: TicketCommand) -> Desk:
        """For this command alone. Its mail has no outcome yet, and neither has any other: an outcome is nothing a candidate looks at."""
        place, wanted = self.place(command), Wanted.by([command])
        desk = Desk(contacts=self.contacts, spam=self.spam, own=self.own)
        desk.ids = {key: self.ids.get((key, place), []) for key in wanted.ids}
        desk.titles = {
            (scanner, title): number for scanner, title in wanted.titles if (number := self.titles.get((scanner, title, place))) is not None
        }
        numbers = {*wanted.numbers, *desk.titles.values(), *(known.ticket_id for found in desk.ids.values() for known in found)}
        desk.tickets = {number: one for number in numbers if (one := self.tickets.get(number)) and one.history_id < place}
        desk.participants = {
            number: {address for address, since in self.participants.get(number, {}).items() if since < place} for number in desk.tickets
        }
        return desk
