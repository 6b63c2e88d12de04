"""Mails filed with a record of the registry, and tickets connected to one (design sections 6 and 7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from shared.api import RecordType
from shared.api.common import NAME_LENGTH
from shared.events import Action, OutcomeType, derived_id
from shared.mail.model import Address
from tickets.domain.keys import is_mail_address, record_key, record_keys
from tickets.domain.plus import is_ours
from tickets.domain.registry import SORTS
from tickets.domain.state import Desk, Effects, MailState, NewLead


def link(action: Action, addresses: Sequence[Address], desk: Desk, mail: MailState) -> Effects | None:
    """File the mail with the first of the addresses that has a record of the sort asked for; else, where asked for, with a new lead.

    None where neither can be: the action passes. The mailboxes' own addresses have no part in it.
    """
    usable = [address for address in addresses if record_key(address.address) and not is_ours(address.address, desk.own)]
    found = next((one for address in usable if (one := _record_of(address.address, _sorts(action), desk))), None)
    if found is not None:
        return _filed(mail, *found)
    lead = _new_lead(usable, desk, mail) if action.create_lead else None
    return replace(_filed(mail, "lead", lead.id), lead=lead) if lead else None


def connected_to(sender: Address | None, desk: Desk) -> str | None:
    """Id of the record a ticket of this sender belongs to: his contact, else account, else lead."""
    found = _record_of(sender.address, SORTS, desk) if sender else None
    return found[1] if found else None


def _sorts(action: Action) -> Iterable[RecordType]:
    """A rule that makes leads finds the one it made, also where it asks for contacts or accounts."""
    if action.record is None:
        return SORTS
    return [action.record, "lead"] if action.create_lead else [action.record]


def _record_of(address: str, sorts: Iterable[RecordType], desk: Desk) -> tuple[RecordType, str] | None:
    by_key = [desk.records.get(key, {}) for key in record_keys(address)]
    return next(((sort, known[sort]) for sort in sorts for known in by_key if sort in known), None)


def _filed(mail: MailState, sort: RecordType, record_id: str) -> Effects:
    return Effects(mail=replace(mail, type=OutcomeType.LINK, record_type=sort, record_id=record_id))


def _new_lead(addresses: Sequence[Address], desk: Desk, mail: MailState) -> NewLead | None:
    """Of the first address that no record has. Its id is a function of mail and address: however often it is made, it is one."""
    for address in addresses:
        written = address.address.strip()
        if is_mail_address(written) and _record_of(written, SORTS, desk) is None:
            key, name = record_key(written), " ".join(address.name.split())[:NAME_LENGTH]
            return NewLead(derived_id(mail.mail_id, key, "lead"), name or written[:NAME_LENGTH], written, key)
    return None
