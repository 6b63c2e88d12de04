"""Plus addresses of a mailbox: `help+123@company.example` is `help@company.example` with a ticket's number (RFC 5233: the detail)."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from shared.events import CommandMail
from tickets.domain.keys import MAX_BIGINT, MAX_NUMBERS, address_key

_NUMBERED: Final = re.compile(r"(?P<base>.+)\+t?(?P<number>[0-9]{1,19})(?P<domain>@[^@]+)")


def plus_numbers(mail: CommandMail) -> list[tuple[str, int]]:
    """(base, number) of each recipient in To and Cc that may be a mailbox's plus address, bounded; whose the base is shows later."""
    found = [_numbered(address.address) for address in [*mail.to, *mail.cc]]
    return list(dict.fromkeys(one for one in found if one is not None and 0 < one[1] <= MAX_BIGINT))[:MAX_NUMBERS]


def is_ours(address: str, own: Collection[str]) -> bool:
    """Whether it is the address of a mailbox, or one with a ticket's number."""
    if address_key(address) in own:
        return True
    numbered = _numbered(address)
    return numbered is not None and numbered[0] in own


def _numbered(address: str) -> tuple[str, int] | None:
    parts = _NUMBERED.fullmatch(address.strip().casefold()) if "+" in address else None
    return (address_key(parts["base"] + parts["domain"]), int(parts["number"])) if parts else None
