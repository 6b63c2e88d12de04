"""How rules, their versions and their examples are told to people. Pure; used as template filters."""

from __future__ import annotations

from typing import Any

from console.pages.texts import OUTCOMES, PRIORITIES, STATUSES, badge
from shared.api import SIZE_OPERATORS

FIELDS = {
    "from": "From",
    "to": "To",
    "cc": "Cc",
    "recipients": "Any recipient",
    "subject": "Subject",
    "body": "Body",
    "new_text": "New text",
    "header": "Header field",
    "attachment_name": "Attachment's name",
    "attachment_size": "Attachment's size",
    "kind": "Kind of mail",
    "authentication": "Authentication",
}

OPERATORS = {
    "contains": "contains",
    "not_contains": "does not contain",
    "equals": "is exactly",
    "not_equals": "is not",
    "begins_with": "begins with",
    "ends_with": "ends with",
    "regex": "matches the pattern",
    "greater_than": "is larger than",
    "less_than": "is smaller than",
}

KINDS = {
    "mail": "ordinary mail",
    "list": "mailing list or bulk",
    "automatic": "sent by a machine",
    "own": "own mail come back",
    "pec": "certified mail (PEC)",
    "pec_anomaly": "anomaly of certified mail (PEC)",
}
"""Kinds of mail that rules are asked about."""

ACTIONS = {
    "create_ticket": "create a ticket",
    "update_ticket": "add the mail to its ticket",
    "link_sender": "file it with the sender's record",
    "link_recipient": "file it with the recipient's record",
    "archive": "archive it",
    "ignore": "leave it alone",
}

LOOKUPS = {
    "ticket_id": "found by its Ticket Id",
    "title": "found by its title",
    "external_code": "found by its external code",
    "conversation": "of the conversation it answers",
}

PARTS = {
    "name": "Name",
    "enabled": "State",
    "match": "Match",
    "position": "Place",
    "conditions": "Conditions",
    "action": "Action",
}
"""What of a rule can differ between two versions."""

EXPECTED = ("ticket", "update", "link", "archived", "ignored", "unmatched", "receipt", "bounce", "auto_reply")
"""Outcomes that an example can be pinned with; the others are none of the rules' doing."""
MATCHES = {"all": "all conditions must hold", "any": "any condition is enough"}
CHANGES = {"added": ("Added", "good"), "removed": ("Removed", "bad"), "changed": ("Changed", "info"), "moved": ("Moved", "calm")}
CARET_WINDOW = 30
"""Characters of a refused pattern that are shown on either side of the place."""


def condition(item: dict[str, Any]) -> str:
    """`Subject contains “invoice”`."""
    field = f"Header {item.get('header') or ''}".strip() if item["field"] == "header" else FIELDS.get(item["field"], item["field"])
    if item["field"] == "attachment_size":
        field = "An attachment"
    operator, value = OPERATORS.get(item["operator"], item["operator"]), item["value"]
    if item["field"] == "kind" and item["operator"] in {"equals", "not_equals"}:
        operator, value = "is" if item["operator"] == "equals" else "is not", KINDS.get(value, value)
    return f"{field} {operator} “{value}”"


def conditions(rule: dict[str, Any]) -> str:
    """A rule's conditions as the beginning of a sentence."""
    told = [condition(item).replace("An attachment", "an attachment", 1) for item in _present(rule["conditions"])]
    if not told:
        return "Every mail"
    joiner = " and " if rule["match"] == "all" else " or "
    return "If " + joiner.join(told)


def has_conditions(rule: dict[str, Any]) -> bool:
    """A blank value is no condition."""
    return bool(_present(rule["conditions"]))


def always_takes(rule: dict[str, Any]) -> bool:
    """No rule below is asked for a mail this one matches."""
    kind = rule["action"]["type"]
    return kind in {"create_ticket", "archive", "ignore"} or (kind == "update_ticket" and bool(rule["action"].get("create_when_missing")))


def action(item: dict[str, Any]) -> str:
    """What a rule does, as the end of a sentence."""
    given = [*_given(item)]
    return f"{_deed(item)} (sets {', '.join(given)})" if given else _deed(item)


def _deed(item: dict[str, Any]) -> str:
    kind = str(item["type"])
    if kind in {"link_sender", "link_recipient"}:
        return _filing(kind, item)
    if kind != "update_ticket":
        return ACTIONS.get(kind, kind.replace("_", " ")) + (" and acknowledge the mail" if item.get("acknowledge") else "")
    words = f"add the mail to the ticket {LOOKUPS.get(item.get('lookup', 'ticket_id'), '')}".rstrip()
    if item.get("participants_only") is False:
        words += ", whoever it is from"
    return words + (", or create a ticket when there is none" if item.get("create_when_missing") else "")


def _filing(kind: str, item: dict[str, Any]) -> str:
    whose = "sender's" if kind == "link_sender" else "recipient's"
    words = f"file it with the {item['record']} that has the {whose} address" if item.get("record") else ACTIONS[kind]
    return words + (", or with a new lead when there is none" if item.get("create_lead") else "")


def _given(item: dict[str, Any]) -> list[str]:
    known = {"status": {key: told for key, (told, _) in STATUSES.items()}, "priority": PRIORITIES}
    names = ("status", "priority", "category", "assignee")
    given: list[str] = [f"{name} “{known.get(name, {}).get(item[name], item[name])}”" for name in names if item.get(name)]
    tags = item.get("tags") or []
    return [*given, *([f"tags {', '.join(f'“{tag}”' for tag in tags)}"] if tags else [])]


def result(side: dict[str, Any] | None) -> str:
    """What becomes of a mail: `Added to ticket 128 by “Answers by number”`."""
    if side is None:
        return "could not be tried"
    words = _became(side["outcome"])
    if side.get("ticket_id") and side["outcome"] in {"ticket", "update"}:
        words += f" {side['ticket_id']}"
    return f"{words} by “{side['rule_name']}”" if side.get("rule_name") else words


def _became(outcome: str) -> str:
    """The rule is named beside it."""
    return "Ignored" if outcome == "ignored" else badge(outcome, OUTCOMES).text


def results() -> list[tuple[str, str]]:
    """For a select: outcomes to pin an example with."""
    return [(outcome, _became(outcome)) for outcome in EXPECTED]


def expectation(example: dict[str, Any]) -> str:
    """What an example must become."""
    expected = example["expected"]
    named = {"outcome": expected["outcome"], "rule_name": example["rule_name"]}
    gone = " by a rule that is no longer there" if expected.get("rule_id") and not example["rule_name"] else ""
    return result(named) + gone


def sides(change: dict[str, Any]) -> tuple[str, list[str], list[str]]:
    """A part of a rule that differs: its name, and before and after in words."""
    part = change["field"]
    return PARTS.get(part, part), _told(part, change["before"]), _told(part, change["after"])


def _told(part: str, value: Any) -> list[str]:
    if part == "conditions":
        return [condition(item) for item in _present(value or [])] or ["none: every mail"]
    if part == "action" and value:
        return [action(value)]
    if part == "enabled":
        return ["enabled" if value else "disabled"]
    return [MATCHES.get(str(value), str(value))]


def caret(pattern: str, position: int) -> str:
    """Two lines: the pattern, and `^` below its character at `position` (from 0); a long pattern is cut around it."""
    begin, end = max(0, position - CARET_WINDOW), position + CARET_WINDOW
    before, after = "…" if begin else "", "…" if end < len(pattern) else ""
    shown = "".join(" " if character.isspace() else character for character in pattern[begin:end])
    return f"{before}{shown}{after}\n{' ' * (position - begin + len(before))}^"


def fits_size(operator: str) -> bool:
    """The operator compares sizes, and no texts."""
    return operator in {known.value for known in SIZE_OPERATORS}


def _present(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for item in items if item["value"].strip()]
