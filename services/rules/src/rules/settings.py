"""Settings of the rules service: `MAILCONVERTER_RULES__*`."""

from __future__ import annotations

from pydantic import Field

from shared.settings import ServiceSettings


class RulesSettings(ServiceSettings):
    """Beyond what every service has: how long the API waits for a mailbox that was made a moment ago."""

    scanner_wait_seconds: float = Field(default=5.0, ge=0, le=30, description="How long a request waits for a new scanner's event")
