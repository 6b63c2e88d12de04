"""What operators are writing is kept for each of them, and others see that somebody writes."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.integration.tickets.rig import Rig
from tests.integration.tickets.writing import BEN, OLGA, PAUL, draft, keep, reply, ticket, upload

pytestmark = pytest.mark.connected


async def test_each_operator_has_a_draft_of_their_own(rig: Rig) -> None:
    number = await ticket(rig)
    assert await draft(rig, number) is None
    file = await upload(rig, number)
    kept = await keep(rig, number, "Dear Anna,", mode="personal", cc=[BEN], attachments=[file["id"], "gone"])
    await keep(rig, number, "Paul's", PAUL)
    assert await draft(rig, number) == kept
    assert (kept["body"], kept["mode"], kept["cc"], kept["attachments"]) == ("Dear Anna,", "personal", [BEN], [file["id"], "gone"])
    assert [one["id"] for one in kept["files"]] == [file["id"]]
    assert (await rig.api.delete(f"/tickets/{number}/draft", headers=OLGA)).status_code == 204
    assert await draft(rig, number) is None
    assert (await draft(rig, number, PAUL) or {})["body"] == "Paul's"


async def test_an_older_copy_does_not_overwrite_a_newer_draft(rig: Rig) -> None:
    number = await ticket(rig)
    first = await keep(rig, number, "one")
    await keep(rig, number, "two")
    late = {**OLGA, "If-Match": f'"{first["version"]}"'}
    assert (await rig.api.put(f"/tickets/{number}/draft", json={"body": "three"}, headers=late)).status_code == 412
    assert (await rig.api.delete(f"/tickets/{number}/draft", headers=late)).status_code == 412
    assert (await draft(rig, number) or {})["body"] == "two"


async def test_a_draft_goes_with_the_answer_that_is_sent_and_with_nobody_elses(rig: Rig) -> None:
    number = await ticket(rig)
    key = {**OLGA, "Idempotency-Key": "k"}
    await keep(rig, number, "mine")
    await keep(rig, number, "Paul's", PAUL)
    await reply(rig, number, headers=key)
    assert await draft(rig, number) is None
    assert await draft(rig, number, PAUL) is not None
    await keep(rig, number, "the next")
    await reply(rig, number, headers=key)
    assert await draft(rig, number) is not None, "the same request again took a draft of later"


async def test_a_note_takes_only_the_draft_of_a_note(rig: Rig) -> None:
    number = await ticket(rig)
    await keep(rig, number, "Dear Anna,", quote=False)
    note = {"body": "She called.", "internal": True}
    await rig.api.post(f"/tickets/{number}/comments", json=note, headers=OLGA)
    kept = await draft(rig, number) or {}
    assert (kept["body"], kept["quote"]) == ("Dear Anna,", False)
    await keep(rig, number, "She called.", mode="note")
    await rig.api.post(f"/tickets/{number}/comments", json=note, headers=OLGA)
    assert await draft(rig, number) is None


async def test_the_first_draft_of_a_window_does_not_overwrite_another_windows(rig: Rig) -> None:
    number = await ticket(rig)
    first = {**OLGA, "If-Match": '"0"'}
    codes = [(await rig.api.put(f"/tickets/{number}/draft", json={"body": body}, headers=first)).status_code for body in ("one", "two")]
    assert codes == [200, 412]
    kept = await draft(rig, number) or {}
    assert (kept["body"], kept["quote"]) == ("one", True)


async def test_others_see_who_is_writing(rig: Rig) -> None:
    number = await ticket(rig)
    await keep(rig, number, "mine")
    assert (await rig.api.get(f"/tickets/{number}/answering", headers=PAUL)).json()["writing"] == ["user:olga"]
    assert (await rig.api.get(f"/tickets/{number}/answering", headers=OLGA)).json()["writing"] == []
    async with rig.engine.begin() as conn:
        await conn.execute(text("update drafts set updated_at = now() - interval '6 minutes'"))
    assert (await rig.api.get(f"/tickets/{number}/answering", headers=PAUL)).json()["writing"] == []


async def test_what_is_too_long_or_of_no_sort_is_refused_and_nul_is_taken_out(rig: Rig) -> None:
    number = await ticket(rig)
    for wrong in ({"body": "x" * 100_001}, {"mode": "letter"}, {"attachments": ["x"] * 51}):
        assert (await rig.api.put(f"/tickets/{number}/draft", json=wrong, headers=OLGA)).status_code == 422
    assert (await keep(rig, number, "a\x00b", cc=["c\x00d@x.example"]))["body"] == "ab"
    assert (await rig.api.put("/tickets/99/draft", json={"body": "x"}, headers=OLGA)).status_code == 404


async def test_drafts_on_two_tickets_are_one_after_a_merge(rig: Rig) -> None:
    first, second = await ticket(rig), await ticket(rig)
    await keep(rig, first, "of the first")
    await keep(rig, second, "of the second")
    await keep(rig, first, "Paul's", PAUL)
    await rig.api.post(f"/tickets/{first}/merge", json={"into": second})
    assert (await draft(rig, second) or {})["body"] == "of the second\n\nof the first"
    assert (await draft(rig, second, PAUL) or {})["body"] == "Paul's"
    refused = await rig.api.put(f"/tickets/{first}/draft", json={"body": "x"}, headers=OLGA)
    assert (refused.status_code, refused.json()["merged_into"]) == (409, second)
