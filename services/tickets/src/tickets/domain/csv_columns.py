"""What the columns of a CSV file hold, told from their names as mail programs and spreadsheets write them, in English and Italian."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.api import RecordType
from tickets.domain.registry import folded

_MAIL: Final = re.compile(
    r"(indirizz[oi] (di )?)?(e ?mails?|posta elettronica|mails?|pec)( address(es)?| indirizz[oi])?( \d+)?( value| address)?"
)
_ADDRESS: Final = re.compile(r"(address(es)?|indirizz[oi])( \d+)?")
"""Of mail only where no column says so itself: beside one that does, it is where somebody lives."""
_NAMES: Final[Mapping[str, Sequence[str]]] = {
    "name": ("name", "full name", "display name", "nome", "nome completo", "nome visualizzato", "nominativo", "ragione sociale", "contact"),
    "first_name": ("first name", "given name", "nome di battesimo"),
    "last_name": ("last name", "surname", "family name", "cognome"),
    "phone": (
        "phone", "phone number", "telephone", "tel", "mobile", "mobile phone", "business phone", "phone 1 value",
        "telefono", "numero di telefono", "cellulare", "telefono cellulare", "telefono ufficio",
    ),
    "company": ("company", "company name", "firm", "organization", "organisation", "azienda", "societa", "ditta", "impresa"),
    "account": ("account", "account name", "customer", "cliente"),
    "website": ("website", "web site", "web", "web page", "url", "homepage", "sito", "sito web", "pagina web"),
    "note": ("note", "notes", "comment", "comments", "remark", "remarks", "nota", "commento", "commenti", "osservazioni"),
}  # fmt: skip
_KNOWN: Final = {name: field for field, names in _NAMES.items() for name in names}
_FIELDS: Final[Mapping[RecordType, Mapping[str, str]]] = {
    "contact": {"company": "account", "account": "account"},
    "account": {"company": "name", "account": "name", "website": "website"},
    "lead": {"company": "company", "account": "company"},
}
"""What a firm is to a record of a sort, and which further fields the sort has."""
_COMMON: Final = frozenset({"name", "first_name", "last_name", "phone", "note"})


@dataclass(frozen=True)
class Columns:
    """Positions of the cells by field."""

    fields: Mapping[str, int]
    addresses: tuple[int, ...]
    count: int
    ignored: tuple[str, ...]


def columns_of(header: Sequence[str], sort: RecordType) -> Columns:
    """What the header line says. Of two columns for one field the first counts."""
    keys = [_key(name) for name in header]
    mail = tuple(place for place, key in enumerate(keys) if _MAIL.fullmatch(key))
    addresses = mail or tuple(place for place, key in enumerate(keys) if _ADDRESS.fullmatch(key))
    fields: dict[str, int] = {}
    for place, key in enumerate(keys):
        field = _field(key, sort)
        if field is not None:
            fields.setdefault(field, place)
    used = {*addresses, *fields.values()}
    ignored = tuple(name.strip() for place, name in enumerate(header) if place not in used and name.strip())
    return Columns(fields, addresses, len(header), ignored)


def _field(key: str, sort: RecordType) -> str | None:
    field = _KNOWN.get(key)
    return field if field in _COMMON else _FIELDS[sort].get(field or "")


def _key(name: str) -> str:
    """`E-mail 1 - Value` as `e mail 1 value`."""
    return " ".join(re.sub(r"[^a-z0-9]+", " ", folded(name)).split())
