"""The form of a ticket's fields, and what of it was changed: pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.datastructures import FormData

from console.pages.page import text

PLAIN = ("title", "status", "priority")
CLEARABLE = ("category", "assignee", "external_code")
LISTS = ("tags", "watchers")
SEPARATORS = {"tags": re.compile(r"[,\n]"), "watchers": re.compile(r"[\s,;]+")}

Values = dict[str, Any]


def shown_values(ticket: Mapping[str, Any]) -> Values:
    """The ticket's fields as its form shows them."""
    lists = {name: list(ticket[name]) for name in LISTS}
    return {name: ticket[name] or "" for name in (*PLAIN, *CLEARABLE)} | lists


def form_values(form: FormData) -> Values:
    """The fields the form has."""
    values: Values = {name: text(form, name) for name in (*PLAIN, *CLEARABLE) if name in form}
    if "assignee" in values:
        values["assignee"] = values["assignee"].lower()
    return values | {name: _items(name, text(form, name)) for name in LISTS if name in form}


def shown_before(form: FormData) -> Values:
    """What the form showed when it was made; where that is unreadable, everything counts as changed."""
    try:
        found = json.loads(text(form, "was"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def changed_fields(values: Mapping[str, Any], before: Mapping[str, Any]) -> Values:
    """What somebody typed or chose anew: the rest may have been changed by others and is left alone."""
    return {name: value for name, value in values.items() if value != before.get(name)}


def as_patch(changes: Mapping[str, Any]) -> Values:
    """The changes as the service takes them: a field left blank is taken away."""
    return {name: None if name in CLEARABLE and value == "" else value for name, value in changes.items()}


def in_conflict(changes: Iterable[str], news: Iterable[Mapping[str, Any]]) -> bool:
    """True where others changed the same field, or a mail came in that whoever fills in the form may not have read."""
    ours = set(changes)
    return any(entry["actor"] == "mail" or ours & {change["field"] for change in entry["changes"]} for entry in news)


def _items(name: str, value: str) -> list[str]:
    """Each once, in order; tags in lower case, as the service keeps them."""
    parts = (part.strip() for part in SEPARATORS[name].split(value))
    return list(dict.fromkeys(part.lower() if name == "tags" else part for part in parts if part))
