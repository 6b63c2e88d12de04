"""Erasure of all that is kept about one mail address."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from shared.api.common import ApiModel
from shared.api.registry import MailAddress


class ErasureIn(ApiModel):
    """POST /erasures (202, a job)."""

    address: MailAddress


class ErasurePart(ApiModel):
    """What one service removed."""

    service: str
    removed: dict[str, int] = Field(default={}, description="What → how many")
    kept: list[str] = Field(default=[], description="What is kept and until when, or why, in plain words")
    finished_at: datetime


class Erasure(ApiModel):
    """An erasure with its report. Once it is done the address is kept as a digest only."""

    id: str
    address: str | None = None
    state: Literal["running", "done"]
    requested_by: str
    created_at: datetime
    finished_at: datetime | None = None
    parts: list[ErasurePart] = []
    waiting_for: list[str] = Field(default=[], description="Services that have not reported yet")
