"""Settings of tickets: `MAILCONVERTER_TICKETS__*`."""

from __future__ import annotations

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """What tickets needs beyond the common settings."""

    sweep_after_seconds: int = Field(default=900, ge=1, description="An answer without any news for so long is told to the notifier again")
    sweep_interval_seconds: float = Field(default=30.0, gt=0, description="How often waiting answers are looked at")
