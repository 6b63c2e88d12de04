from __future__ import annotations

from typing import Any

import pytest

from tests.integration.fetcher.rig import Rig, append, mail
from tests.kit.dovecot import PASSWORD, Dovecot

pytestmark = pytest.mark.connected

GOOD = {"name": "Help", "server": "imap.company.example", "username": "help@company.example", "password": "x"}


@pytest.mark.parametrize(
    ("wrong", "field", "says"),
    [
        ({"parameters": {"TIMEOUT": "5"}}, "parameters.TIMEOUT", "READ_TIMEOUT"),
        ({"parameters": {"READ_TIMEOUT": "soon"}}, "parameters.READ_TIMEOUT", "whole number"),
        ({"parameters": {"DISABLE_AUTHENTICATOR": "NTLM"}}, "parameters.DISABLE_AUTHENTICATOR", "CRAM-MD5"),
        ({"port": 995}, "port", "POP3"),
        ({"start_from": "yesterday"}, "start_from", "P7D"),
        ({"protocol": "pop3"}, "protocol", "no lasting ids"),
        ({"username": "a\r\nb"}, "username", "control"),
        ({"password": "a\nb"}, "password", "control"),
    ],
)
async def test_a_wrong_setting_is_refused_by_its_name(rig: Rig, wrong: dict[str, Any], field: str, says: str) -> None:
    answer = await rig.api.post("/scanners", json=GOOD | wrong)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["field"].endswith(field)
    assert says in error["message"]


async def test_the_same_idempotency_key_makes_one_scanner(rig: Rig) -> None:
    first, second = [await rig.api.post("/scanners", json=GOOD, headers={"Idempotency-Key": "k1"}) for _ in range(2)]
    assert first.json() == second.json()
    assert first.headers["Location"] == f"/api/v1/scanners/{first.json()['id']}"
    assert len((await rig.api.get("/scanners")).json()["items"]) == 1


async def test_a_change_honours_if_match_and_keeps_what_is_not_given(rig: Rig) -> None:
    made = await rig.api.post("/scanners", json=GOOD | {"spam_folder": "Junk"})
    path = f"/scanners/{made.json()['id']}"
    changed = await rig.api.patch(path, json={"name": "New", "spam_folder": None}, headers={"If-Match": made.headers["ETag"]})
    assert (changed.json()["name"], changed.json()["spam_folder"], changed.json()["server"]) == ("New", None, GOOD["server"])
    assert (await rig.api.patch(path, json={"name": "Lost"}, headers={"If-Match": made.headers["ETag"]})).status_code == 412
    assert (await rig.api.delete(path)).status_code == 204
    assert (await rig.api.get(path)).status_code == 404
    assert "password" not in changed.json()


async def test_a_test_names_every_step(rig: Rig, dovecot: Dovecot, user: str) -> None:
    good = await rig.add_scanner(dovecot.port, user, PASSWORD)
    result = (await rig.api.post(f"/scanners/{good}/test")).json()
    assert result["ok"], result
    assert [step.split(":")[0] for step in result["steps"]] == ["Resolve", "Connect", "TLS", "Login", "List folders"]

    unknown = await rig.add_scanner(143, user, PASSWORD, server="no-such-host.invalid")
    result = (await rig.api.post(f"/scanners/{unknown}/test")).json()
    assert (result["ok"], result["steps"]) == (False, ["Resolve: failed"])
    assert "was not found" in result["message"]


async def test_folders_are_listed_decoded_and_chosen(rig: Rig, dovecot: Dovecot, user: str) -> None:
    append(dovecot.port, user, PASSWORD, [mail("One")], '"Gi&API- citt&AOA-"')
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    await rig.api.put(f"/scanners/{scanner_id}/folders", json={"selected": ["Giò città", "Vanished"]})
    folders = {one["name"]: one for one in (await rig.api.get(f"/scanners/{scanner_id}/folders")).json()["items"]}
    assert folders["Junk"]["special_use"] == "\\Junk"
    assert folders["Giò città"]["selected"]
    assert not folders["INBOX"]["selected"]
    assert (folders["Vanished"]["selected"], folders["Vanished"]["selectable"]) == (True, False)


async def test_folders_of_a_server_that_is_away_say_so(rig: Rig) -> None:
    scanner_id = await rig.add_scanner(1, "anna", "x")
    answer = await rig.api.get(f"/scanners/{scanner_id}/folders")
    assert answer.status_code == 502
    assert "refused the connection" in answer.json()["detail"]


async def test_mails_are_filtered_and_paged_newest_first(rig: Rig, dovecot: Dovecot, user: str) -> None:
    raws = [mail(f"Mail {number}", f"<{number}.{user}>") for number in range(5)]
    append(dovecot.port, user, PASSWORD, raws)
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    await rig.scan(scanner_id)

    first = (await rig.api.get("/mails", params={"scanner_id": scanner_id, "limit": 3})).json()
    rest = (await rig.api.get("/mails", params={"scanner_id": scanner_id, "limit": 3, "cursor": first["next"]})).json()
    assert [one["subject"] for one in [*first["items"], *rest["items"]]] == [f"Mail {number}" for number in (4, 3, 2, 1, 0)]
    assert rest["next"] is None

    async def subjects(**params: str) -> list[str]:
        return [one["subject"] for one in (await rig.api.get("/mails", params=params)).json()["items"]]

    assert await subjects(message_id=f"2.{user}") == await subjects(message_id=f"<2.{user}>") == ["Mail 2"]
    assert await subjects(q="mail 3") == ["Mail 3"]
    assert await subjects(q="%") == []
    assert await subjects(since="2100-01-01T00:00:00Z") == []
    assert len(await subjects(outcome="pending")) == 5
    assert (await rig.api.get("/mails", params={"outcome": "nonsense"})).status_code == 422

    raw = await rig.api.get(f"/mails/{first['items'][0]['id']}/raw")
    assert (raw.headers["content-type"], raw.content) == ("message/rfc822", raws[4])


async def test_nobody_gets_in_without_the_service_token(rig: Rig) -> None:
    assert (await rig.api.get("/scanners", headers={"X-Service-Token": "guess"})).status_code in {401, 403}
