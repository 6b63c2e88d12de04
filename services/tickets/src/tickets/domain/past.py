"""The desk as a command found it: what later mails did is taken away again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from shared.api import RecordType
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
    codes: dict[tuple[str, str, int], int] = field(default_factory=dict)
    """The same by folded external code."""
    tickets: dict[int, TicketState] = field(default_factory=dict)
    participants: dict[int, dict[str, int]] = field(default_factory=dict)
    """Ticket → participant → since when."""
    records: dict[str, dict[RecordType, str]] = field(default_factory=dict)
    spam: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()
    acknowledge_unchecked: bool = True

    def place(self, command: TicketCommand) -> int:
        return self.places.get(command.mail_id, TODAY)

    def desk(self, command: TicketCommand) -> Desk:
        """For this command alone. Its mail has no outcome yet, and neither has any other: an outcome is nothing a candidate looks at."""
        place, wanted = self.place(command), Wanted.by([command])
        desk = Desk(records=self.records, spam=self.spam, own=self.own, acknowledge_unchecked=self.acknowledge_unchecked)
        desk.ids = {key: self.ids.get((key, place), []) for key in wanted.ids}
        desk.titles = {key: number for key in wanted.titles if (number := self.titles.get((*key, place))) is not None}
        desk.codes = {key: number for key in wanted.codes if (number := self.codes.get((*key, place))) is not None}
        desk.tickets = {number: self.tickets[number] for number in self._reached(desk, wanted, place)}
        desk.participants = {
            number: {address for address, since in self.participants.get(number, {}).items() if since < place} for number in desk.tickets
        }
        return desk

    def _reached(self, desk: Desk, wanted: Wanted, place: int) -> set[int]:
        """Numbers of the tickets that were there at this place, and of those that have their messages today, however young these are.

        What a Message-ID led to before the place was there before it: on this ticket, or on one that was merged into it since.
        """
        named = {number for number in wanted.all_numbers(self.own) if number in self.tickets and self.tickets[number].history_id < place}
        known = {one.ticket_id for found in desk.ids.values() for one in found}
        reached: set[int] = set()
        todo = [*named, *desk.titles.values(), *desk.codes.values(), *known]
        while todo:
            number = todo.pop()
            ticket = self.tickets.get(number)
            if ticket is None or number in reached:
                continue
            reached.add(number)
            todo += [ticket.merged_into] if ticket.merged_into is not None else []
        return reached
