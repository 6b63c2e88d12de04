"""What keeping SMTP connections is worth: mails through one server over pooled connections, and over a new one each, in turns."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from notifier.adapters.smtp import Connection, Patience, Server
from notifier.domain.extensions import Letter
from notifier.domain.schedule import Result
from shared.api import SslMethod, SslType
from tests.kit.smtp_drain import draining

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

CONNECTIONS: Final = 4
ROUNDS: Final = 5
MAILS: Final = 2000
MAILS_EACH: Final = 400
ASKED: Final = 4.0
DATA: Final = b"Subject: Re: Printer - Ticket Id: 7\r\n\r\n" + b"The printer is on fire again, and nobody answers the telephone.\r\n" * 90
LETTER: Final = Letter("help@help.example", ("anna@lakeside.example",), DATA)
PATIENCE: Final = Patience(30, 30, 30)
Send = Callable[[int, int], Awaitable[None]]


async def test_pooled_connections_are_four_times_as_fast_as_a_new_one_each() -> None:
    with draining() as port:
        await _rate(_pooled, port, MAILS_EACH)
        rounds = [await _round(port) for _ in range(ROUNDS)]
    pooled, alone, one_by_one = (statistics.median(rates) for rates in zip(*rounds, strict=True))
    ratios = [each[0] / each[1] for each in rounds]
    print(f"mails a second over {CONNECTIONS} kept connections {pooled:,.0f}, over a new one each {alone:,.0f}")
    print(f"ratio {statistics.median(ratios):.1f} (asked {ASKED}); rounds: {', '.join(f'{one:.1f}' for one in ratios)}")
    in_one_piece = statistics.median(each[0] / each[2] for each in rounds)
    print(f"kept, each command waited for: {one_by_one:,.0f}; in one piece {in_one_piece:.2f} times that, where an answer takes no time")
    assert statistics.median(ratios) >= ASKED


async def _round(port: int) -> list[float]:
    return [await _rate(_pooled, port, MAILS), await _rate(_alone, port, MAILS_EACH), await _rate(_one_by_one, port, MAILS)]


async def _rate(send: Send, port: int, mails: int) -> float:
    """Mails a second, with as many at a time each way."""
    gc.collect()
    began = time.perf_counter()
    await asyncio.gather(*(send(port, mails // CONNECTIONS) for _ in range(CONNECTIONS)))
    return mails / (time.perf_counter() - began)


async def _pooled(port: int, mails: int) -> None:
    await _over_one(_connection(port), mails)


async def _one_by_one(port: int, mails: int) -> None:
    await _over_one(_connection(port, pipelining=False), mails)


async def _alone(port: int, mails: int) -> None:
    for _ in range(mails):
        await _over_one(_connection(port), 1)


async def _over_one(connection: Connection, mails: int) -> None:
    await connection.connect()
    for _ in range(mails):
        verdicts = await connection.send(LETTER)
        assert verdicts["anna@lakeside.example"].result is Result.SENT
    await connection.quit()


def _connection(port: int, *, pipelining: bool = True) -> Connection:
    return Connection(Server("127.0.0.1", port, SslType.NONE, SslMethod.VALIDATE), PATIENCE, pipelining=pipelining)
