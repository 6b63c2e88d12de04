"""Settings of the rules service: `MAILCONVERTER_RULES__*`."""

from __future__ import annotations

from pydantic import Field

from shared.settings import ServiceSettings


class RulesSettings(ServiceSettings):
    """Beyond what every service has: how long the API waits for a mailbox that was made a moment ago, and simulations."""

    scanner_wait_seconds: float = Field(default=5.0, ge=0, le=30, description="How long a request waits for a new scanner's event")
    tickets_url: str = Field(default="http://127.0.0.1:8003", description="Base URL of the tickets' internal interface")
    tickets_timeout_seconds: float = Field(default=20.0, gt=0, le=120, description="How long one such answer may take")
    simulation_lease_seconds: float = Field(default=20.0, ge=2, le=300, description="A silent simulation is taken over after so long")
    simulations_kept_days: int = Field(default=7, ge=1, le=365, description="Days after which a simulation is removed")
