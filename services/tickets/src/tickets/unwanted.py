"""Uploaded files that nothing refers to any more leave the archive."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from obstore.exceptions import BaseError

from shared.archive import Archive
from shared.messaging.errors import UnavailableError
from shared.messaging.outbox import Unit
from tickets.adapters.uploads import take_unwanted

AT_ONCE: Final = 100


async def remove_unwanted(unit: Unit, archive: Archive, before: datetime) -> tuple[int, bool]:
    """Files unwanted since before then, a bounded number of them: how many were removed, and whether there may be more.

    They go before the transaction ends: what breaks off is done again. Raises UnavailableError while the archive is away.
    """
    keys, looked_at = await take_unwanted(unit.conn, before, AT_ONCE)
    try:
        await archive.remove_many(keys)
    except (OSError, BaseError) as error:
        raise UnavailableError(f"the archive did not remove {len(keys)} files: {type(error).__name__}") from error
    return len(keys), looked_at == AT_ONCE
