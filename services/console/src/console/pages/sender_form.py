"""The fields of an SMTP identity: on its own page, as a section of a mailbox's form, or as somebody's own account."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import FormData

from console.pages.oauth_form import NEW_OAUTH, oauth_values, secret, with_secret
from console.pages.page import text
from shared.api import SenderIn

TEXTS = ("name", "server", "port", "ssl_type", "ssl_method", "auth", "username", "address", "display_name", "reply_to", "signature")


def new_sender() -> dict[str, Any]:
    """Values of an empty form."""
    return shown(SenderIn(name="x", server="x", auth="password").model_dump(mode="json") | {"name": "", "server": ""})


def shown(sender: dict[str, Any]) -> dict[str, Any]:
    """A sender as its form shows it: with fields of OAuth 2.0 to choose it with."""
    return sender | {"oauth": sender.get("oauth") or NEW_OAUTH}


def sender_values(form: FormData, prefix: str = "") -> dict[str, Any]:
    """The basic fields. A password left blank is left out: it stays as it is."""
    return {name: text(form, prefix + name) for name in TEXTS} | secret(form, f"{prefix}password", "password")


def typed(form: FormData) -> dict[str, Any]:
    """All of an identity's own form, without its secrets, to be shown again or sent."""
    limits = {"connections": text(form, "limits.connections"), "per_minute": text(form, "limits.per_minute") or None}
    values = {name: text(form, name) for name in TEXTS}
    return values | {"oauth": oauth_values(form), "limits": limits, "plus_addressing": "plus_addressing" in form}


def sent(values: dict[str, Any], form: FormData) -> dict[str, Any]:
    """What the notifier is sent: secrets that were left blank stay as they are, and only OAuth 2.0 has fields of it."""
    body = {name: value for name, value in values.items() if name != "oauth"}
    if values["auth"] == "oauth2":
        return body | {"oauth": with_secret(values["oauth"], form)}
    return body | secret(form, "password", "password")
