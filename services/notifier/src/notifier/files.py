"""Files of a mail, read from the archive when it is made."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from notifier.domain.compose import ComposeError
from shared.archive import Archive, BlobNotFoundError
from shared.events import OutgoingPart
from shared.mail.parts import open_part

MAX_OCTETS = 100 * 1024 * 1024
"""Of all files of a mail. Tickets lets far less go along; this is what a notifier holds at most."""


async def read_files(archive: Archive, parts: Sequence[OutgoingPart]) -> list[bytes]:
    """Their bytes, in order; what several come from is read once. Raises ComposeError for what is there no longer, OSError."""
    if (total := sum(part.size for part in parts)) > MAX_OCTETS:
        raise ComposeError(f"its files have {total / 1_000_000:.0f} MB together: send fewer or smaller ones")
    read: dict[int, bytes] = {}
    for key in dict.fromkeys(part.archive_key for part in parts):
        of_key = {number: part for number, part in enumerate(parts) if part.archive_key == key}
        try:
            read |= await asyncio.to_thread(_opened, await archive.get(key), of_key)
        except (BlobNotFoundError, KeyError) as error:
            names = ", ".join(part.name for part in of_key.values())
            raise ComposeError(f"no longer in the archive: {names}; answer again without it") from error
    return [read[number] for number in range(len(parts))]


def _opened(raw: bytes, parts: dict[int, OutgoingPart]) -> dict[int, bytes]:
    return {number: open_part(raw, part.part)[1] if part.part else raw for number, part in parts.items()}
