"""Real mails of public test suites, kept beside the checkout; a test that needs them says so where they are missing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

CORPUS: Final = Path(os.environ.get("MAILCONVERTER_CORPUS") or Path(__file__).resolve().parents[2].parent / "shared" / "corpus")

needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus at {CORPUS}: set MAILCONVERTER_CORPUS to its folder")


def paths(folder: str = "*") -> list[Path]:
    """The mails of a folder, or of all."""
    return sorted(CORPUS.glob(f"{folder}/*.eml")) if CORPUS.is_dir() else []
