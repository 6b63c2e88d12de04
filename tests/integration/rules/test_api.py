"""Rules over HTTP: ordered, versioned, guarded against lost updates, refused with the reason."""

from __future__ import annotations

import asyncio

import pytest
from alembic import command
from sqlalchemy import text

from shared.database import alembic_config
from shared.service import migrations_folder
from tests.integration.rules.desk import Desk

pytestmark = pytest.mark.connected

CREATE = {"name": "all", "action": {"type": "create_ticket"}}


async def test_a_new_scanner_has_the_built_in_rule_only(desk: Desk) -> None:
    await desk.scanner()
    found = await desk.rules()
    assert found["version"] == 1
    assert [(rule["name"], rule["builtin"], rule["position"]) for rule in found["items"]] == [("Reply to a known conversation", True, 1)]
    await desk.scanner(version=2)
    assert (await desk.rules())["version"] == 1


async def test_a_scanner_is_waited_for_then_404(desk: Desk) -> None:
    assert (await desk.client.get("/scanners/s/rules")).status_code == 404
    asked = asyncio.create_task(desk.client.get("/scanners/s/rules"))
    await desk.scanner()
    assert (await asked).status_code == 200


async def test_a_deleted_scanner_hides_its_rules_and_goes_on_with_them_when_it_comes_again(desk: Desk) -> None:
    await desk.scanner()
    rule = await desk.add_rule("all", "create_ticket")
    await desk.scanner_gone()
    assert (await desk.client.get("/scanners/s/rules")).status_code == 404
    assert (await desk.client.get(f"/rules/{rule['id']}")).status_code == 404
    await desk.scanner(version=2)
    assert (await desk.rules())["version"] == 2
    assert (await desk.client.get(f"/rules/{rule['id']}")).json()["name"] == "all"


async def test_create_read_change_delete(desk: Desk) -> None:
    await desk.scanner()
    answer = await desk.client.post("/scanners/s/rules", json=CREATE)
    rule = answer.json()
    assert answer.headers["Location"] == f"/api/v1/rules/{rule['id']}"
    assert answer.headers["ETag"] == '"2"'
    assert (rule["position"], rule["version"], rule["match"]) == (2, 2, "all")
    path = f"/rules/{rule['id']}"
    changed = await desk.client.patch(path, json={"enabled": False}, headers={"If-Match": '"2"'})
    assert (changed.json()["enabled"], changed.headers["ETag"]) == (False, '"3"')
    assert (await desk.client.get(path)).json() == changed.json()
    assert (await desk.client.delete(path)).status_code == 204
    assert (await desk.client.get(path)).status_code == 404
    assert (await desk.client.delete(path)).status_code == 404


async def test_a_stale_copy_is_refused(desk: Desk) -> None:
    await desk.scanner()
    rule = await desk.add_rule("all", "create_ticket")
    stale = {"If-Match": '"1"'}
    for answer in (
        await desk.client.patch(f"/rules/{rule['id']}", json={"name": "x"}, headers=stale),
        await desk.client.delete(f"/rules/{rule['id']}", headers=stale),
        await desk.client.put("/scanners/s/rules/order", json={"rule_ids": []}, headers=stale),
        await desk.client.post("/scanners/s/rules", json=CREATE, headers=stale),
    ):
        assert answer.status_code == 412
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await desk.rules())["version"] == 2


async def test_racing_changes_each_make_a_version(desk: Desk) -> None:
    await desk.scanner()
    await asyncio.gather(*(desk.add_rule(f"r{n}", "create_ticket") for n in range(8)))
    found = await desk.rules()
    assert found["version"] == 9
    assert len(found["items"]) == 9


async def test_the_same_idempotency_key_makes_one_rule(desk: Desk) -> None:
    await desk.scanner()
    headers = {"Idempotency-Key": "k"}
    answers = await asyncio.gather(*(desk.client.post("/scanners/s/rules", json=CREATE, headers=headers) for _ in range(3)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len((await desk.rules())["items"]) == 2


async def test_one_key_for_two_mailboxes_makes_a_rule_in_each(desk: Desk) -> None:
    rules = []
    for scanner in ("s", "t"):
        await desk.scanner(scanner)
        rules.append((await desk.client.post(f"/scanners/{scanner}/rules", json=CREATE, headers={"Idempotency-Key": "k"})).json())
    shown = [(await desk.client.get(f"/rules/{rule['id']}")).json()["scanner_id"] for rule in rules]
    assert shown == ["s", "t"]


async def test_the_order_is_exactly_the_set(desk: Desk) -> None:
    await desk.scanner()
    await desk.add_rule("all", "create_ticket")
    ids = [rule["id"] for rule in (await desk.rules())["items"]]
    for wrong in (ids[:1], [*ids, "x"], [ids[0], ids[0]], []):
        assert (await desk.client.put("/scanners/s/rules/order", json={"rule_ids": wrong})).status_code == 409
    answer = await desk.client.put("/scanners/s/rules/order", json={"rule_ids": ids[::-1]})
    assert [rule["id"] for rule in answer.json()["items"]] == ids[::-1]
    assert [rule["position"] for rule in answer.json()["items"]] == [1, 2]


async def test_the_built_in_rule_is_switched_off_but_not_deleted(desk: Desk) -> None:
    await desk.scanner()
    path = f"/rules/{(await desk.rules())['items'][0]['id']}"
    assert (await desk.client.delete(path)).status_code == 409
    assert (await desk.client.patch(path, json={"action": {"type": "ignore"}})).status_code == 409
    assert (await desk.client.patch(path, json={"enabled": False})).json()["enabled"] is False


async def test_a_pattern_re2_refuses_is_named_by_condition_position_and_reason(desk: Desk) -> None:
    await desk.scanner()
    good = {"field": "subject", "operator": "regex", "value": r"#(\d+)"}
    bad = {"field": "body", "operator": "regex", "value": "ab(?=c)"}
    answer = await desk.client.post("/scanners/s/rules", json=CREATE | {"conditions": [good, bad]})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["field"], error["position"]) == ("conditions.1.value", 2)
    assert "look-ahead" in error["reason"]
    rule = await desk.add_rule("all", "create_ticket")
    assert (await desk.client.patch(f"/rules/{rule['id']}", json={"conditions": [bad]})).status_code == 422
    assert (await desk.rules())["version"] == 2
    not_a_pattern = bad | {"operator": "contains"}
    assert (await desk.client.patch(f"/rules/{rule['id']}", json={"conditions": [not_a_pattern]})).status_code == 200


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (r"((\pL{100}){10}){1}[\pL\pN]{1000}", "too large"),
        ("(((a{100}){100}){100}){100}", "1000"),
        ("a{1001}", "1000"),
    ],
)
async def test_a_pattern_too_large_for_re2_is_refused_in_plain_words(desk: Desk, pattern: str, reason: str) -> None:
    await desk.scanner()
    condition = {"field": "subject", "operator": "regex", "value": pattern}
    answer = await desk.client.post("/scanners/s/rules", json=CREATE | {"conditions": [condition]})
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["field"] == "conditions.0.value"
    assert reason in error["message"]


@pytest.mark.parametrize(
    ("condition", "place", "words"),
    [
        ({"field": "header", "operator": "contains"}, "header", "must be the name of a field"),
        ({"field": "header", "header": "a b", "operator": "contains"}, "header", "no blanks"),
        ({"field": "subject", "header": "X-Spam", "operator": "contains"}, "header", "must be left out"),
        ({"field": "attachment_size", "operator": "greater_than", "value": "large"}, "value", "500 KB"),
        ({"field": "attachment_size", "operator": "contains"}, "operator", "greater_than"),
        ({"field": "subject", "operator": "less_than"}, "operator", "begins_with"),
    ],
)
async def test_a_condition_that_makes_no_sense_is_named_with_its_part(
    desk: Desk, condition: dict[str, str], place: str, words: str
) -> None:
    await desk.scanner()
    fine = {"field": "header", "header": "List-Id", "operator": "contains", "value": "news"}
    answer = await desk.client.post("/scanners/s/rules", json=CREATE | {"conditions": [fine, fine, {"value": "1"} | condition]})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == f"conditions.2.{place}"
    assert words in error["message"]
    assert "Value error" not in answer.text


@pytest.mark.parametrize(
    ("action", "option", "words"),
    [
        ({"type": "update_ticket", "acknowledge": True}, "acknowledge", "update_ticket has no option acknowledge; leave the field out"),
        ({"type": "archive", "create_lead": True}, "create_lead", "archive has no option create_lead"),
        ({"type": "ignore", "priority": "high"}, "priority", "ignore has no option priority"),
        ({"type": "create_ticket", "status": "resolved"}, "status", "open, in_progress, waiting, closed"),
    ],
)
async def test_an_option_nobody_carries_out_is_refused_not_swallowed(desk: Desk, action: dict[str, str], option: str, words: str) -> None:
    await desk.scanner()
    rule = await desk.add_rule("all", "create_ticket")
    for answer in (
        await desk.client.post("/scanners/s/rules", json=CREATE | {"action": action}),
        await desk.client.patch(f"/rules/{rule['id']}", json={"action": action}),
    ):
        assert answer.status_code == 422, answer.text
        (error,) = answer.json()["errors"]
        assert error["field"] == f"action.{option}"
        assert words in error["message"]


async def test_a_rule_saved_before_options_were_checked_is_still_shown_and_changed(desk: Desk) -> None:
    await desk.scanner()
    rule = await desk.add_rule("all", "ignore")
    async with desk.service.engine.begin() as conn:
        await conn.execute(text("""update rule_sets set rules = jsonb_set(rules, '{1,action,acknowledge}', 'true') where version = 2"""))
    assert (await desk.rules())["items"][1]["action"]["acknowledge"] is True
    assert (await desk.client.patch(f"/rules/{rule['id']}", json={"name": "b"})).status_code == 200
    file = (await desk.client.get("/scanners/s/rules/export")).json()
    file.pop("exported_at")
    assert (await desk.client.post("/scanners/s/rules/import", json={"mode": "append", "file": file})).status_code == 200


async def test_a_copy_stands_behind_its_rule_switched_off(desk: Desk) -> None:
    await desk.scanner()
    long = "n" * 200
    rule = await desk.add_rule(long, "create_ticket", {"field": "subject", "operator": "contains", "value": "x"})
    await desk.add_rule("last", "ignore")
    answers = [await desk.client.post(f"/rules/{rule['id']}/duplicate", headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    copy = answers[0].json()
    assert answers[0].headers["Location"] == f"/api/v1/rules/{copy['id']}"
    assert answers[0].headers["ETag"] == '"4"'
    assert (copy["name"], copy["enabled"], copy["position"]) == ("n" * 193 + " (copy)", False, 3)
    assert copy["conditions"] == rule["conditions"]
    assert len((await desk.rules())["items"]) == 4
    assert (await desk.client.post("/rules/none/duplicate")).status_code == 404


async def test_a_copy_of_the_built_in_rule_is_an_ordinary_one(desk: Desk) -> None:
    await desk.scanner()
    (builtin,) = (await desk.rules())["items"]
    copy = (await desk.client.post(f"/rules/{builtin['id']}/duplicate")).json()
    assert (copy["builtin"], copy["action"]["lookup"]) == (False, "conversation")
    assert (await desk.client.delete(f"/rules/{copy['id']}")).status_code == 204


async def test_text_with_nul_is_stored_without_it(desk: Desk) -> None:
    await desk.scanner()
    rule = await desk.add_rule("a\x00b", "create_ticket", {"field": "body", "operator": "contains", "value": "x\x00y"})
    assert rule["name"] == "ab"
    answer = await desk.client.patch(f"/rules/{rule['id']}", json={"name": "\x00"})
    assert answer.json()["errors"] == [{"field": "name", "message": "must not be empty"}]


async def test_nobody_gets_in_without_the_service_token(desk: Desk) -> None:
    answer = await desk.client.get("/scanners/s/rules", headers={"X-Service-Token": "wrong"})
    assert answer.status_code == 401


async def test_migrations_and_tables_agree(desk: Desk, database: str) -> None:
    config = alembic_config(migrations_folder("rules"), database)
    await asyncio.to_thread(command.check, config)
    async with desk.service.engine.connect() as conn:
        assert await conn.scalar(text("select count(*) from alembic_version")) == 1
