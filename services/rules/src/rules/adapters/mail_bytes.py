"""A mail's bytes: from its event, or, above 512 KiB, from the archive its event points to."""

from __future__ import annotations

from obstore.exceptions import BaseError

from shared.archive import Archive, BlobNotFoundError
from shared.events import RawMail
from shared.messaging.errors import NeverRetryError, UnavailableError
from shared.messaging.received import Received


async def bytes_of(archive: Archive, mail: Received[RawMail]) -> bytes:
    """Raises NeverRetryError when the archive has no such mail, UnavailableError when it does not answer."""
    key = mail.body.data_ref
    if key is None:
        return mail.value
    try:
        return await archive.get(key)
    except BlobNotFoundError as error:
        raise NeverRetryError(f"the archive has no {key}, to which the event points: restore it, then retry") from error
    except (OSError, BaseError) as error:
        raise UnavailableError(f"the archive did not give {key}: {error}") from error
