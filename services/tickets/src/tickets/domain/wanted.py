"""What a batch of commands looks up: known before anything is loaded, so that the number of queries is fixed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.events import ActionType, Lookup, TicketCommand
from tickets.domain.keys import address_key, conversation_ids, lookup_keys, referred_ids


@dataclass(frozen=True)
class Wanted:
    """Keys of all that the commands may need, each once."""

    mails: list[str]
    senders: list[str]
    addresses: list[str]
    """Whose contact may matter: the senders, and the recipients where a rule files the mail with theirs."""
    ids: list[str]
    numbers: list[int]
    titles: list[tuple[str, str]]

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
            addresses=sorted(senders.union(*map(_linked_recipients, commands)) - {""}),
            ids=sorted({key for mail in contents for key in [*conversation_ids(mail), *referred_ids(mail)]}),
            numbers=sorted({int(key) for _, lookup, key in keyed if lookup is Lookup.TICKET_ID}),
            titles=sorted({(scanner, key) for scanner, lookup, key in keyed if lookup is Lookup.TITLE}),
        )


def _linked_recipients(command: TicketCommand) -> Iterator[str]:
    linked = any(candidate.action.type is ActionType.LINK_RECIPIENT for candidate in command.candidates)
    if linked and command.mail is not None:
        yield from (address_key(address.address) for address in [*command.mail.to, *command.mail.cc])
