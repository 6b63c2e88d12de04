"""A rule between its form and its JSON. Pure."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from starlette.datastructures import FormData

from console.pages.page import text, texts_of


def new_rule() -> dict[str, Any]:
    """Values of an empty form."""
    return {"name": "", "enabled": True, "match": "all", "conditions": [], "action": {"type": "create_ticket"}}


def rule_values(form: FormData) -> dict[str, Any]:
    """The form as a rule. Rows with a blank value are no conditions and are left out, so that an error's index is a shown row's."""
    rows = zip_longest(texts_of(form, "field"), texts_of(form, "operator"), texts_of(form, "value"), fillvalue="")
    conditions = [{"field": field, "operator": operator, "value": value} for field, operator, value in rows if value.strip()]
    return {
        "name": text(form, "name"),
        "enabled": "enabled" in form,
        "match": text(form, "match", "all"),
        "conditions": conditions,
        "action": action_values(form),
    }


def action_values(form: FormData) -> dict[str, Any]:
    """The chosen action with its own options; those of other actions are left out, blanks stay unset."""
    kind = text(form, "action")
    action: dict[str, Any] = {"type": kind}
    if kind == "update_ticket":
        action |= {
            "lookup": text(form, "lookup", "ticket_id"),
            "create_when_missing": "create_when_missing" in form,
            "participants_only": "participants_only" in form,
            "reopen_days": text(form, "reopen_days") or 30,
        }
    if kind in {"create_ticket", "update_ticket"}:
        action |= {name: text(form, name) for name in ("priority", "category", "status") if text(form, name)}
    return action
