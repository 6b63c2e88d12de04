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


async def test_versions_have_author_and_note_and_can_be_restored(desk: Desk) -> None:
    await desk.scanner()
    rule = await desk.add_rule("all", "create_ticket")
    await desk.client.delete(f"/rules/{rule['id']}")
    answer = await desk.client.get("/scanners/s/rules/versions", params={"limit": 2})
    first = answer.json()
    assert [one["version"] for one in first["items"]] == [3, 2]
    assert first["items"][1]["author"] == "user:anna@company.example"
    assert "'all'" in first["items"][1]["note"]
    rest = await desk.client.get("/scanners/s/rules/versions", params={"limit": 2, "cursor": first["next"]})
    assert [one["version"] for one in rest.json()["items"]] == [1]
    restored = (await desk.client.post("/scanners/s/rules/versions/2/restore")).json()
    assert restored["version"] == 4
    assert [one["name"] for one in restored["items"]] == ["Reply to a known conversation", "all"]
    assert (await desk.client.get(f"/rules/{rule['id']}")).status_code == 200
    assert (await desk.client.post("/scanners/s/rules/versions/99/restore")).status_code == 404


async def test_text_with_nul_is_stored_without_it(desk: Desk) -> None:
    await desk.scanner()
    rule = await desk.add_rule("a\x00b", "create_ticket", {"field": "body", "operator": "contains", "value": "x\x00y"})
    assert rule["name"] == "ab"


async def test_nobody_gets_in_without_the_service_token(desk: Desk) -> None:
    answer = await desk.client.get("/scanners/s/rules", headers={"X-Service-Token": "wrong"})
    assert answer.status_code == 401


async def test_an_undecided_mail_has_no_decision(desk: Desk) -> None:
    assert (await desk.client.get("/mails/m/decision")).status_code == 404


async def test_migrations_and_tables_agree(desk: Desk, database: str) -> None:
    config = alembic_config(migrations_folder("rules"), database)
    await asyncio.to_thread(command.check, config)
    async with desk.service.engine.connect() as conn:
        assert await conn.scalar(text("select count(*) from alembic_version")) == 1
