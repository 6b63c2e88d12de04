"""The spam list's entries: addresses, and domains with all below them (`@shop.example`)."""

from __future__ import annotations

import re
from typing import Final

from tickets.domain.keys import address_key, index_key
from tickets.domain.providers import is_public_provider, is_public_suffix

MAX_LABELS: Final = 10
MAX_DOMAIN: Final = 253
MAX_LABEL: Final = 63
_DOTS: Final = re.compile("[.\u3002\uff0e\uff61]")
"""What separates labels (RFC 3490, 3.1)."""
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")


def entries_for(key: str) -> list[str]:
    """Folded entries that stop mails of this folded address, the nearest first: `a@x.shop.example`, `@x.shop.example`, `@shop.example`.

    A top-level domain alone is no entry, nor is an address literal. Of a very deep domain the last 10 labels count. For an entry
    that is a domain: itself, and the domains above.
    """
    local, at, domain = key.rpartition("@")
    if not at:
        return [key] if key else []
    ascii_domain = a_labels(domain)
    labels = [] if ascii_domain.startswith("[") else ascii_domain.split(".")[-MAX_LABELS:]
    domains = ["@" + ".".join(labels[first:]) for first in range(len(labels) - 1)]
    return list(dict.fromkeys([key, f"{local}@{ascii_domain}", *domains])) if local else domains


def entry_of(written: str) -> str | None:
    """The folded entry somebody means by an address, by `@shop.example` or by `shop.example`; None where it is none of them."""
    text = written.strip()
    local, _, domain = text.rpartition("@")
    if local:
        return canonical(address_key(text)) if domain else None
    labels = a_labels(domain.casefold()).split(".")
    sound = 1 < len(labels) <= MAX_LABELS and all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdecimal()
    entry = "@" + ".".join(labels)
    return entry if sound and len(entry) <= MAX_DOMAIN else None


def domain_of(key: str) -> str | None:
    """The domain of a folded address as an entry; None where it has none that can be listed."""
    _, at, domain = key.rpartition("@")
    return entry_of(f"@{domain}") if at else None


def canonical(key: str) -> str:
    """A folded address with its domain in A-labels, which is how the list keeps it."""
    local, at, domain = key.rpartition("@")
    return index_key(f"{local}@{a_labels(domain)}") if at else key


def spellings(entry: str) -> list[str]:
    """The entry, and the same with U-labels: senders are stored as their mails wrote them."""
    local, _, domain = entry.rpartition("@")
    return list(dict.fromkeys([entry, f"{local}@{'.'.join(_u_label(label) for label in domain.split('.'))}"]))


def whose_domain(entry: str) -> str | None:
    """Why a domain is too many people's to be listed, in plain words; None where it can be."""
    domain = entry.removeprefix("@")
    if is_public_suffix(domain):
        return f"{entry} is not one sender's domain: everybody below {domain} would be stopped. List the address or its own domain instead."
    if is_public_provider(domain):
        return f"{entry} is a public mail provider: everybody who has an address there would be stopped. List the address instead."
    return None


def a_labels(domain: str) -> str:
    """The domain in ASCII (RFC 5890, 2.3.2.1); labels that have no such form stay as they are."""
    return ".".join(_a_label(label) for label in _DOTS.split(domain.removesuffix(".")))


def _a_label(label: str) -> str:
    if label.isascii() or len(label) > MAX_LABEL:
        return label
    try:
        return label.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return label


def _u_label(label: str) -> str:
    try:
        return label.encode("ascii").decode("idna")
    except UnicodeError:
        return label
