"""Simulations as jobs: bounded, followed, taken over, tried again, put back, removed; refused before they begin, applied after."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from rules.adapters import simulations
from rules.simulation.simulations import MOST_WAITING
from rules.simulation.simulator import KEPT, MOST_TRIES
from tests.integration.rules.desk import Desk, mail_bytes
from tests.integration.rules.simulating import LAMP, REST, Simulating
from tests.integration.rules.tickets_server import TicketsServer
from tests.kit.eventually import eventually_async

pytestmark = pytest.mark.connected

LAST = {"last": 10}


@pytest.fixture
def tickets() -> Iterator[TicketsServer]:
    with TicketsServer() as server:
        yield server
        server.released.set()


@pytest.fixture
async def at(desk: Desk, tickets: TicketsServer) -> Simulating:
    await desk.scanner()
    return Simulating(desk, tickets)


async def post(at: Simulating, **body: Any) -> Any:
    return await at.desk.client.post("/rule-simulations", json={"scanner_id": "s", "mails": LAST, **body})


async def test_the_same_idempotency_key_makes_one_simulation(at: Simulating) -> None:
    body = {"scanner_id": "s", "mails": LAST}
    headers = {"Idempotency-Key": "k"}
    answers = await asyncio.gather(*(at.desk.client.post("/rule-simulations", json=body, headers=headers) for _ in range(3)))
    assert {answer.status_code for answer in answers} == {202}
    (job_id,) = {answer.json()["id"] for answer in answers}
    assert {answer.headers["Location"] for answer in answers} == {f"/api/v1/jobs/{job_id}"}
    assert (await at.counts())["simulations"] == 1


async def test_what_cannot_be_tried_is_refused_with_the_reason(at: Simulating) -> None:
    look_ahead = LAMP | {"conditions": [{"field": "subject", "operator": "regex", "value": "a(?=b)"}]}
    refused = await post(at, rules=[REST, look_ahead])
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "rules.1.conditions.0.value")
    for status, body in (
        (404, {"scanner_id": "nowhere"}),
        (404, {"version": 10**12}),
        (409, {"rules": [REST | {"id": "nobody's"}]}),
        (422, {"mails": {"raw_base64": "no base64!"}}),
        (422, {"mails": {}}),
    ):
        assert (await post(at, **body)).status_code == status, body
    assert (await at.counts())["simulations"] == 0
    assert (await at.desk.client.get("/jobs/rules-none")).status_code == 404
    assert (await at.desk.client.get("/rule-simulations/none%00/mails")).status_code == 404


async def test_a_mailbox_has_a_bounded_queue(at: Simulating) -> None:
    for _ in range(MOST_WAITING):
        await at.ask(LAST)
    refused = await post(at)
    assert (refused.status_code, "wait already" in refused.json()["detail"]) == (429, True)
    await at.simulator.run_one()
    assert (await post(at)).status_code == 202


async def test_applied_the_tried_rules_are_the_next_version(at: Simulating) -> None:
    builtin, rest = (await at.desk.rules())["items"][0], await at.desk.add_rule("rest", "create_ticket")
    draft = [LAMP, REST | {"id": rest["id"], "name": "all else"}, builtin_draft(builtin, enabled=False)]
    simulation_id = await at.ask(LAST, rules=draft)
    answer = await at.desk.client.post(f"/rule-simulations/{simulation_id}/apply")
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"3"')
    saved = answer.json()["items"]
    assert [(rule["name"], rule["enabled"], rule["builtin"]) for rule in saved] == [
        ("lamps", True, False), ("all else", True, False), (builtin["name"], False, True)
    ]  # fmt: skip
    assert [rule["id"] for rule in saved[1:]] == [rest["id"], builtin["id"]]
    tried = await at.show(simulation_id)
    assert [rule["id"] for rule in tried["rules"]] == [rule["id"] for rule in saved]
    again = await at.desk.client.post(f"/rule-simulations/{simulation_id}/apply")
    assert (again.status_code, again.json()["version"]) == (200, 3)
    versions = (await at.get("/scanners/s/rules/versions"))["items"]
    assert versions[0]["note"].startswith("From a simulation: ")


async def test_rules_that_changed_meanwhile_are_not_overwritten(at: Simulating) -> None:
    simulation_id = await at.ask(LAST, rules=[LAMP])
    await at.desk.add_rule("rest", "create_ticket")
    refused = await at.desk.client.post(f"/rule-simulations/{simulation_id}/apply")
    assert refused.status_code == 412
    assert "version 1 of the rules, today's is 2" in refused.json()["detail"]


async def test_the_built_in_rule_is_always_among_the_tried(at: Simulating) -> None:
    builtin = (await at.desk.rules())["items"][0]
    tried = (await at.simulate(LAST, rules=[LAMP]))["rules"]
    assert [rule["name"] for rule in tried] == [builtin["name"], "lamps"]
    other = builtin_draft(builtin, action={"type": "ignore"})
    assert (await post(at, rules=[other])).status_code == 409


async def test_progress_is_seen_while_tickets_is_asked(at: Simulating) -> None:
    await at.store("m")
    at.tickets.behaviour.stalled = True
    simulation_id = await at.ask(LAST)
    running = asyncio.create_task(at.simulator.run_one())

    async def begun() -> bool:
        return await total(at, simulation_id) == 1

    await eventually_async(begun)
    assert (await at.job(simulation_id))["state"] == "running"
    at.tickets.behaviour.stalled = False
    at.tickets.released.set()
    await running
    assert (await at.job(simulation_id))["state"] == "done"


async def test_two_processes_never_run_the_same_simulation(at: Simulating) -> None:
    await at.store("m")
    await at.ask(LAST)
    assert sorted(await asyncio.gather(at.simulator.run_one(), at.make_simulator().run_one())) == [False, True]


async def test_a_simulation_whose_process_died_is_begun_anew_by_another(at: Simulating) -> None:
    await at.store("m")
    simulation_id = await at.ask(LAST)
    async with at.desk.service.engine.begin() as conn:
        dead = await simulations.take(conn, "a process that died", 60)
        assert dead is not None
        await simulations.keep(conn, [{"simulation_id": simulation_id, "position": 1, "mail_id": "half", "change": "new"}])
    assert not await at.simulator.run_one()
    await at.execute("update simulations set until = now() - interval '1 second'")
    assert await at.simulator.run_one()
    assert [one["mail_id"] for one in (await at.show(simulation_id))["mails"]] == ["m"]
    async with at.desk.service.engine.begin() as conn:
        assert not await simulations.beat(conn, dead, 60, {})


@pytest.mark.parametrize("answers", [False, True], ids=["while it waits for tickets", "as tickets answers"])
async def test_a_process_that_lost_its_simulation_leaves_it_to_the_other(at: Simulating, *, answers: bool) -> None:
    await at.store("m")
    at.tickets.behaviour.stalled = True
    simulation_id = await at.ask(LAST)
    slow = asyncio.create_task(at.make_simulator(simulation_lease_seconds=2).run_one())
    await eventually_async(lambda: total(at, simulation_id))
    await at.execute("update simulations set holder = 'another'")
    if answers:
        at.tickets.released.set()
    assert await asyncio.wait_for(slow, 20)
    assert (await at.show(simulation_id))["mails"] == []
    assert await at.execute("select state, holder from simulations") == [("running", "another")]


async def total(at: Simulating, simulation_id: str) -> int | None:
    found: int | None = (await at.job(simulation_id))["total"]
    return found


async def test_with_tickets_away_it_is_tried_again_then_given_up_in_plain_words(at: Simulating) -> None:
    await at.store("m")
    at.tickets.behaviour.status = 503
    simulation_id = await at.ask(LAST)
    for _ in range(MOST_TRIES):
        assert await at.simulator.run_one()
        assert not await at.simulator.run_one()
        await at.execute("update simulations set until = now() - interval '1 second'")
    job = await at.job(simulation_id)
    assert job["state"] == "failed"
    assert job["result"]["error"] == ("Given up after 3 tries: tickets answered with status 503, so which rule would take cannot be told.")
    assert (await at.show(simulation_id))["error"] == job["result"]["error"]


async def test_with_the_archive_away_it_is_tried_again(at: Simulating) -> None:
    await at.store("m")
    await at.execute("update decisions set archive_key = 's/m/below a file'")
    await at.ask(LAST)
    assert await at.simulator.run_one()
    ((state, tries, error),) = await at.execute("select state, tries, error from simulations")
    assert (state, tries, error) == ("queued", 1, "the archive does not answer; try again when it does")


async def test_tickets_back_in_time_ends_it_well(at: Simulating) -> None:
    await at.store("m")
    at.tickets.behaviour.status = 503
    simulation_id = await at.ask(LAST)
    await at.simulator.run_one()
    at.tickets.behaviour.status = 200
    assert (await at.show(simulation_id))["error"] is None
    await at.execute("update simulations set until = now() - interval '1 second'")
    await at.simulator.run_one()
    found = await at.show(simulation_id)
    assert (found["state"], len(found["mails"])) == ("done", 1)


async def test_a_simulation_its_processes_died_of_is_given_up(at: Simulating) -> None:
    simulation_id = await at.ask({"raw": mail_bytes().decode()})
    await at.execute("update simulations set tries = :tries", tries=MOST_TRIES)
    assert await at.simulator.run_one()
    assert "it did not end" in (await at.show(simulation_id))["error"]
    assert await at.execute("select mails from simulations") == [({},)]


async def test_a_stopping_service_puts_it_back_without_counting_the_try(at: Simulating) -> None:
    await at.store("m")
    at.tickets.behaviour.stalled = True
    simulation_id = await at.ask(LAST)
    running = asyncio.create_task(at.simulator.run())
    await eventually_async(lambda: total(at, simulation_id))
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert await at.execute("select state, tries, holder from simulations") == [("queued", 0, None)]
    at.tickets.behaviour.stalled = False
    assert await at.make_simulator().run_one()
    assert (await at.job(simulation_id))["state"] == "done"


async def test_old_simulations_go_with_their_mails_and_open_ones_stay(at: Simulating) -> None:
    await at.store("m")
    old = await at.simulate(LAST)
    await at.simulate(LAST)
    await at.ask(LAST)
    await at.execute("update simulations set finished_at = now() - interval '8 days' where id = :id", id=old["id"])
    await at.execute("update simulations set created_at = now() - interval '90 days' where state = 'queued'")
    assert (await at.simulator.tidy(), await at.simulator.tidy()) == (1, 0)
    counts = await at.counts()
    assert (counts["simulations"], counts["simulated_mails"]) == (2, 1)
    assert (await at.desk.client.get(f"/rule-simulations/{old['id']}")).status_code == 404


async def test_of_one_mailbox_only_the_newest_are_kept(at: Simulating) -> None:
    await at.simulate(LAST)
    columns = "scanner_id, author, mails, base_version, rules, state, finished_at"
    copies = f"insert into simulations (id, {columns}) select 'copy ' || n, {columns} from simulations, generate_series(1, :n) as n"  # noqa: S608
    await at.execute(copies, n=KEPT + 2)
    while await at.simulator.tidy():
        pass
    assert (await at.counts())["simulations"] == KEPT


def builtin_draft(rule: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The built-in rule as a draft holds it."""
    return {name: rule[name] for name in ("id", "name", "enabled", "match", "conditions", "action")} | changes
