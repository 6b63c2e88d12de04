"""Versions of a set: who made them, what they say, how they differ; restored, and carried to another mailbox as a file."""

from __future__ import annotations

from typing import Any

import pytest

from shared.http import encode_cursor
from tests.integration.rules.desk import Desk

pytestmark = pytest.mark.connected

VERSIONS = "/scanners/s/rules/versions"
BUILTIN = "Reply to a known conversation"
ABOUT_INVOICES = {"field": "subject", "operator": "contains", "value": "invoice"}


async def noted(desk: Desk) -> list[str]:
    """The notes, oldest first."""
    items = (await desk.client.get(VERSIONS)).json()["items"]
    return [one["note"] for one in reversed(items)]


async def names(desk: Desk, scanner: str = "s") -> list[str]:
    return [rule["name"] for rule in (await desk.client.get(f"/scanners/{scanner}/rules")).json()["items"]]


async def order(desk: Desk, *wanted: str) -> None:
    ids = {rule["name"]: rule["id"] for rule in (await desk.rules())["items"]}
    answer = await desk.client.put("/scanners/s/rules/order", json={"rule_ids": [ids[name] for name in wanted]})
    assert answer.status_code == 200, answer.text


async def compared(desk: Desk, number: int, **params: int) -> list[dict[str, Any]]:
    answer = await desk.client.get(f"{VERSIONS}/{number}/changes", params=params)
    assert answer.status_code == 200, answer.text
    changes: list[dict[str, Any]] = answer.json()["changes"]
    return changes


async def test_versions_have_their_author_and_come_in_pages_newest_first(desk: Desk) -> None:
    await desk.scanner()
    await desk.add_rule("a", "ignore")
    await desk.add_rule("b", "ignore")
    first = (await desk.client.get(VERSIONS, params={"limit": 2})).json()
    assert [one["version"] for one in first["items"]] == [3, 2]
    assert {one["author"] for one in first["items"]} == {"user:anna@company.example"}
    rest = (await desk.client.get(VERSIONS, params={"limit": 2, "cursor": first["next"]})).json()
    assert [(one["version"], one["author"]) for one in rest["items"]] == [(1, "system")]


async def test_a_cursor_of_another_list_is_refused(desk: Desk) -> None:
    await desk.scanner()
    answer = await desk.client.get(VERSIONS, params={"cursor": encode_cursor("2026-11-23T10:00:00Z")})
    assert (answer.status_code, answer.json()["title"]) == (400, "Not a cursor of this list")


async def test_each_version_says_in_plain_words_what_was_done(desk: Desk) -> None:
    await desk.scanner()
    rule = await desk.add_rule("Invoices", "create_ticket")
    await desk.add_rule("Rest", "ignore")
    path = f"/rules/{rule['id']}"
    await desk.client.patch(path, json={"enabled": False})
    await desk.client.patch(path, json={"name": "Bills"})
    await desk.client.patch(path, json={"conditions": [ABOUT_INVOICES]})
    await order(desk, "Rest", BUILTIN, "Bills")
    await desk.client.post(f"{path}/duplicate")
    await desk.client.delete(path)
    await desk.client.post(f"{VERSIONS}/3/restore")
    assert (await noted(desk))[1:] == [
        "Rule 'Invoices' added",
        "Rule 'Rest' added",
        "Rule 'Invoices' switched off",
        "Rule 'Invoices' renamed to 'Bills'",
        "Rule 'Bills' changed: conditions",
        "Order changed: 'Rest' from 3 to 1",
        "Rule 'Bills (copy)' added",
        "Rule 'Bills' deleted",
        "Version 3 restored",
    ]


async def test_a_change_that_changes_nothing_makes_no_version(desk: Desk) -> None:
    await desk.scanner()
    rule = await desk.add_rule("a", "ignore")
    assert (await desk.client.patch(f"/rules/{rule['id']}", json={"name": "a"})).headers["ETag"] == '"2"'
    assert (await desk.client.post(f"{VERSIONS}/2/restore")).headers["ETag"] == '"2"'


async def test_an_earlier_version_is_shown_with_its_rules(desk: Desk) -> None:
    await desk.scanner()
    rule = await desk.add_rule("a", "ignore")
    await desk.client.delete(f"/rules/{rule['id']}")
    shown = (await desk.client.get(f"{VERSIONS}/2")).json()
    assert (shown["version"], shown["note"], shown["author"]) == (2, "Rule 'a' added", "user:anna@company.example")
    assert [(one["name"], one["position"], one["version"]) for one in shown["rules"]] == [(BUILTIN, 1, 2), ("a", 2, 2)]
    assert (await desk.client.get(f"{VERSIONS}/9")).status_code == 404
    assert (await desk.client.get(f"{VERSIONS}/0")).status_code == 422


async def test_versions_are_compared_with_the_one_before_or_any_other(desk: Desk) -> None:
    await desk.scanner()
    for name in ("a", "b", "c"):
        await desk.add_rule(name, "ignore")
    await order(desk, "c", BUILTIN, "a", "b")
    rules = (await desk.rules())["items"]
    await desk.client.patch(f"/rules/{rules[2]['id']}", json={"enabled": False})
    (moved,) = await compared(desk, 5)
    assert (moved["rule_name"], moved["what"]) == ("c", "moved")
    assert moved["fields"] == [{"field": "position", "before": 4, "after": 1}]
    (changed,) = await compared(desk, 6)
    assert changed["fields"] == [{"field": "enabled", "before": True, "after": False}]
    assert [(one["rule_name"], one["what"]) for one in await compared(desk, 6, against=3)] == [("c", "added"), ("a", "changed")]
    assert [(one["rule_name"], one["what"]) for one in await compared(desk, 3, against=6)] == [("a", "changed"), ("c", "removed")]
    assert [one["what"] for one in await compared(desk, 1)] == ["added"]
    assert (await desk.client.get(f"{VERSIONS}/6/changes", params={"against": 9})).status_code == 404


async def test_a_version_is_restored_unless_the_set_changed_meanwhile(desk: Desk) -> None:
    await desk.scanner()
    rule = await desk.add_rule("a", "ignore")
    await desk.client.delete(f"/rules/{rule['id']}")
    assert (await desk.client.post(f"{VERSIONS}/2/restore", headers={"If-Match": '"2"'})).status_code == 412
    restored = await desk.client.post(f"{VERSIONS}/2/restore", headers={"If-Match": '"3"'})
    assert (restored.json()["version"], restored.headers["ETag"]) == (4, '"4"')
    assert [one["id"] for one in restored.json()["items"]][1] == rule["id"]
    assert (await desk.client.get(f"/rules/{rule['id']}")).status_code == 200
    assert (await desk.client.post(f"{VERSIONS}/99/restore")).status_code == 404


async def exported(desk: Desk, scanner: str) -> dict[str, Any]:
    answer = await desk.client.get(f"/scanners/{scanner}/rules/export")
    assert answer.status_code == 200, answer.text
    file: dict[str, Any] = answer.json()
    return file


async def taken(desk: Desk, scanner: str, mode: str, file: dict[str, Any], **headers: str) -> Any:
    return await desk.client.post(f"/scanners/{scanner}/rules/import", json={"mode": mode, "file": file}, headers=headers)


async def filled(desk: Desk) -> None:
    await desk.scanner()
    await desk.scanner("t")
    await desk.add_rule("Invoices", "create_ticket", ABOUT_INVOICES, enabled=False)
    await desk.add_rule("Numbers", "update_ticket", {"field": "header", "header": "X-Ticket", "operator": "regex", "value": r"(\d+)"})
    await order(desk, "Invoices", BUILTIN, "Numbers")
    builtin = (await desk.rules())["items"][1]
    await desk.client.patch(f"/rules/{builtin['id']}", json={"enabled": False})


async def test_an_export_imported_into_another_mailbox_is_the_same_export_again(desk: Desk) -> None:
    await filled(desk)
    file = await exported(desk, "s")
    assert (file["format"], file["scanner_name"]) == ("mailconverter.rules.v1", "Help")
    assert "id" not in file["rules"][0]
    answer = await taken(desk, "t", "replace", file)
    assert answer.status_code == 200, answer.text
    assert (await exported(desk, "t"))["rules"] == file["rules"]
    builtin = next(rule for rule in answer.json()["items"] if rule["builtin"])
    assert (builtin["position"], builtin["enabled"]) == (2, False)
    assert (await desk.client.delete(f"/rules/{builtin['id']}")).status_code == 409
    assert (await taken(desk, "t", "replace", file)).json()["version"] == 2
    versions = (await desk.client.get("/scanners/t/rules/versions")).json()["items"]
    assert versions[0]["note"].startswith("Imported: Rules 'Invoices', 'Numbers' added; Rule 'Reply to a known conversation' switched off")


async def test_a_file_is_appended_once_per_key_and_without_its_built_in_rule(desk: Desk) -> None:
    await filled(desk)
    file = await exported(desk, "s")
    for _ in range(2):
        assert (await taken(desk, "t", "append", file, **{"Idempotency-Key": "k"})).status_code == 200
    assert await names(desk, "t") == [BUILTIN, "Invoices", "Numbers"]


async def test_an_import_guards_against_lost_updates(desk: Desk) -> None:
    await filled(desk)
    assert (await taken(desk, "s", "replace", await exported(desk, "s"), **{"If-Match": '"1"'})).status_code == 412


async def test_a_refused_pattern_of_a_file_names_the_rule_by_number_and_name_and_imports_nothing(desk: Desk) -> None:
    await filled(desk)
    file = await exported(desk, "s")
    file["rules"][2]["conditions"].append({"field": "body", "operator": "regex", "value": "ab(?=c)"})
    answer = await taken(desk, "t", "replace", file)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["field"], error["position"]) == ("file.rules.2.conditions.1.value", 2)
    assert error["message"].startswith("rule 3, 'Numbers': at character 3:")
    assert await names(desk, "t") == [BUILTIN]


async def test_a_file_that_would_make_two_built_in_rules_is_refused(desk: Desk) -> None:
    await filled(desk)
    file = await exported(desk, "s")
    answer = await taken(desk, "t", "replace", file | {"rules": [file["rules"][1]] * 2})
    assert answer.status_code == 409
    assert "exactly one" in answer.json()["detail"]


async def test_a_file_of_another_format_is_refused(desk: Desk) -> None:
    await filled(desk)
    answer = await taken(desk, "t", "append", {"format": "other", "rules": []})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "file.format"
