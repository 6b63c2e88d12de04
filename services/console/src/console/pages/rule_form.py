"""A rule between its form and its JSON. Pure; whether values are right the rules service says, in words that few need to read."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import Any

from starlette.datastructures import FormData

from console.pages.page import text, texts_of
from console.pages.rule_texts import caret, fits_size
from shared.api import size_in_bytes
from shared.api.rules import HEADER_NAME
from shared.http import ProblemError

EQUALITY = {"equals", "not_equals"}
TICKET_ACTIONS = {"create_ticket", "update_ticket"}
LINK_ACTIONS = {"link_sender", "link_recipient"}
TICKET_OPTIONS = ("priority", "category", "status", "assignee")
SHOWN = re.compile(r"name|conditions\.\d+(\..*)?|action\.(lookup|reopen_days|record|priority|category|status|assignee|tags)(\..*)?")
PLACE = re.compile(r"(?:.*\.)?conditions\.(\d+)\.value")


def is_field(name: str) -> bool:
    """Whether the form shows an error of this name at its field."""
    return SHOWN.fullmatch(name) is not None


def new_rule() -> dict[str, Any]:
    """Values of an empty form."""
    return {"name": "", "enabled": True, "match": "all", "conditions": [], "action": {"type": "create_ticket"}}


def rule_values(form: FormData) -> dict[str, Any]:
    """The form as a rule. Rows with a blank value are no conditions and are left out, so that an error's index is a shown row's."""
    columns = (texts_of(form, name) for name in ("field", "header", "operator", "value", "kind"))
    rows = [_condition(*row) for row in zip_longest(*columns, fillvalue="")]
    return {
        "name": text(form, "name"),
        "enabled": "enabled" in form,
        "match": text(form, "match", "all"),
        "conditions": [row for row in rows if row["value"].strip()],
        "action": action_values(form),
    }


def _condition(field: str, header: str, operator: str, value: str, kind: str) -> dict[str, Any]:
    """One row. A kind is chosen from a list, but for the operators that compare texts."""
    chosen = kind if field == "kind" and operator in EQUALITY else value
    named = {"header": header.strip()} if field == "header" else {}
    return {"field": field, **named, "operator": operator, "value": chosen}


def check(values: dict[str, Any]) -> None:
    """Raise ProblemError 422 for what the service would refuse too, but in its own words instead of the form's."""
    errors: list[dict[str, Any]] = []
    for number, item in enumerate(values["conditions"]):
        wrong = {"header": _wrong_header(item), "operator": _wrong_operator(item), "value": _wrong_size(item)}
        errors += [{"field": f"conditions.{number}.{part}", "message": told} for part, told in wrong.items() if told]
    if errors:
        raise ProblemError(422, "The request is not valid", "See the conditions.", errors=errors)


def _wrong_header(item: dict[str, Any]) -> str:
    if item["field"] != "header" or re.match(HEADER_NAME, item["header"]):
        return ""
    return "Give the header field's name, such as List-Id: letters, digits and hyphens, without the colon."


def _wrong_operator(item: dict[str, Any]) -> str:
    size, compares_sizes = item["field"] == "attachment_size", fits_size(item["operator"])
    if size == compares_sizes:
        return ""
    return (
        "A size is compared by “is larger than” or “is smaller than”."
        if size
        else "“Is larger than” and “is smaller than” are for the attachment's size."
    )


def _wrong_size(item: dict[str, Any]) -> str:
    if item["field"] != "attachment_size" or not fits_size(item["operator"]):
        return ""
    try:
        size_in_bytes(item["value"])
    except ValueError:
        return "Give a size such as 500 KB or 2.5 MB."
    return ""


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
    if kind in TICKET_ACTIONS:
        tags = [tag.strip() for tag in text(form, "tags").split(",") if tag.strip()]
        action |= {name: text(form, name) for name in TICKET_OPTIONS if text(form, name)} | ({"tags": tags} if tags else {})
    if kind == "create_ticket" and "acknowledge" in form:
        action["acknowledge"] = True
    if kind in LINK_ACTIONS:
        action |= ({"record": text(form, "record")} if text(form, "record") else {}) | {"create_lead": "create_lead" in form}
    return action


def draft(rules: list[dict[str, Any]], rule_id: str | None, values: dict[str, Any]) -> list[dict[str, Any]]:
    """Today's rules as a draft, with the form's values in place of one of them, or as a new last one."""
    drafts = [
        {"id": rule["id"]} | (values if rule["id"] == rule_id else {name: rule[name] for name in values if name in rule}) for rule in rules
    ]
    return drafts if rule_id else [*drafts, values]


def carets(error: ProblemError, conditions: list[dict[str, Any]]) -> dict[int, str]:
    """Row to its refused pattern with a mark where RE2 stopped."""
    found = {}
    for item in (error.problem.model_extra or {}).get("errors", []):
        place = PLACE.fullmatch(str(item.get("field", "")))
        position = item.get("position")
        if place and isinstance(position, int) and int(place[1]) < len(conditions):
            found[int(place[1])] = caret(conditions[int(place[1])]["value"], position)
    return found
