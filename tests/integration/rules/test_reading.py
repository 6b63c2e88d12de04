"""The mails of a simulation are read in batches, whose bytes are bounded whatever the mails."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rules.adapters.stored_mails import StoredMail
from rules.simulation.reading import BATCH_BYTES, BATCH_MAILS, READ_AT_ONCE, ReadMail, batches
from shared.archive import Archive
from tests.integration.rules.desk import NOW

MIB = 1024 * 1024


@pytest.fixture
async def archive(tmp_path: Path) -> Archive:
    made = Archive(tmp_path.as_uri())
    await asyncio.to_thread(made.initialise)
    return made


async def read(archive: Archive, sizes: Sequence[int]) -> list[list[ReadMail]]:
    """Mails of these sizes, stored and read."""
    await archive.put_many([(f"s/m{number}", b"x" * size) for number, size in enumerate(sizes)])
    mails = [StoredMail(f"m{number}", NOW, f"s/m{number}") for number in range(len(sizes))]
    job: Any = SimpleNamespace(mails={"last": len(sizes)})
    found = [batch async for batch in batches(archive, job, mails)]
    assert [len(one.raw) for batch in found for one in batch] == list(sizes)
    assert [one.stored for batch in found for one in batch] == mails
    return found


@pytest.mark.parametrize("size", [1, 100_000, MIB, 10 * MIB])
async def test_a_batch_holds_few_bytes_beyond_its_bound(archive: Archive, size: int) -> None:
    found = await read(archive, [size] * 30)
    assert max(sum(len(one.raw) for one in batch) for batch in found) < BATCH_BYTES + max(size, BATCH_BYTES)


async def test_small_mails_make_batches_of_many(archive: Archive) -> None:
    found = await read(archive, [1_000] * 250)
    assert all(BATCH_MAILS - READ_AT_ONCE < len(batch) <= BATCH_MAILS for batch in found[:-1])


async def test_after_large_mails_reading_is_quick_again(archive: Archive) -> None:
    assert [len(batch) for batch in await read(archive, [10 * MIB, 10 * MIB, *[1_000] * 40])] == [1, 1, 40]
