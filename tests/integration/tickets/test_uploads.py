"""Files that operators upload for their answers: what is taken, who may use them, how long they are kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.integration.tickets.rig import Rig
from tests.integration.tickets.writing import OLGA, PAUL, draft, keep, mails, refused, reply, ticket, upload
from tickets.retention import Retention

pytestmark = pytest.mark.connected
LIMIT = 10_000


@pytest.fixture
async def small(tickets_database: str, tmp_path: Path) -> AsyncIterator[Rig]:
    """A desk whose answers may have little."""
    made = Rig(tickets_database, tmp_path / "archive", attachment_limit_bytes=LIMIT)
    await made.start()
    yield made
    await made.stop()


async def post(rig: Rig, number: int, name: str, content: Any = b"x", **headers: str) -> tuple[int, dict[str, Any]]:
    answer = await rig.api.post(f"/tickets/{number}/uploads", params={"name": name}, content=content, headers={**OLGA, **headers})
    return answer.status_code, answer.json()


async def stored(rig: Rig) -> list[str]:
    """Keys of uploads whose rows are there, those the archive lacks left out."""
    async with rig.engine.connect() as conn:
        keys = (await conn.execute(text("select archive_key from uploads order by created_at"))).scalars().all()
    return [key for key in keys if await rig.archive.holds(key)]


async def age(rig: Rig, days: int) -> None:
    async with rig.engine.begin() as conn:
        for statement in ("update uploads set created_at = created_at - :age", "update unwanted_files set created_at = created_at - :age"):
            await conn.execute(text(statement.replace(":age", f"interval '{days} days'")))


async def test_a_file_is_in_the_archive_under_uploads_and_has_a_name_and_type(rig: Rig) -> None:
    number = await ticket(rig)
    made = await upload(rig, number, "../../Größe\r\n.pdf", b"the plan")
    assert (made["type"], made["size"]) == ("application/pdf", 8)
    assert "/" not in made["name"]
    assert made["name"].endswith(".pdf")
    (key,) = await stored(rig)
    assert key.startswith("uploads/20")
    assert key.endswith(made["id"])
    assert await rig.archive.get(key) == b"the plan"
    own = await rig.api.get(f"/tickets/{number}/attachments/{made['id']}", headers=OLGA)
    assert (own.status_code, own.content) == (200, b"the plan")
    assert (await rig.api.get(f"/tickets/{number}/attachments/{made['id']}", headers=PAUL)).status_code == 404


async def test_the_same_key_stores_a_file_once(rig: Rig) -> None:
    number, other = await ticket(rig), await ticket(rig)
    first = await post(rig, number, "plan.pdf", **{"Idempotency-Key": "k"})
    assert await post(rig, number, "plan.pdf", **{"Idempotency-Key": "k"}) == first
    assert (await post(rig, other, "plan.pdf", **{"Idempotency-Key": "k"}))[0] == 409
    assert len(await stored(rig)) == 1


async def test_what_may_run_a_program_is_not_taken(rig: Rig) -> None:
    number = await ticket(rig)
    for name, kind in (("setup.exe", ""), ("invoice.pdf.exe", ""), ("invoice.exe.pdf", ""), ("x", "application/x-msdownload")):
        status, problem = await post(rig, number, name, **{"Content-Type": kind})
        assert (status, "cannot be sent" in problem["detail"]) == (422, True), name
    assert (await post(rig, number, "page.html", **{"Content-Type": "text/html"}))[1]["type"] == "application/octet-stream"
    assert len(await stored(rig)) == 1


async def test_a_file_and_an_answer_are_bounded(small: Rig) -> None:
    number = await ticket(small)
    status, problem = await post(small, number, "film.mp4", b"x" * (LIMIT + 1))
    assert (status, "10,000 bytes" in problem["detail"]) == (413, True)

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * 1000

    assert (await post(small, number, "film.mp4", parts()))[0] == 413, "without its length beforehand"
    ids = [(await upload(small, number, f"{name}.txt", b"x" * 6000))["id"] for name in "ab"]
    status, detail = await refused(small, number, attachments=ids)
    assert (status, "12,000 bytes together" in detail) == (422, True)
    await reply(small, number, attachments=ids[:1])
    assert len(await mails(small)) == 1
    assert len(await stored(small)) == 2


async def test_only_on_a_ticket_that_is_there_and_only_so_many(rig: Rig) -> None:
    number = await ticket(rig)
    for name in range(50):
        await upload(rig, number, f"{name}.txt")
    status, problem = await post(rig, number, "more.txt")
    assert (status, "50 files" in problem["detail"]) == (409, True)
    assert (await post(rig, 99, "x.txt"))[0] == 404
    await rig.api.delete(f"/tickets/{number}")
    assert (await post(rig, number, "x.txt"))[0] == 409


async def test_what_is_in_no_draft_and_no_answer_goes_after_a_week_with_its_bytes(rig: Rig) -> None:
    number = await ticket(rig)
    unused, drafted, sent = [await upload(rig, number, f"{name}.txt", name.encode()) for name in ("unused", "drafted", "sent")]
    await reply(rig, number, attachments=[sent["id"]])
    await keep(rig, number, "x", attachments=[drafted["id"]])
    retention = Retention(rig.outbox, rig.archive, 0)
    await age(rig, 6)
    await retention.once()
    before = await stored(rig)
    assert len(before) == 3
    await age(rig, 2)
    await retention.once()
    await age(rig, 1)
    await retention.once()
    left = await stored(rig)
    assert [key.rpartition("/")[2] for key in left] == [drafted["id"], sent["id"]]
    assert [await rig.archive.holds(key) for key in before] == [False, True, True], unused
    assert (await draft(rig, number) or {})["files"] != []


async def test_what_an_upload_that_broke_off_left_in_the_archive_goes(rig: Rig) -> None:
    key = "uploads/2026-11/broken"
    async with rig.engine.begin() as conn:
        await conn.execute(text("insert into unwanted_files (archive_key) values (:key)"), {"key": key})
    await rig.archive.put(key, b"x")
    retention = Retention(rig.outbox, rig.archive, 0)
    await retention.once()
    assert await rig.archive.holds(key), "it may be under way"
    await age(rig, 1)
    await retention.once()
    assert not await rig.archive.holds(key)


async def test_files_of_a_ticket_that_is_purged_go_from_the_archive_too(rig: Rig) -> None:
    number, other = await ticket(rig), await ticket(rig)
    file = await upload(rig, number)
    await reply(rig, number, attachments=[file["id"]])
    await upload(rig, other)
    await keep(rig, number, "x")
    (gone, stays) = await stored(rig)
    await rig.api.delete(f"/tickets/{number}")
    async with rig.engine.begin() as conn:
        await conn.execute(text("update tickets set deleted_at = now() - interval '31 days' where deleted_at is not null"))
    retention = Retention(rig.outbox, rig.archive, 30)
    await retention.once()
    await age(rig, 1)
    await retention.once()
    assert [await rig.archive.holds(key) for key in (gone, stays)] == [False, True]


async def test_a_file_follows_its_answer_into_the_ticket_it_is_merged_into(rig: Rig) -> None:
    first, second = await ticket(rig), await ticket(rig)
    sent, waiting = await upload(rig, first), await upload(rig, first, "later.txt")
    await reply(rig, first, attachments=[sent["id"]])
    await rig.api.post(f"/tickets/{first}/merge", json={"into": second})
    message = next(one for one in await rig.messages(second) if one["kind"] == "reply")
    (file,) = message["attachments"]
    assert (await rig.api.get(f"/tickets/{second}/attachments/{file['id']}")).content == b"the plan"
    assert (await reply(rig, second, attachments=[waiting["id"]]))["attachments"][0]["name"] == "later.txt"
