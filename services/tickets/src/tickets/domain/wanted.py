"""What a batch of commands looks up: known before anything is loaded, so that the number of queries is fixed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from shared.events import ActionType, Lookup, TicketCommand
from tickets.domain.keys import address_key, conversation_ids, linked_addresses, lookup_keys, record_keys, referred_ids, reported_ids
from tickets.domain.plus import plus_numbers
from tickets.domain.spam import entries_for


@dataclass(frozen=True)
class Wanted:
    """Keys of all that the commands may need, each once."""

    mails: list[str]
    senders: list[str]
    addresses: list[str]
    """Keys of whose record may matter: the senders, and the recipients where a rule files the mail with theirs."""
    entries: list[str]
    """Entries of the spam list that would stop one of the senders."""
    ids: list[str]
    numbers: list[int]
    plus: list[tuple[str, int]]
    """(base address, number) of recipients that are plus addresses of a mailbox, should the base be one's own."""
    titles: list[tuple[str, str]]
    codes: list[tuple[str, str]]
    acknowledges: bool
    """Whether one of their rules acknowledges."""

    @classmethod
    def by(cls, commands: Sequence[TicketCommand]) -> Wanted:
        contents = [command.mail for command in commands if command.mail is not None]
        keyed = [
            (command.scanner_id, candidate.action.lookup, key)
            for command in commands
            for candidate in command.candidates
            for key in lookup_keys(candidate)
        ]
        senders = {address_key(mail.from_.address) for mail in contents if mail.from_} - {""}
        return cls(
            mails=sorted({command.mail_id for command in commands}),
            senders=sorted(senders),
            addresses=sorted({key for command in commands for key in _addresses(command)}),
            entries=sorted({entry for sender in senders for entry in entries_for(sender)}),
            ids=sorted(
                {key for mail in contents for key in [*conversation_ids(mail), *referred_ids(mail)]}
                | {key for command in commands for key in reported_ids(command)}
            ),
            numbers=sorted({int(key) for _, lookup, key in keyed if lookup is Lookup.TICKET_ID}),
            plus=sorted({one for command in commands if _by_conversation(command) and command.mail for one in plus_numbers(command.mail)}),
            titles=sorted({(scanner, key) for scanner, lookup, key in keyed if lookup is Lookup.TITLE}),
            codes=sorted({(scanner, key) for scanner, lookup, key in keyed if lookup is Lookup.EXTERNAL_CODE}),
            acknowledges=any(candidate.action.acknowledge for command in commands for candidate in command.candidates),
        )

    def all_numbers(self, own: Collection[str]) -> set[int]:
        """Ticket numbers that rules captured, and those in plus addresses of the mailboxes."""
        return {*self.numbers, *(number for base, number in self.plus if base in own)}


def _addresses(command: TicketCommand) -> Iterator[str]:
    if command.mail is None:
        return
    linked = (address for one in command.candidates for address in linked_addresses(one.action.type, command.mail))
    for address in [*([command.mail.from_] if command.mail.from_ else []), *linked]:
        yield from record_keys(address.address)


def _by_conversation(command: TicketCommand) -> bool:
    return any(one.action.type is ActionType.UPDATE_TICKET and one.action.lookup is Lookup.CONVERSATION for one in command.candidates)
