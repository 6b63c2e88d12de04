"""A mailbox between its form and its JSON. Pure; whether values are right the fetcher says."""

from __future__ import annotations

from collections import Counter
from typing import Any

from starlette.datastructures import FormData

from console.pages.oauth_form import NEW_OAUTH, oauth_values, secret, with_secret
from console.pages.page import text, texts_of
from shared.api import OAuthIn, ScannerIn
from shared.http import ProblemError

TEXTS = (
    "name",
    "server",
    "port",
    "protocol",
    "username",
    "address",
    "auth",
    "ssl_type",
    "ssl_method",
    "find",
    "after_scanning",
    "interval_seconds",
)
FOLDERS = ("move_matched_to", "move_unmatched_to", "spam_folder")
SWITCHES = ("enabled", "pec", "push")
KNOWN = {*TEXTS, *FOLDERS, "parameters", "password", "start_from", "sender_id", "oauth"}
KNOWN |= {f"oauth.{name}" for name in OAuthIn.model_fields if name != "refresh_token"}


def is_field(name: str) -> bool:
    """Whether the form shows an error of this name at its field."""
    return name in KNOWN or name.startswith(("parameters.", "smtp_"))


def new_mailbox() -> dict[str, Any]:
    """What an empty form shows."""
    made = ScannerIn(name="x", server="x", username="x").model_dump(mode="json")
    return shown(made | {"name": "", "server": "", "username": ""})


def shown(scanner: dict[str, Any]) -> dict[str, Any]:
    """A scanner as its form shows it: the parameters as rows, and fields of OAuth 2.0 to choose it with."""
    return scanner | {"oauth": scanner["oauth"] or NEW_OAUTH, "parameters": list(scanner["parameters"].items())}


def typed(form: FormData) -> dict[str, Any]:
    """The form as it was filled in, without its secrets, to be shown again or sent."""
    start = text(form, "start_from")
    return (
        {name: text(form, name) for name in TEXTS}
        | {name: text(form, name) or None for name in (*FOLDERS, "sender_id")}
        | {name: name in form for name in SWITCHES}
        | {
            "oauth": oauth_values(form),
            "parameters": _rows(form),
            "start_from": f"P{text(form, 'start_days')}D" if start == "days" else start,
        }
    )


def sent(values: dict[str, Any], form: FormData) -> dict[str, Any]:
    """What the fetcher is sent: secrets that were left blank stay as they are, and a password needs no OAuth 2.0.

    Raises ProblemError 422 at the row of a parameter without a name, or of one that is there twice.
    """
    body = values | {"parameters": _pairs(values["parameters"]), "oauth": None}
    if values["auth"] == "oauth2":
        return body | {"oauth": with_secret(values["oauth"], form)}
    return body | secret(form, "password", "password")


def _rows(form: FormData) -> list[tuple[str, str]]:
    """Names and values of the parameters; a row with neither is none."""
    rows = zip(texts_of(form, "parameter_name"), texts_of(form, "parameter_value"), strict=False)
    return [(name.strip(), value.strip()) for name, value in rows if name.strip() or value.strip()]


def _pairs(rows: list[tuple[str, str]]) -> dict[str, str]:
    count = Counter(name for name, _ in rows)
    errors = [{"field": f"parameters.{name}", "message": "Each parameter once, please."} for name in count if count[name] > 1 and name]
    if "" in count:
        errors.append({"field": "parameters.", "message": "Choose the parameter's name."})
    if errors:
        raise ProblemError(422, "The request is not valid", "See the parameters.", errors=errors)
    return dict(rows)
