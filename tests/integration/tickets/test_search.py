"""The search of tickets on a real Postgres: what is found, by what, and what odd texts do to it."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from sqlalchemy import text

from shared.mail.model import Address
from tests.integration.tickets.rig import Rig, command, mail
from tests.kit.eventually import eventually_async
from tickets.adapters.search_queue import take
from tickets.domain.search_document import vector
from tickets.search import Search, UnknownLanguageError

pytestmark = [pytest.mark.connected, pytest.mark.timeout(300)]


ODDITIES = [
        "\x00", "a\x00b", "'", "''", "\\", "a\\'b", "&", "a & b", "!", "!!x", "a <-> b", "(", "((a", ":*",
        "a:*", "-", "--a", '"', '""', '"""a',
        '-"', "<2>", "*", "%", "_", "@", "a@", "@@", "'; drop table tickets", "\u0301", "\U0001f525", "日本語", "x" * 500, "a " * 250,
        "-a " * 160, '"a b" ' * 80, "a@b " * 120, "#", "#0", "00000000000000000000", "\u2028", "\ufffe", "İ", "ﷺ" * 100,
]  # fmt: skip


async def found(rig: Rig, q: str, **filters: Any) -> list[int]:
    """Numbers on the first page."""
    return [item["id"] for item in (await rig.get("/tickets", q=q, **filters))["items"]]


async def opened(rig: Rig, subject: str = "A mail", body: str = "It burns.", **fields: Any) -> int:
    """Number of a ticket made of such a mail; the search has read it."""
    await rig.carry_out(command(mail(subject=subject, text=body, **fields)))
    await rig.read_for_search()
    return int((await rig.tickets())[0]["id"])


async def by_hand(rig: Rig, title: str, description: str = "", **fields: Any) -> int:
    answer = await rig.api.post("/tickets", json={"title": title, "description": description, **fields})
    assert answer.status_code == 201, answer.text
    await rig.read_for_search()
    return int(answer.json()["id"])


async def test_words_are_found_in_all_their_forms_in_english_and_italian(rig: Rig) -> None:
    english = await opened(rig, "Printers are broken", "We tried connecting them again.")
    italian = await opened(rig, "Fatture non pagate", "Le stampanti della contabilità sono spente.")
    for q in ("printer", "PRINTERS", "connect", "connection broken printers"):
        assert await found(rig, f"{q} ") == [english], q
    for q in ("fattura", "stampante", "pagato fatture"):
        assert await found(rig, f"{q} ") == [italian], q
    assert await found(rig, "printers fatture") == []


async def test_accents_do_not_matter_on_either_side(rig: Rig) -> None:
    accented = await opened(rig, "Perché il caffè è freddo?", "Überweisung für Zoë, Ørsted")
    bare = await opened(rig, "Il caffe della citta", "naive resume")
    assert await found(rig, "caffe ") == [bare, accented]
    assert await found(rig, "caffè ") == [bare, accented]
    assert await found(rig, "CAFFE\u0300 ") == [bare, accented]
    assert await found(rig, "uberweisung zoe") == [accented]
    assert await found(rig, "città ") == [bare]
    assert await found(rig, '"naïve résumé"') == [bare]


async def test_all_words_must_occur_phrases_in_order_and_a_minus_leaves_out(rig: Rig) -> None:
    first = await opened(rig, "Red door", "The green window is open")
    second = await opened(rig, "Green door", "The window of the red house")
    assert await found(rig, "red door window") == [second, first]
    assert await found(rig, '"green window"') == [first]
    assert await found(rig, '"red door"') == [first]
    assert await found(rig, '"door the"') == [], "no phrase spans title and text"
    assert await found(rig, "window -house") == [first]
    assert await found(rig, 'window -"green window"') == [second]
    assert await found(rig, "-house") == [first]


async def test_words_that_say_nothing_are_left_out_unless_they_are_all_there_is(rig: Rig) -> None:
    number = await opened(rig, "Keys of Hamlet", "to be or not")
    assert await found(rig, "the keys of il hamlet") == [number]
    assert await found(rig, "not ") == [number]
    assert await found(rig, '"to be or not"') == [number]


async def test_the_last_word_may_be_unfinished(rig: Rig) -> None:
    number = await opened(rig, "The refrigerator hums")
    for typed in ("refr", "refriger", "hums refr", '"the refrigerator', "réfrig"):
        assert await found(rig, typed) == [number], typed
    assert await found(rig, "refr hums") == []
    assert await found(rig, "refr ") == []


async def test_people_are_found_by_name_address_local_part_and_domain(rig: Rig) -> None:
    number = await opened(
        rig, sender="anna.rossi+vip@north.customer.example", to=[Address(name="Büro Süd", address="buero@company.example")]
    )
    other = await opened(rig, sender="bob@elsewhere.example", message_id="<1@elsewhere.example>")
    contact = (await rig.api.post("/contacts", json={"name": "Giuseppina Verdi", "addresses": ["pina@verdi.example"]})).json()
    about = await by_hand(rig, "About her", contact_id=contact["id"], watchers=["carla@watch.example"])
    for q in (
        "anna.rossi+vip@north.customer.example",
        "ANNA.ROSSI+VIP@north.customer.example",
        "anna.rossi",
        "rossi",
        "@north.customer.example",
    ):
        assert await found(rig, q) == [number], q
    assert await found(rig, "customer.example") == [number]
    assert await found(rig, "buro sud") == [number]
    assert await found(rig, "bob@elsewhere.example ") == [other]
    for q in ("giuseppina", "pina@verdi.example", "verdi.example", "carla@watch.example"):
        assert await found(rig, q) == [about], q


async def test_ids_files_and_tags_are_found(rig: Rig) -> None:
    sent = command(mail(message_id="<CAF.9x-7@mail.customer.example>"))
    await rig.carry_out(sent)
    await rig.read_for_search()
    mailed = (await rig.tickets())[0]["id"]
    made = await by_hand(rig, "Code", external_code="SAP/2024-0099", tags=["Big Deal"])
    assert await found(rig, "<CAF.9x-7@mail.customer.example>") == [mailed]
    assert await found(rig, "CAF.9x-7@mail.customer.example") == [mailed]
    for q in ("SAP/2024-0099", "2024-0099", "big deal"):
        assert await found(rig, q) == [made], q
    assert await found(rig, "", tag="big deal") == [made]


async def test_a_number_finds_its_ticket_first_and_pages_lose_and_repeat_nothing(rig: Rig) -> None:
    numbers = [await by_hand(rig, f"Ticket {place}", "about 2") for place in range(6)]
    assert numbers == [1, 2, 3, 4, 5, 6]
    assert await found(rig, "2") == [2, 6, 5, 4, 3, 1]
    assert await found(rig, "#2") == [2, 6, 5, 4, 3, 1]
    for limit in (1, 2, 4):
        assert await all_pages(rig, limit, q="2") == [2, 6, 5, 4, 3, 1]
    assert await found(rig, "99999999999999999999") == []


async def test_words_and_filters_together(rig: Rig) -> None:
    for place in range(8):
        await by_hand(rig, f"lamp {place}", tags=["odd"] if place % 2 else [], assignee=f"op{place % 3}@company.example", priority="high")
    await rig.api.patch("/tickets/2", json={"status": "closed", "category": "Bulbs"})
    await rig.read_for_search()
    assert await found(rig, "lamp", tag="odd") == [8, 6, 4, 2]
    assert await found(rig, "lamp", tag="odd", status="open") == [8, 6, 4]
    assert await found(rig, "lamp", status=["open", "closed"], assignee="OP1@company.example") == [8, 5, 2]
    assert await found(rig, "lamp", category="Bulbs") == await found(rig, "", category="Bulbs") == [2]
    assert await found(rig, "", priority="high", assignee="op2@company.example") == [6, 3]
    assert await found(rig, "", assignee="nobody") == []
    assert await found(rig, "lamp", priority="low") == []


async def test_what_changed_is_found_after_the_next_step_and_a_deleted_ticket_not_at_all(rig: Rig) -> None:
    number = await by_hand(rig, "Old title")
    await rig.api.patch(f"/tickets/{number}", json={"title": "Fresh title"})
    await rig.api.post(f"/tickets/{number}/comments", json={"body": "A remark on lighthouses", "internal": True})
    await rig.read_for_search()
    assert await found(rig, "old ") == []
    assert await found(rig, "fresh lighthouse ") == [number]
    await rig.api.delete(f"/tickets/{number}")
    assert await found(rig, "fresh") == []
    await rig.read_for_search()
    assert await found(rig, "fresh") == []
    await rig.api.post(f"/tickets/{number}/restore")
    await rig.read_for_search()
    assert await found(rig, "fresh") == [number]


async def test_nothing_that_is_typed_is_an_error(rig: Rig) -> None:
    await by_hand(rig, "A ticket")
    for typed in ODDITIES:
        answer = await rig.api.get("/tickets", params={"q": typed})
        assert answer.status_code == 200, (typed, answer.text)


async def test_huge_and_odd_texts_stop_nothing(rig: Rig) -> None:
    chance = random.Random(6)
    many = " ".join(f"w{number:x}q" for number in range(100_000))
    rubbish = "".join(chr(chance.choice([*range(1, 0x250), *range(0x3040, 0x30FF), 0x1F525, 0xFDFA])) for _ in range(200_000))
    texts = ["x" * 1_000_000, many, rubbish, "'\\" * 50_000, "a@b." * 100_000, "same " * 100_000, "ﷺ " * 100_000, "日本語" * 30_000]
    for place, body in enumerate(texts):
        await rig.carry_out(command(mail(subject=f"Odd {place}", text=body)))
    await rig.carry_out(command(mail(subject="Ordinary", text="plain words")))
    await rig.read_for_search()
    assert len(await found(rig, "odd ")) == len(texts)
    assert await found(rig, "ordinary plain") == [len(texts) + 1]
    assert await found(rig, "x" * 100) == [1]
    assert await found(rig, "w1q ") == [2], "the beginning of a text is read"
    assert await found(rig, '"same same" ') == [6]
    assert await found(rig, '"日本語"') == [8]


async def test_a_ticket_postgres_refuses_keeps_its_number_and_stops_no_other(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(words: Any, stems: Any, marks: Any) -> str:
        return "'unclosed" if "cursed" in words else vector(words, stems, marks)

    monkeypatch.setattr("tickets.search.vector", broken)
    cursed, blessed = await by_hand(rig, "Cursed", tags=["t"]), await by_hand(rig, "Blessed", tags=["t"])
    assert await found(rig, "blessed") == [blessed]
    assert await found(rig, "", tag="t") == [blessed, cursed]
    assert await found(rig, f"#{cursed}") == [cursed]


async def test_two_replicas_share_the_queue_and_each_ticket_is_read(rig: Rig, other_replica: Rig) -> None:
    await rig.carry_out(*(command(mail(subject=f"Shared {place}")) for place in range(120)))
    done = await asyncio.gather(*(one.search.step() for one in (rig, other_replica, rig, other_replica)))
    assert sum(done) == 120
    page = await rig.get("/tickets", q="shared", limit=200)
    assert len(page["items"]) == 120


async def test_what_was_taken_by_a_replica_that_died_is_read_by_the_next(rig: Rig) -> None:
    await rig.carry_out(command(mail(subject="Left over")))
    async with rig.engine.connect() as conn:
        assert len(await take(conn, 10)) == 1
        assert await rig.search.step() == 0, "it is another's while that lives"
    assert await found(rig, "left over") == []
    assert await rig.search.step() == 1
    assert await found(rig, "left over") == [1]


async def test_other_languages_read_all_tickets_anew_after_what_somebody_changed(rig: Rig) -> None:
    await opened(rig, "Die Häuser", "Zwei Katzen spielten")
    assert await found(rig, "katze ") == []
    german = Search(rig.engine, "german,english")
    await german.prepare()
    await by_hand(rig, "Neu")
    assert await found(rig, "katze ") == [1]
    assert await found(rig, "haus ") == [1]
    await german.prepare()
    assert await german.step() == 0, "the same languages queue nothing"


async def test_a_language_postgres_does_not_know_stops_the_search(rig: Rig) -> None:
    with pytest.raises(UnknownLanguageError, match="klingon"):
        await Search(rig.engine, "english,klingon").run()


async def test_the_loop_finds_by_itself_what_changes_and_outlives_a_database_that_is_away(rig: Rig) -> None:
    loop = asyncio.create_task(rig.search.run())
    try:
        await rig.carry_out(command(mail(subject="Before")))
        await eventually_async(lambda: _is_found(rig, "before", 1))
        async with rig.engine.begin() as conn:
            others = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
            await conn.execute(text(others))
        await rig.carry_out(command(mail(subject="Afterwards")))
        await eventually_async(lambda: _is_found(rig, "afterwards", 2))
    finally:
        loop.cancel()


async def _is_found(rig: Rig, q: str, number: int) -> bool:
    return await found(rig, q) == [number]


async def test_a_change_waits_for_no_backlog(rig: Rig) -> None:
    await rig.carry_out(*(command(mail(subject=f"Backlog {place}")) for place in range(60)))
    async with rig.engine.begin() as conn:
        await conn.execute(text("update search_queue set background = true, created_at = created_at - interval '1 day'"))
    await rig.api.patch("/tickets/60", json={"title": "Urgent matter"})
    assert await rig.search.step() == 50
    assert await found(rig, "urgent") == [60]


@pytest.mark.parametrize(("large_limit", "steps"), [(4000, 32), (2, 32), (2, 1)])
async def test_pages_over_numbers_far_apart_lose_and_repeat_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, large_limit: int, steps: int
) -> None:
    monkeypatch.setattr("tickets.adapters.ticket_search.READ_ONE_BY_ONE", 3)
    monkeypatch.setattr("tickets.adapters.ticket_search.LARGE_LIMIT", large_limit)
    monkeypatch.setattr("tickets.adapters.ticket_search.MAX_STEPS", steps)
    starts = (1, 65_530, 200_000, 900_000, 1_048_570, 2_000_000, 7_000_000)
    for start in starts:
        async with rig.engine.begin() as conn:
            await conn.execute(text(f"alter table tickets alter column id restart with {start}"))
        await rig.carry_out(*(command(mail(subject=f"Scattered {'even' if place % 2 else 'odd'}")) for place in range(10)))
    await rig.read_for_search()
    expected = sorted((start + place for start in starts for place in range(10)), reverse=True)
    assert await all_pages(rig, 7, q="scattered") == expected
    assert await all_pages(rig, 3, q="even") == expected[::2]
    assert await all_pages(rig, 7, q="odd", tag="nothing") == []


async def all_pages(rig: Rig, limit: int, **params: Any) -> list[int]:
    """Numbers of all pages, in order."""
    seen, cursor = [], None
    while True:
        page = await rig.get("/tickets", limit=limit, **params, **({"cursor": cursor} if cursor else {}))
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            return seen
