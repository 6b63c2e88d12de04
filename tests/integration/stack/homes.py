"""Data folders and processes for the tests of the embedded stack."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def folder_for_nobody() -> Iterator[Path]:
    """A temporary folder that Postgres can enter as `nobody`, which pytest's own is not for root."""
    path = Path(tempfile.mkdtemp(prefix="mailconverter-test-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
