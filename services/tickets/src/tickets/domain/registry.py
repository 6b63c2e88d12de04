"""Contacts, accounts and leads: what each sort has, how they are searched, and what becomes of doubles."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.api import RecordType
from tickets.domain.keys import PLUS_TAGGED, SAME_DOMAIN, index_key, record_key, record_keys

SORTS: Final[tuple[RecordType, ...]] = ("contact", "account", "lead")
"""Of several with a ticket's sender, it is connected to the first."""
MAX_ADDRESSES: Final = 50
MAX_NOTE: Final = 10_000
_OF_ONE_SORT: Final[Mapping[str, RecordType]] = {"website": "account", "company": "lead", "account_id": "contact"}
_OPTIONAL: Final = ("phone", "company", "website", "account_id")
_NOT_DECOMPOSED: Final = str.maketrans({"ø": "o", "đ": "d", "ł": "l", "ı": "i", "æ": "ae", "œ": "oe"})


def stronger(sort: RecordType) -> Sequence[RecordType]:
    """The sorts that keep a ticket from this one: itself, and those before it."""
    return SORTS[: SORTS.index(sort) + 1]


def misplaced(sort: RecordType, given: Mapping[str, Any]) -> list[str]:
    """Fields with a value that records of this sort do not have."""
    return [name for name, owner in _OF_ONE_SORT.items() if owner != sort and given.get(name) is not None]


def folded(text: str) -> str:
    """Text for comparing without regard to case, accents and width, blanks as one."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return " ".join(bare.casefold().translate(_NOT_DECOMPOSED).split())


def name_key(name: str) -> str:
    """A name for looking it up as a whole."""
    return index_key(folded(name))


def search_words(name: str, company: str | None, addresses: Iterable[str]) -> str:
    """What the search of the registry looks through, folded."""
    return "\n".join(folded(part) for part in (name, company or "", *addresses) if part)


def filled(kept: Mapping[str, Any], others: Sequence[Mapping[str, Any]], sort: RecordType) -> dict[str, Any]:
    """The fields of `kept` that change when `others` become part of it: empty ones are filled, notes are joined.

    No record becomes part of itself, so an account that was among the others is none to belong to.
    """
    gone = {other["id"] for other in others}
    changed: dict[str, Any] = {}
    for name in _OPTIONAL:
        if _OF_ONE_SORT.get(name, sort) == sort and not kept[name]:
            value = next((other[name] for other in others if other[name] and other[name] not in gone), None)
            changed |= {name: value} if value else {}
    note = joined_notes([kept["note"], *(other["note"] for other in others)])
    return changed | ({"note": note} if note != kept["note"] else {})


def joined_notes(notes: Iterable[str]) -> str:
    """The notes below each other, each once, as long as a note may be."""
    return "\n\n".join(dict.fromkeys(note.strip() for note in notes if note.strip()))[:MAX_NOTE]


def next_owner(by_sort: Mapping[str, str], but: Collection[str] = ()) -> str | None:
    """Of the records that have a sender's address, by sort, the one its tickets belong to."""
    return next((by_sort[sort] for sort in SORTS if sort in by_sort and by_sort[sort] not in but), None)


@dataclass(frozen=True)
class Tagged:
    """Senders from `low` up to but not `high`, in the order of their bytes, that end so: `anna+…@gmail.com`."""

    low: str
    high: str
    ending: str


def sender_keys(address: str) -> list[str]:
    """What tickets from this address, without a plus tag, have as their sender's key."""
    return list(dict.fromkeys([*record_keys(address), *(f"{local}@{domain}" for local, domain in _mailboxes(address))]))


def tagged_senders(address: str) -> list[Tagged]:
    """Where tickets from this address with any plus tag are; none where its domain is not known to have tags."""
    after_plus = chr(ord("+") + 1)
    return [Tagged(f"{local}+", f"{local}{after_plus}", f"@{domain}") for local, domain in _mailboxes(address)]


def _mailboxes(address: str) -> list[tuple[str, str]]:
    """Local part and domain, by all names the domain has, where it is known to have plus tags."""
    local, _, domain = record_key(address).rpartition("@")
    if domain not in PLUS_TAGGED:
        return []
    return [(local, name) for name in (domain, *(other for other, same in SAME_DOMAIN.items() if same == domain))]
