"""The archive: received mails, uploads and sent mails in a blob store, zstd-compressed.

A local folder (`file:///…`) by default; S3, GCS and Azure by URL. One owner per blob, never overwritten. A local put is
written here and fsynced, file and folder: the library's own rename is not durable, and a mail is flagged only after it is safe.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO
from urllib.parse import unquote, urlsplit

import cramjam
import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import LocalStore, ObjectStore, from_url

from shared.settings import SharedSettings, load_settings

MARKER = "mailconverter-archive"
"""Written once at installation. A service that does not find it refuses to start: it looks at the wrong folder or bucket."""
LEVEL = 1
"""Of zstd: higher ones take twice the time for a few percent, as most of a mail is base64."""
CHUNK = 1024 * 1024
WRITERS = 4
"""Threads that store a batch: a disk writes several files through at once about as fast as one."""
TIMEOUTS = {"timeout": "60s", "connect_timeout": "10s"}
_PLAIN_KEY = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*")


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
        self._writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="archive")

    async def put_many(self, blobs: Sequence[tuple[str, bytes]]) -> None:
        """Store all (key, bytes) durably; a key already there is left as it is, since its content is a function of its key."""
        parts = [blobs[first::WRITERS] for first in range(min(WRITERS, len(blobs)))]
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(self._writers, self._put_part, part) for part in parts))
        await asyncio.to_thread(self._make_durable, [key for key, _ in blobs])

    async def put(self, key: str, data: bytes) -> None:
        """Store one blob durably, as `put_many`."""
        await self.put_many([(key, data)])

    async def put_file(self, key: str, source: IO[bytes]) -> None:
        """Store what `source` holds from its beginning, durably, in little memory whatever its size."""
        await asyncio.to_thread(self._put_file, key, source)

    async def get(self, key: str) -> bytes:
        """The blob's bytes. Raises BlobNotFoundError."""
        return await asyncio.to_thread(self._get, key)

    async def remove_many(self, keys: Sequence[str]) -> None:
        """Remove the blobs durably; one that is not there is none to remove. Only an erasure does this."""
        await asyncio.to_thread(self._remove, keys)

    async def holds(self, key: str) -> bool:
        """Whether there is such a blob."""
        return await asyncio.to_thread(self._holds, key)

    async def check(self) -> None:
        """Raise ArchiveMissingError unless the marker is there."""
        if not await asyncio.to_thread(self._holds, MARKER):
            raise ArchiveMissingError(f"no archive at {self._url}: run `python -m shared.archive init` once, or correct ARCHIVE_URL")

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

    def _put_part(self, blobs: Sequence[tuple[str, bytes]]) -> None:
        for key, data in blobs:
            if self._root is None:
                self._upload(key, _compressed(data))
            elif not os.path.exists(path := _path(self._root, key)):
                with _Draft(path) as draft:
                    draft.write(_compressed(data))

    def _put_file(self, key: str, source: IO[bytes]) -> None:
        source.seek(0)
        if self._root is None:
            with tempfile.TemporaryFile() as packed:
                _compress(source, packed)
                packed.seek(0)
                self._upload(key, packed)
        elif not os.path.exists(path := _path(self._root, key)):
            with _Draft(path) as draft:
                _compress(source, draft)
            self._make_durable([key])

    def _upload(self, key: str, packed: bytes | IO[bytes]) -> None:
        if isinstance(packed, bytes):
            with suppress(AlreadyExistsError):
                obstore.put(self._store(), key, packed, mode="create")
        elif not self._holds(key):  # an upload in parts knows no `create`
            obstore.put(self._store(), key, packed, use_multipart=True)

    def _make_durable(self, keys: Sequence[str]) -> None:
        """The files are on disk; so that they are found there, their folders up to the root too: a new month's is itself an entry."""
        if self._root is None:
            return
        own = {PurePosixPath(key.rpartition("/")[0]) for key in keys}
        for folder in {self._root / one for name in own for one in (name, *name.parents)}:
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _remove(self, keys: Sequence[str]) -> None:
        removed = []
        for key in keys:
            with suppress(FileNotFoundError, NotADirectoryError):
                obstore.delete(self._store(), key)
                removed.append(key)
        self._make_durable(removed)

    def _holds(self, key: str) -> bool:
        try:
            obstore.head(self._store(), key)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def _get(self, key: str) -> bytes:
        try:
            stored = bytes(obstore.get(self._store(), key).bytes())
        except FileNotFoundError as error:
            raise BlobNotFoundError(key) from error
        return bytes(cramjam.zstd.decompress(stored))


class _Draft:
    """A file under a name of its own until it is whole and on disk; then under `path`. By plain strings: there is one for each mail."""

    def __init__(self, path: str) -> None:
        folder, _, name = path.rpartition("/")
        self._path = path
        self._draft = f"{folder}/.{name}.{os.getpid()}-{threading.get_ident()}"

    def __enter__(self) -> IO[bytes]:
        try:
            self._file = open(self._draft, "wb", buffering=0)
        except FileNotFoundError:
            Path(self._path).parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self._draft, "wb", buffering=0)
        return self._file

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                os.fsync(self._file.fileno())
                os.rename(self._draft, self._path)
        finally:
            self._file.close()
            if kind is not None:
                Path(self._draft).unlink(missing_ok=True)


def _path(root: Path, key: str) -> str:
    """The blob's file, as the object store's library would name it: a key with other characters would be written otherwise by it."""
    if not _PLAIN_KEY.fullmatch(key):
        raise ValueError(f"not a key of the archive: {key!r}")
    return f"{root}/{key}"


def _compressed(data: bytes) -> bytes:
    return bytes(cramjam.zstd.compress(data, level=LEVEL))


def _compress(source: IO[bytes], target: IO[bytes]) -> None:
    packer = cramjam.zstd.Compressor(level=LEVEL)
    while chunk := source.read(CHUNK):
        packer.compress(chunk)
        target.write(bytes(packer.flush()))
    target.write(bytes(packer.finish()))


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
