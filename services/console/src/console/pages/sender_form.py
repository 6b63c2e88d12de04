"""The fields of an SMTP identity, alone or as a section of a mailbox's form."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import FormData

from console.pages.page import text
from shared.api import SenderIn

TEXTS = ("name", "server", "port", "ssl_type", "ssl_method", "auth", "username", "address", "display_name", "reply_to", "signature")


def new_sender() -> dict[str, Any]:
    """Values of an empty form."""
    return SenderIn(name="x", server="x").model_dump(mode="json") | {"name": "", "server": ""}


def sender_values(form: FormData, prefix: str = "") -> dict[str, Any]:
    """The form as a sender's fields. A password left blank is left out: it stays as it is."""
    values = {name: text(form, prefix + name) for name in TEXTS}
    password = str(form.get(f"{prefix}password", ""))
    return values | ({"password": password} if password else {})
