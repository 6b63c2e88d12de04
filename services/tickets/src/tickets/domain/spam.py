"""What of the spam list concerns an address: the address itself, its domain, and the domains above."""

from __future__ import annotations

MAX_LABELS = 10


def entries_for(key: str) -> list[str]:
    """Folded entries that stop mails of this folded address, the nearest first: `a@x.shop.example`, `@x.shop.example`, `@shop.example`.

    A top-level domain alone is no entry. Of a very deep domain the last 10 labels count.
    """
    _, at, domain = key.rpartition("@")
    if not at or not domain:
        return []
    labels = domain.split(".")[-MAX_LABELS:]
    domains = ["@" + ".".join(labels[first:]) for first in range(max(len(labels) - 1, 1))]
    return [key, *domains] if not key.startswith("@") else domains
