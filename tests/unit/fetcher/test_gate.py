"""Connections are bounded per fetcher and per server, and mailboxes that fail leave enough of them to those that are well."""

from __future__ import annotations

import asyncio

import pytest

from fetcher.gate import ByteBudget, Gate, Pass, Slots
from shared.observability import CONNECTIONS


async def _entered(gate: Gate, server: str, count: int, *, doubtful: bool = False) -> list[Pass]:
    """As many of `count` as get in at once; the others do not wait any longer."""
    tasks = [asyncio.create_task(gate.enter(server, doubtful=doubtful)) for _ in range(count)]
    done, waiting = await asyncio.wait(tasks, timeout=0.05)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    return [task.result() for task in done]


async def test_connections_are_bounded_for_one_server_and_for_all() -> None:
    gate, before = Gate(10, 4), CONNECTIONS._value.get()
    passes = [one for server in ("a.example", "A.Example", "b.example", "c.example") for one in await _entered(gate, server, 6)]
    assert [one.server for one in passes] == ["a.example"] * 4 + ["b.example"] * 4 + ["c.example"] * 2
    assert CONNECTIONS._value.get() - before == 10
    for one in [*passes, *passes]:
        gate.leave(one)
    assert CONNECTIONS._value.get() == before
    assert len(await _entered(gate, "c.example", 6)) == 4


@pytest.mark.parametrize("servers", [1, 40])
async def test_failing_mailboxes_take_an_eighth_of_the_connections_at_most(servers: int) -> None:
    gate = Gate(40, 40)
    failing = [one for n in range(servers) for one in await _entered(gate, f"{n}.example", 40 // servers, doubtful=True)]
    assert len(failing) == 5
    assert len(await _entered(gate, "0.example", 40)) == 35


async def test_a_failing_mailbox_that_is_well_again_leaves_its_place_among_the_failing() -> None:
    gate = Gate(16, 16)
    first = await _entered(gate, "a.example", 16, doubtful=True)
    assert len(first) == 2
    assert all(gate.keep(one) for one in first)
    assert len(await _entered(gate, "a.example", 16, doubtful=True)) == 2


async def test_connections_that_wait_for_news_leave_a_quarter_to_the_others() -> None:
    gate = Gate(100, 8)
    passes = await _entered(gate, "a.example", 8)
    assert [gate.keep(one) for one in passes] == [True] * 6 + [False] * 2


async def test_whoever_comes_first_enters_first() -> None:
    gate = Gate(1, 1)
    [held] = await _entered(gate, "a.example", 1)
    order: list[int] = []

    async def enter(number: int) -> None:
        one = await gate.enter("a.example")
        order.append(number)
        gate.leave(one)

    waiting = [asyncio.create_task(enter(number)) for number in range(5)]
    await asyncio.sleep(0)
    gate.leave(held)
    await asyncio.gather(*waiting)
    assert order == [0, 1, 2, 3, 4]


async def test_a_lent_slot_lets_another_work_and_is_taken_back() -> None:
    slots = Slots(1)
    other = asyncio.Event()

    async def work() -> None:
        async with slots.slot():
            other.set()

    async with slots.slot():
        task = asyncio.create_task(work())
        async with slots.lent():
            await asyncio.wait_for(other.wait(), 5)
        late = asyncio.create_task(work())
        done, _ = await asyncio.wait({late}, timeout=0.05)
        assert not done
    await asyncio.gather(task, late)


async def test_a_large_mail_is_not_passed_by_small_ones_for_ever() -> None:
    budget, order = ByteBudget(10), []

    async def take(name: str, size: int) -> None:
        async with budget.take(size):
            order.append(name)

    async with budget.take(6):
        waiting = [asyncio.create_task(take(name, size)) for name, size in (("large", 10), ("small", 2), ("larger than all", 99))]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert order == []
    await asyncio.gather(*waiting)
    assert order == ["large", "small", "larger than all"]
