"""How simulations and kinds of mail are told to people. Pure."""

from __future__ import annotations

from console.pages.rule_texts import KINDS

CHANGES = {
    "outcome": "Another result",
    "rule": "The same by another rule",
    "new": "No result before",
    "failed": "Could not be tried",
    "none": "Unchanged",
}
"""What a simulation says of a mail."""

_UNASKED = {
    "bounce": "a delivery failure",
    "receipt": "a delivery or read receipt",
    "auto_reply": "an automatic answer",
    "pec_receipt": "a receipt of certified mail (PEC)",
}
"""Kinds of mail that no rule is asked about."""


def kind(name: str) -> str:
    """A kind of mail in words."""
    return (KINDS | _UNASKED).get(name, name.replace("_", " "))
