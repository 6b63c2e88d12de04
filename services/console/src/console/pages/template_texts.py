"""Templates in words: kinds, what their variables are, and what a new one begins with."""

from __future__ import annotations

from typing import Any

KINDS = {"canned": "Canned answer", "answer": "Answer", "acknowledgement": "Acknowledgement"}
MEANT = {
    "canned": "A text that operators put into their answers and go on writing.",
    "answer": "What stands around every answer: a greeting, the signature. The quoted history follows by itself.",
    "acknowledgement": "The automatic mail that says a ticket was opened, for rules that ask for one.",
}
_COMMON = ("ticket.id", "ticket.title", "customer.name", "customer.address", "mailbox.name", "mailbox.address")
_OPERATOR = ("operator.name", "operator.address")
VARIABLES = {
    "canned": (*_COMMON, *_OPERATOR),
    "answer": ("answer", "signature", *_COMMON, *_OPERATOR),
    "acknowledgement": ("signature", *_COMMON),
}
_BEGINNINGS = {
    "canned": "",
    "answer": "{{ answer }}{% if signature %}\n\n-- \n{{ signature }}{% endif %}",
    "acknowledgement": "We have received your message. Its number is {{ ticket.id }}.\n\n{{ mailbox.name or mailbox.address }}",
}


def new_template(kind: str) -> dict[str, Any]:
    """Values of a new one's form."""
    return {"name": "", "kind": kind, "scanner_id": None, "subject": "", "text": _BEGINNINGS[kind], "html": ""}


def written(name: str) -> str:
    """A variable as it is written in a template."""
    return f"{{{{ {name} }}}}"
