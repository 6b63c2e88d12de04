"""A file of rules that somebody imports, and what is wrong in it in words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from console.pages.rule_file import faults, names_in, read
from shared.http import ProblemError

GOOD: dict[str, Any] = {
    "name": "Invoices",
    "conditions": [{"field": "subject", "operator": "contains", "value": "invoice"}],
    "action": {"type": "create_ticket"},
}


def file(*rules: dict[str, Any]) -> bytes:
    return json.dumps({"format": "mailconverter.rules.v1", "rules": rules}).encode()


def told(content: bytes) -> list[str]:
    with pytest.raises(ProblemError) as caught:
        read(content)
    return faults(caught.value, names_in(content))


def test_a_file_with_a_byte_order_mark_is_read() -> None:
    assert [rule.name for rule in read(b"\xef\xbb\xbf" + file(GOOD)).rules] == ["Invoices"]


def test_what_is_wrong_is_told_by_rule_and_condition() -> None:
    bad = GOOD | {"name": "Large", "conditions": [*GOOD["conditions"], {"field": "attachment_size", "operator": "contains", "value": "1"}]}
    (line,) = told(file(GOOD, bad))
    assert line.startswith("Rule 2 “Large”, condition 2: ")
    assert "greater_than" in line


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"<html>", b"[]", b'{"items": []}', b'{"rules": 3}', b"[" * 100_000])
def test_something_else_is_told_to_be_no_file_of_rules(content: bytes) -> None:
    assert all(line.startswith("This is no file of exported rules") for line in told(content))


def test_a_pattern_refused_by_the_service_is_told_at_its_rule() -> None:
    wrong = "at character 1: a bracket ( is never closed"
    errors = [{"field": "file.rules.0.conditions.0.value", "message": f"rule 1, 'Invoices': {wrong}", "position": 0}]
    line = "Rule 1 “Invoices”, condition 1: " + wrong
    assert faults(ProblemError(422, "Not valid", errors=errors), ["Invoices"]) == [line]
