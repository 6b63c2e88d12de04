"""A user's own address, from which their personal answers leave."""

from __future__ import annotations

import re

MAX_ADDRESS = 254
"""RFC 5321, 4.5.3.1.3: a path has 256 octets, two of them brackets."""
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")
"""RFC 5322, 3.4.1 without quotes, comments and literals, which no mailbox of a company needs: nothing in it can end a header."""
_ENCODED_WORD = "=?"
"""Forbidden in an address (RFC 2047, 5); programs that decode it all the same would show, and answer to, somebody else."""


def own_address(value: str) -> str:
    """The address without blanks around it; blank stays blank. Raises ValueError for what no mail server takes."""
    address = value.strip()
    if address and (len(address) > MAX_ADDRESS or _ENCODED_WORD in address or not _ADDRESS.fullmatch(address)):
        raise ValueError("is no mail address. Give one such as anna@company.example, without a name or brackets")
    return address
