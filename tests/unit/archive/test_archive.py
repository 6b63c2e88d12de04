"""The archive in a local folder: whole blobs or none, each written once."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest

from shared.archive import Archive, BlobNotFoundError

KEY = "scanner-1/2026-11/mail-1.eml.zst"


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    made = Archive((tmp_path / "archive").as_uri())
    made.initialise()
    return made


async def test_what_is_put_comes_back_and_stays_as_it_was_first(archive: Archive) -> None:
    await archive.put_many([(KEY, b"first"), ("scanner-1/2026-12/mail-2.eml.zst", b"")])
    await archive.put(KEY, b"another")
    assert await archive.get(KEY) == b"first"
    assert await archive.get("scanner-1/2026-12/mail-2.eml.zst") == b""
    assert await archive.holds(KEY)


async def test_a_file_is_put_in_pieces_from_its_beginning(archive: Archive) -> None:
    data = bytes(range(256)) * 20_000
    source = io.BytesIO(data)
    source.seek(7)
    await archive.put_file(KEY, source)
    assert await archive.get(KEY) == data


async def test_what_was_never_put_is_not_there(archive: Archive) -> None:
    assert not await archive.holds(KEY)
    with pytest.raises(BlobNotFoundError):
        await archive.get(KEY)


@pytest.mark.parametrize("key", ["../outside", "/etc/passwd", "a//b", "a/../../b", "a\x00b"])
async def test_no_key_leads_out_of_the_folder(archive: Archive, tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        await archive.put(key, b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


async def test_many_writers_of_one_blob_leave_it_whole_and_nothing_else(archive: Archive, tmp_path: Path) -> None:
    data = b"x" * 1_000_000
    await asyncio.gather(*(archive.put(KEY, data) for _ in range(8)))
    assert await archive.get(KEY) == data
    assert [path.name for path in (tmp_path / "archive" / KEY).parent.iterdir()] == ["mail-1.eml.zst"]
