"""Why a mail went where it went: asked for by its id, long after."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from shared.events import OutcomeType
from tests.integration.rules.desk import Desk, mail_bytes, raw_record

pytestmark = pytest.mark.connected

NUMBER = {"field": "subject", "operator": "regex", "value": r"#(?P<ticket>\d+)"}
VACATION = b"Auto-Submitted: auto-replied\r\n"


async def decision(desk: Desk, mail_id: str = "m", **params: int) -> dict[str, Any]:
    answer = await desk.client.get(f"/mails/{mail_id}/decision", params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def decided(desk: Desk) -> None:
    await desk.scanner()
    await desk.add_rule("Numbers", "update_ticket", NUMBER)
    await desk.add_rule("Rest", "create_ticket")
    await desk.add_rule("Never", "ignore")
    await desk.mails(raw_record("m", mail_bytes("Printer #12")))


async def test_an_undecided_mail_has_no_decision(desk: Desk) -> None:
    answer = await desk.client.get("/mails/m/decision")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_the_trace_says_which_rule_took_once_the_outcome_is_known(desk: Desk) -> None:
    await decided(desk)
    before = await decision(desk)
    assert [(rule["rule_name"], rule["matched"]) for rule in before["trace"][1:]] == [("Numbers", True), ("Rest", True), ("Never", False)]
    assert before["trace"][1]["captures"]["ticket"] == "12"
    assert before["trace"][1]["conditions"][0]["compared"] == "Printer #12"
    assert before["outcome"] is None
    assert not any(rule["took"] for rule in before["trace"])
    assert [candidate["rule_name"] for candidate in before["candidates"]] == ["Reply to a known conversation", "Numbers", "Rest"]
    rest = before["trace"][2]["rule_id"]
    await desk.outcome("m", 1, OutcomeType.TICKET, rule_id=rest, rule_name="Rest")
    after = await decision(desk)
    assert [rule["rule_name"] for rule in after["trace"] if rule["took"]] == ["Rest"]
    assert (after["outcome"]["type"], after["outcome"]["ticket_id"], after["outcome"]["rule_name"]) == ("ticket", 7, "Rest")


async def test_the_trace_is_told_by_the_rules_that_decided_also_when_they_and_the_mailbox_are_gone(desk: Desk) -> None:
    await decided(desk)
    before = await decision(desk)
    for rule in (await desk.rules())["items"][1:]:
        await desk.client.delete(f"/rules/{rule['id']}")
    assert await decision(desk) == before
    await desk.scanner_gone()
    assert await decision(desk) == before


async def test_a_mail_whose_kind_decides_says_what_told_it_and_asked_no_rule(desk: Desk) -> None:
    await desk.scanner()
    await desk.mails(raw_record("m", VACATION + mail_bytes()))
    found = await decision(desk)
    assert (found["kind"], found["trace"], found["candidates"]) == ("auto_reply", [], [])
    assert "Auto-Submitted" in found["kind_reason"]


async def test_a_mail_that_came_before_its_mailbox_was_known_was_asked_the_built_in_rule(desk: Desk) -> None:
    await desk.mails(raw_record("m", mail_bytes(), scanner="new"))
    assert [rule["rule_name"] for rule in (await decision(desk))["trace"]] == ["Reply to a known conversation"]


async def test_each_run_has_its_decision_and_the_last_is_shown(desk: Desk) -> None:
    await decided(desk)
    columns = "kind, rule_set_version, candidates, evidence, received_at, archive_key, decided_at"
    again = f"insert into decisions (mail_id, run, scanner_id, {columns}) select mail_id, 2, scanner_id, {columns} from decisions"  # noqa: S608 -- constants
    async with desk.service.engine.begin() as conn:
        await conn.execute(text(again))
    assert ((await decision(desk))["run"], (await decision(desk, run=1))["run"]) == (2, 1)
    assert (await desk.client.get("/mails/m/decision", params={"run": 3})).status_code == 404
    assert (await desk.client.get("/mails/m/decision", params={"run": 0})).status_code == 422
