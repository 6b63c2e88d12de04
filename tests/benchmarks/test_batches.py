"""What batches are worth: commands carried out 200 at a time and one by one, on the same Postgres, in turns."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from pydantic import SecretStr

from shared.database import migrate
from shared.events import TicketCommand
from shared.service import migrations_folder
from tests.integration.tickets.rig import CREATE, REPLY, Rig, command, mail
from tests.kit.stack import TestStack

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

BATCH: Final = 200
ALONE: Final = 200
ROUNDS: Final = 5
ASKED: Final = 5.0
TEXT: Final = "The printer is on fire again, and nobody answers the telephone. " * 30


def conversations(count: int) -> list[TicketCommand]:
    """Half of the mails open a ticket, half answer the one before."""
    commands: list[TicketCommand] = []
    for _ in range(count // 2):
        first = command(mail(text=TEXT), [REPLY, CREATE])
        answer = command(mail(text=TEXT, in_reply_to=[_message_id(first)]), [REPLY, CREATE])
        commands += [first, answer]
    return commands


def _message_id(one: TicketCommand) -> str:
    return (one.mail.message_id if one.mail else None) or ""


async def test_batches_are_five_times_as_fast_as_one_by_one(stack: TestStack, tmp_path: Path) -> None:
    url = stack.database_url("tickets_batches")
    migrate(migrations_folder("tickets"), SecretStr(url))
    rig = Rig(url, tmp_path / "archive")
    await rig.start()
    try:
        await rig.carry_out(*conversations(BATCH))
        rates: tuple[list[float], list[float]] = [], []
        for _ in range(ROUNDS):
            rates[0].append(await _rate(rig, conversations(BATCH * 4), BATCH))
            rates[1].append(await _rate(rig, conversations(ALONE), 1))
    finally:
        await rig.stop()
    ratios = [many / one for many, one in zip(*rates, strict=True)]
    batched, alone = map(statistics.median, rates)
    print(f"commands carried out: {batched:,.0f}/s in batches of {BATCH}, {alone:,.0f}/s one by one")
    print(f"ratio {statistics.median(ratios):.1f} (asked {ASKED}); rounds: {', '.join(f'{one:.1f}' for one in ratios)}")
    assert statistics.median(ratios) >= ASKED


async def _rate(rig: Rig, commands: Sequence[TicketCommand], at_once: int) -> float:
    gc.collect()
    began = time.perf_counter()
    for first in range(0, len(commands), at_once):
        await rig.carry_out(*commands[first : first + at_once])
    return len(commands) / (time.perf_counter() - began)
