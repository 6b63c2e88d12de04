"""A file of rules: read, and what is wrong in it told by rule. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic import ValidationError

from console.pages.page import field_errors
from shared.api import RuleExport
from shared.http import ProblemError

RULE = re.compile(r"(?:file\.)?rules\.(\d+)(?:\.conditions\.(\d+))?(?:\..*)?")


def read(content: bytes) -> RuleExport:
    """The file. Raises ProblemError 422 with what is wrong where."""
    try:
        return RuleExport.model_validate_json(content.removeprefix(b"\xef\xbb\xbf"))
    except ValidationError as error:
        errors = [{"field": ".".join(map(str, item["loc"])), "message": item["msg"]} for item in error.errors()]
        raise ProblemError(422, "No file of rules", "The file cannot be taken.", errors=errors) from error


def faults(error: ProblemError, names: list[str]) -> list[str]:
    """What is wrong, a line for each place: `Rule 3 “Offers”, condition 2: at character 5: …`. `names` are the rules'."""
    if error.status == 413:
        return [error.problem.detail]
    return [_fault(field, message, names) for field, message in field_errors(error).items()] or [error.problem.detail]


def _fault(field: str, message: str, names: list[str]) -> str:
    place = RULE.fullmatch(field)
    if place is None:
        return f"This is no file of exported rules ({f'{field}: ' if field else ''}{message})."
    number = int(place[1])
    name = names[number] if number < len(names) else ""
    where = f"Rule {number + 1}{f' “{name}”' if name else ''}{f', condition {int(place[2]) + 1}' if place[2] else ''}"
    named_again = f"rule {number + 1}, '{name}': "  # the service names the rule in its words
    return f"{where}: {message.removeprefix(named_again)}"


def names_in(content: bytes) -> list[str]:
    """The rules' names as far as the content can be read, for telling where it is wrong."""
    try:
        listed: Any = json.loads(content)["rules"]
        return [str(rule.get("name", "")) for rule in listed]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []
