"""The stand-in's rules: a set of one of each sort, its versions, its examples."""

from __future__ import annotations

from typing import Any

from shared import api
from tests.kit.stand_in_mailboxes import ago

VERSION = 7
OTTO = "user:otto@company.example"

_NUMBER = {"field": "subject", "operator": "regex", "value": r"Ticket Id:\s*(\d+)"}
_OFFERS = [
    {"field": "subject", "operator": "contains", "value": "offer"},
    {"field": "from", "operator": "ends_with", "value": "@shop.example"},
]
_LARGE = [
    {"field": "attachment_size", "operator": "greater_than", "value": "20 MB"},
    {"field": "kind", "operator": "equals", "value": "list"},
    {"field": "header", "header": "X-Campaign", "operator": "begins_with", "value": "spring"},
    {"field": "authentication", "operator": "equals", "value": "dmarc=fail"},
]


def rule_set() -> list[api.Rule]:
    """Of the mailbox Support, in its version of today."""
    raw: list[dict[str, Any]] = [
        {
            "id": "r1",
            "name": "Reply to a known conversation",
            "builtin": True,
            "action": {"type": "update_ticket", "lookup": "conversation"},
        },
        {"id": "r2", "name": "Answers by number", "conditions": [_NUMBER], "action": {"type": "update_ticket"}},
        {"id": "r3", "name": "Leave offers alone", "enabled": False, "match": "any", "conditions": _OFFERS, "action": {"type": "ignore"}},
        {"id": "r4", "name": "Everything else", "conditions": [], "action": {"type": "create_ticket", "priority": "normal"}},
    ]
    return rules_of(raw, VERSION)


def rules_of(raw: list[dict[str, Any]], version: int) -> list[api.Rule]:
    """Rules in this order."""
    known = {"scanner_id": "support", "version": version}
    return [api.Rule.model_validate(known | {"position": index} | rule) for index, rule in enumerate(raw, 1)]


def rule_versions() -> list[api.RuleSetContent]:
    """Three: one rule was changed and moved, one removed and one added on the way."""
    today = rule_set()
    by_id = {rule.id: rule.model_dump() for rule in today}
    campaign = {"id": "r0", "name": "Campaigns", "match": "any", "conditions": _LARGE, "action": {"type": "archive"}}
    before = [by_id["r1"], by_id["r3"] | {"enabled": True, "conditions": _OFFERS[:1]}, by_id["r2"], campaign]
    first = [by_id["r1"]]
    return [
        _version(5, "system", "The built-in rule", 40, first),
        _version(6, "user:anna@company.example", "Rule 'Campaigns' added", 9, before),
        _version(VERSION, OTTO, "Rules of a file taken in", 2, [rule.model_dump() for rule in today]),
    ]


def _version(number: int, author: str, note: str, days: int, rules: list[dict[str, Any]]) -> api.RuleSetContent:
    listed = [api.Rule.model_validate(rule) for rule in (_numbered(rule, index, number) for index, rule in enumerate(rules, 1))]
    return api.RuleSetContent(version=number, author=author, created_at=ago(days=days), note=note, rules=listed)


def _numbered(rule: dict[str, Any], position: int, version: int) -> dict[str, Any]:
    return rule | {"scanner_id": "support", "position": position, "version": version}


def statistics() -> list[api.RuleStatistics]:
    """One that works, one that matches and never acts, one that is of no use; of others nothing is known yet."""
    return [
        api.RuleStatistics(
            rule_id="r2", matched=1204, acted=1190, last_matched_at=ago(hours=3), last_acted_at=ago(hours=4), never_matched=False
        ),
        api.RuleStatistics(rule_id="r3", matched=0, acted=0, never_matched=True),
        api.RuleStatistics(rule_id="r4", matched=1, acted=0, last_matched_at=ago(days=2), never_matched=False),
    ]


def examples() -> list[api.Example]:
    """Pinned mails: one of the ledger, one uploaded whose rule is gone."""
    known: dict[str, Any] = {"scanner_id": "support", "author": OTTO, "created_at": ago(days=3)}
    rows: list[dict[str, Any]] = [
        {
            "id": "e1",
            "name": "An answer by number",
            "mail_id": "mail-2",
            "subject": "Re: Invoice wrong – Überweisung - Ticket Id: 128",
            "sender": "Anna Keller <anna@customer.example>",
            "expected": {"outcome": "update", "rule_id": "r2"},
            "rule_name": "Answers by number",
        },
        {
            "id": "e2",
            "name": "<b>Spring</b> campaign",
            "subject": "<script>top()</script>",
            "expected": {"outcome": "ignored", "rule_id": "gone"},
        },
        {"id": "e3", "name": "A first mail", "subject": "Hello", "sender": "new@customer.example", "expected": {"outcome": "ticket"}},
    ]
    return [api.Example.model_validate(known | row) for row in rows]


def broken_by(example: api.Example) -> api.ExampleResult:
    """What a change would make of it instead."""
    after = api.ResultSide.model_validate({"outcome": "ignored", "rule_id": "r3", "rule_name": "Leave offers alone"})
    return api.ExampleResult(example=example, after=after, holds=False)
