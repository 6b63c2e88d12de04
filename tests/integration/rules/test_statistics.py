"""How often each rule matched and acted, and which rules no mail needs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text

from rules.adapters.tables import RULE_COUNTS
from shared.clock import utc_now
from shared.events import OutcomeType
from tests.integration.rules.desk import Desk, mail_bytes, raw_record

pytestmark = pytest.mark.connected

ABOUT_INVOICES = {"field": "subject", "operator": "contains", "value": "invoice"}


async def statistics(desk: Desk) -> dict[str, dict[str, Any]]:
    """By the rule's name, in order."""
    names = {rule["id"]: rule["name"] for rule in (await desk.rules())["items"]}
    answer = await desk.client.get("/scanners/s/rules/statistics")
    assert answer.status_code == 200, answer.text
    return {names[one["rule_id"]]: one for one in answer.json()["items"]}


async def grown_older(desk: Desk, days: int) -> None:
    """Every version so far was made that many days earlier."""
    async with desk.service.engine.begin() as conn:
        await conn.execute(text("update rule_sets set created_at = created_at - make_interval(days => :days)"), {"days": days})


async def matched(desk: Desk, rule_id: str, days_ago: int) -> None:
    at = utc_now() - timedelta(days=days_ago)
    row = {"rule_id": rule_id, "day": at.date(), "slot": 1, "matched": 2, "acted": 1, "last_matched_at": at, "last_acted_at": at}
    async with desk.service.engine.begin() as conn:
        await conn.execute(insert(RULE_COUNTS).values(row))


async def test_matches_and_actions_are_counted_as_mails_come_and_end(desk: Desk) -> None:
    await desk.scanner()
    invoices = await desk.add_rule("Invoices", "create_ticket", ABOUT_INVOICES)
    await desk.add_rule("Rest", "ignore")
    await desk.mails(*(raw_record(f"m{n}", mail_bytes("An invoice" if n else "A lamp")) for n in range(3)))
    await desk.outcome("m1", 1, OutcomeType.TICKET, rule_id=invoices["id"], rule_name="Invoices")
    found = await statistics(desk)
    assert list(found) == ["Reply to a known conversation", "Invoices", "Rest"]
    assert {name: (one["matched"], one["acted"]) for name, one in found.items()} == {
        "Reply to a known conversation": (3, 0),
        "Invoices": (2, 1),
        "Rest": (1, 0),
    }
    assert found["Invoices"]["last_matched_at"] is not None
    assert found["Rest"]["last_acted_at"] is None


async def test_a_rule_that_was_there_for_90_days_without_a_match_is_said_to_match_nothing(desk: Desk) -> None:
    await desk.scanner()
    rules = {name: await desk.add_rule(name, "ignore", ABOUT_INVOICES) for name in ("never", "long ago", "lately")}
    await grown_older(desk, 91)
    await desk.add_rule("new", "ignore", ABOUT_INVOICES)
    await matched(desk, rules["long ago"]["id"], 91)
    await matched(desk, rules["lately"]["id"], 91)
    await matched(desk, rules["lately"]["id"], 89)
    found = await statistics(desk)
    told = {name: one["never_matched"] for name, one in found.items() if name in {*rules, "new"}}
    assert told == {"never": True, "long ago": True, "lately": False, "new": False}
    assert (found["lately"]["matched"], found["lately"]["acted"]) == (4, 2)


async def test_a_rule_younger_than_90_days_is_not_said_to_match_nothing(desk: Desk) -> None:
    await desk.scanner()
    await desk.add_rule("young", "ignore", ABOUT_INVOICES)
    await grown_older(desk, 89)
    assert not (await statistics(desk))["young"]["never_matched"]


async def test_a_rule_that_moved_or_changed_keeps_its_statistics(desk: Desk) -> None:
    await desk.scanner()
    rule = await desk.add_rule("old", "ignore", ABOUT_INVOICES)
    await grown_older(desk, 91)
    await matched(desk, rule["id"], 100)
    await desk.client.patch(f"/rules/{rule['id']}", json={"name": "renamed"})
    found = (await statistics(desk))["renamed"]
    assert (found["matched"], found["never_matched"]) == (2, True)
