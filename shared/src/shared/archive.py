"""The archive: received mails, uploads and sent mails in a blob store, zstd-compressed.

A local folder (`file:///…`) by default; S3, GCS and Azure by URL. One owner per blob, never overwritten. A local put is
fsynced, file and folder: the store's own rename is not durable, and a mail is flagged only after it is safe.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import cramjam
import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import LocalStore, ObjectStore, from_url

from shared.settings import SharedSettings, load_settings

MARKER = "mailconverter-archive"
"""Written once at installation. A service that does not find it refuses to start: it looks at the wrong folder or bucket."""
LEVEL = 3
TIMEOUTS = {"timeout": "60s", "connect_timeout": "10s"}


class ArchiveMissingError(Exception):
    """The archive has no marker: stop, and let a person look at the URL."""


class BlobNotFoundError(Exception):
    """The archive holds nothing under this key: never retry."""


def mail_key(scanner_id: str, received_at: datetime, mail_id: str) -> str:
    """Key of a received mail: `<scanner>/<yyyy-mm>/<mail id>.eml.zst`; the month is the INTERNALDATE's, in UTC."""
    return f"{scanner_id}/{received_at.astimezone(UTC):%Y-%m}/{mail_id}.eml.zst"


class Archive:
    """Blobs by key. All methods are safe to repeat; those that do I/O run in a thread and may raise OSError."""

    def __init__(self, url: str) -> None:
        """`url`: `file:///folder` or an object store's. Nothing is opened or created yet."""
        self._url = url
        self._root = _local_root(url)
        self._opened: ObjectStore | None = None

    async def put_many(self, blobs: list[tuple[str, bytes]]) -> None:
        """Store all (key, bytes) durably; a key already there is left as it is, since its content is a function of its key."""
        await asyncio.to_thread(self._put_all, blobs)

    async def put(self, key: str, data: bytes) -> None:
        """Store one blob durably, as `put_many`."""
        await self.put_many([(key, data)])

    async def get(self, key: str) -> bytes:
        """The blob's bytes. Raises BlobNotFoundError."""
        return await asyncio.to_thread(self._get, key)

    async def check(self) -> None:
        """Raise ArchiveMissingError unless the marker is there."""
        try:
            await asyncio.to_thread(self._store().head, MARKER)
        except (FileNotFoundError, NotADirectoryError) as error:
            text = f"no archive at {self._url}: run `python -m shared.archive init` once, or correct ARCHIVE_URL"
            raise ArchiveMissingError(text) from error

    def initialise(self) -> bool:
        """Write the marker; returns False where it was there already. A local root is created, readable by its owner alone."""
        if self._root is not None:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            obstore.put(self._store(), MARKER, b"Mail Converter's archive. Do not remove this file.\n", mode="create")
        except AlreadyExistsError:
            return False
        return True

    def _store(self) -> ObjectStore:
        if self._opened is None:
            if self._root is not None:
                self._opened = LocalStore(self._root, mkdir=True)
            else:
                self._opened = from_url(self._url, client_options=TIMEOUTS)  # type: ignore[call-overload]  # options by scheme
        return self._opened

    def _put_all(self, blobs: list[tuple[str, bytes]]) -> None:
        for key, data in blobs:
            try:
                obstore.put(self._store(), key, bytes(cramjam.zstd.compress(data, level=LEVEL)), mode="create")
            except AlreadyExistsError:
                continue
        if self._root is not None:
            self._make_durable([self._root / key for key, _ in blobs])

    @staticmethod
    def _make_durable(paths: list[Path]) -> None:
        # Parents up to the root's child as well: a new month's folder is itself an entry to be kept.
        folders = {folder for path in paths for folder in list(path.parents)[:3]}
        for path in [*paths, *folders]:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _get(self, key: str) -> bytes:
        try:
            stored = bytes(obstore.get(self._store(), key).bytes())
        except FileNotFoundError as error:
            raise BlobNotFoundError(key) from error
        return bytes(cramjam.zstd.decompress(stored))


def _local_root(url: str) -> Path | None:
    parts = urlsplit(url)
    if parts.scheme != "file":
        return None
    return Path(unquote(parts.path))


def main() -> int:
    """`python -m shared.archive init`: makes the archive at MAILCONVERTER_SHARED__ARCHIVE_URL; 0, or 1 with one line."""
    if sys.argv[1:] != ["init"]:
        print("usage: python -m shared.archive init", file=sys.stderr)
        return 2
    settings = load_settings(SharedSettings, "shared")
    try:
        created = Archive(settings.archive_url).initialise()
    except OSError as error:
        print(f"archive: cannot write to {settings.archive_url}: {error}", file=sys.stderr)
        return 1
    print(f"archive: {'created' if created else 'there already'} at {settings.archive_url}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
