"""How the desk names things, saved views, and the filters of the list."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.integration.tickets.rig import Rig, command, mail

pytestmark = pytest.mark.connected


async def test_the_desk_is_delivered_with_names_and_changes_those_given(rig: Rig) -> None:
    answer = await rig.api.get("/ticket-settings")
    delivered = answer.json()
    assert (delivered["status_names"]["waiting"], delivered["priorities"]) == (
        "Waiting for the customer",
        ["low", "normal", "high", "urgent"],
    )
    assert (delivered["categories"], delivered["version"], answer.headers["ETag"]) == ([], 1, '"1"')
    fields = {"status_names": {"open": "New\n one"}, "categories": ["Printers", "printers", "Net\x00work"]}
    changed = await rig.api.patch("/ticket-settings", json=fields, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
    assert changed.json()["status_names"] == {**delivered["status_names"], "open": "New one"}
    assert changed.json()["categories"] == ["Printers", "Net work"]
    assert changed.json()["priorities"] == delivered["priorities"]
    assert (await rig.get("/ticket-settings")) == changed.json()


async def test_settings_that_make_no_sense_or_are_out_of_date_are_refused(rig: Rig) -> None:
    for fields, named in [
        ({"priorities": []}, "priorities"),
        ({"priorities": [" "]}, "priorities"),
        ({"priorities": ["x" * 41]}, "40"),
        ({"status_names": {"burning": "x"}}, "status_names"),
        ({"status_names": {"open": "\x00"}}, "status_names"),
        ({"categories": ["x" * 201]}, "categories"),
        ({"colour": "red"}, "colour"),
    ]:
        answer = await rig.api.patch("/ticket-settings", json=fields)
        assert (answer.status_code, named in answer.json()["detail"]) == (422, True), answer.text
    assert (await rig.api.patch("/ticket-settings", json={"categories": []}, headers={"If-Match": '"7"'})).status_code == 412
    same = await rig.api.patch("/ticket-settings", json={"categories": []})
    assert (same.status_code, same.headers["ETag"]) == (200, '"1"')


async def save(rig: Rig, name: str, actor: str = "user:olga", **fields: Any) -> httpx.Response:
    key = fields.pop("key", None)
    headers = {"X-Actor": actor, **({"Idempotency-Key": key} if key else {})}
    return await rig.api.post("/ticket-views", json={"name": name, "filter": {}, **fields}, headers=headers)


async def test_a_view_is_made_once_per_key_read_changed_and_deleted(rig: Rig) -> None:
    made = [await save(rig, "Mine\x00", filter={"status": ["open", "waiting"], "assignee": "me"}, key="k") for _ in range(2)]
    view = made[0].json()
    assert (made[0].status_code, made[1].json(), view["owner"], view["shared"]) == (201, view, "user:olga", False)
    assert (view["filter"]["status"], view["filter"]["assignee"], view["filter"]["q"]) == (["open", "waiting"], "me", None)
    path = f"/ticket-views/{view['id']}"
    assert made[0].headers["Location"] == f"/api/v1{path}"
    stale = await rig.api.patch(path, json={"name": "x"}, headers={"If-Match": '"2"'})
    changed = await rig.api.patch(path, json={"filter": {"q": "a\x00b"}, "shared": True}, headers={"If-Match": '"1"'})
    same = await rig.api.patch(path, json={"shared": True})
    assert (stale.status_code, changed.headers["ETag"], same.headers["ETag"]) == (412, '"2"', '"2"')
    assert (changed.json()["filter"]["status"], changed.json()["shared"]) == ([], True)
    assert (await rig.api.delete(path)).status_code == 204
    assert (await rig.api.get(path)).status_code == 404
    assert (await rig.api.get("/ticket-views/%00")).status_code == 404


async def test_anothers_private_view_is_not_there_and_a_shared_one_is_only_read_or_deleted(rig: Rig) -> None:
    private = (await save(rig, "Private")).json()["id"]
    shared = (await save(rig, "Shared", shared=True)).json()["id"]
    await save(rig, "Bob's", "user:bob")
    bob = {"X-Actor": "user:bob"}
    listed = (await rig.api.get("/ticket-views", headers=bob)).json()["items"]
    assert [view["name"] for view in listed] == ["Shared", "Bob's"]
    for verb in ("GET", "PATCH", "DELETE"):
        answer = await rig.api.request(verb, f"/ticket-views/{private}", headers=bob, json={} if verb == "PATCH" else None)
        assert answer.status_code == 404
    refused = await rig.api.patch(f"/ticket-views/{shared}", json={"name": "x"}, headers=bob)
    assert (refused.status_code, "user:olga" in refused.json()["detail"]) == (403, True)
    assert (await rig.api.delete(f"/ticket-views/{shared}", headers=bob)).status_code == 204
    assert [view["name"] for view in (await rig.get("/ticket-views"))["items"]] == ["Private"]


async def test_views_are_listed_page_by_page_and_odd_ones_are_refused(rig: Rig) -> None:
    for number in range(5):
        await save(rig, f"View {number}")
    first = await rig.get("/ticket-views", limit=3)
    rest = await rig.get("/ticket-views", limit=3, cursor=first["next"])
    assert [view["name"] for view in first["items"] + rest["items"]] == [f"View {number}" for number in range(5)]
    assert (await save(rig, " ")).status_code == 422
    assert (await save(rig, "x" * 201)).status_code == 422
    assert (await save(rig, "x", filter={"status": ["burning"]})).status_code == 422


async def test_the_list_is_filtered_by_everything_a_view_can_say(rig: Rig) -> None:
    await rig.carry_out(*(command(mail(subject=f"Order {number}")) for number in range(4)))
    await rig.api.patch("/tickets/1", json={"status": "closed", "priority": "high", "assignee": "Olga", "tags": ["vip"]})
    await rig.api.patch("/tickets/2", json={"status": "waiting", "category": "Printers", "assignee": "bob"})
    await rig.api.delete("/tickets/4")
    asked: list[tuple[dict[str, Any], list[int]]] = [
        ({"status": "closed"}, [1]),
        ({"status": ["closed", "waiting"]}, [2, 1]),
        ({"assignee": "me"}, [1]),
        ({"assignee": "nobody"}, [3]),
        ({"assignee": "BOB"}, [2]),
        ({"priority": "high"}, [1]),
        ({"category": "Printers"}, [2]),
        ({"tag": "VIP"}, [1]),
        ({"status": ["open", "waiting"], "assignee": "me"}, []),
        ({"category": "a\x00b"}, []),
        ({}, [3, 2, 1]),
    ]
    for params, expected in asked:
        assert [ticket["id"] for ticket in (await rig.get("/tickets", **params))["items"]] == expected, params
    assert (await rig.api.get("/tickets", params={"status": "burning"})).status_code == 422
