"""An SMTP identity's fields as they come over HTTP, checked and ready to be stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from notifier.domain.headers import mailbox, objection
from shared.api import OAuthFields, Sender
from shared.http import ProblemError, invalid
from shared.oauth.model import problems
from shared.oauth.settings import without_secrets

_UNSAFE = {"\x00": "", "\r": " ", "\n": " "}
_LINES = frozenset({"signature"})
"""The only text that has more than one."""


def columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields given, by the table's columns. Line breaks where none may be become blanks; Postgres' text takes no NUL."""
    stored = {name: _clean(name, value) for name, value in values.items() if name != "limits"}
    if "oauth" in stored:
        stored["oauth"] = without_secrets(stored["oauth"])
    return stored | (values.get("limits") or {})


def fields_of(sender: Sender) -> dict[str, Any]:
    """What is stored, as `columns` gives it."""
    return columns(sender.model_dump(mode="json", exclude={"id", "oauth_state", "version", "created_at", "updated_at"}))


def check(stored: Mapping[str, Any], *, has_secret: bool) -> None:
    """What the model alone cannot tell. Raises ProblemError 422. `has_secret`: whether the OAuth client's own secret is known."""
    for name in ("address", "reply_to"):
        if stored[name] and mailbox(stored[name]) is None:
            raise ProblemError(422, "Not a mail address", f"{name}: {stored[name]!r} {objection(stored[name])}.")
    if stored["reply_to"] and stored["plus_addressing"]:
        advice = "plus_addressing: answers go either to reply_to or to the mailbox with the ticket's number; leave one of the two out."
        raise ProblemError(422, "Two places to answer to", advice)
    if stored["auth"] == "password" and not stored["username"]:
        raise ProblemError(422, "A user name is missing", "username: auth `password` needs one; auth `none` logs in nowhere.")
    oauth = stored["oauth"]
    if found := problems(stored["auth"], OAuthFields.model_validate(oauth) if oauth else None, has_secret=has_secret):
        raise invalid(found)


def _clean(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    for bad, good in _UNSAFE.items():
        if name not in _LINES or bad == "\x00":
            value = value.replace(bad, good)
    return value
