"""The whole service on real Kafka and Postgres runs what is asked of it by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.rules.desk import Desk
from tests.integration.rules.simulating import LAMP, Simulating
from tests.integration.rules.tickets_server import TicketsServer
from tests.kit.eventually import eventually_async
from tests.kit.stack import TestStack

pytestmark = pytest.mark.connected


@pytest.fixture
def tickets() -> Iterator[TicketsServer]:
    with TicketsServer() as server:
        yield server


async def test_a_running_service_takes_simulations_by_itself(
    desk: Desk, stack: TestStack, own_namespace: str, tickets: TicketsServer
) -> None:
    await desk.scanner()
    at = Simulating(desk, tickets)
    await at.store("m", "A lamp")
    simulation_id = await at.ask({"last": 1}, rules=[LAMP])
    running = Desk(at.settings(kafka_bootstrap=stack.kafka_bootstrap, namespace=own_namespace))
    async with running.app.router.lifespan_context(running.app):

        async def ended() -> bool:
            return bool((await at.job(simulation_id))["state"] == "done")

        await eventually_async(ended, seconds=60)
    await running.client.aclose()
    assert [one["after"]["outcome"] for one in (await at.show(simulation_id))["mails"]] == ["archived"]
