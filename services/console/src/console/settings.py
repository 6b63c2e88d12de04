"""Settings of the console: `MAILCONVERTER_CONSOLE__<NAME>`."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from shared.settings import ServiceSettings

ServiceName = Literal["fetcher", "rules", "tickets", "notifier"]
SERVICES: tuple[ServiceName, ...] = ("fetcher", "rules", "tickets", "notifier")


class Settings(ServiceSettings):
    """The console's own settings. Addresses are base URLs without a path."""

    public_url: str = Field(default="http://127.0.0.1:8080", description="Address people open; https makes cookies Secure")
    fetcher_url: str = Field(default="http://127.0.0.1:8001", description="Base URL of the fetcher's internal interface")
    rules_url: str = Field(default="http://127.0.0.1:8002", description="Base URL of the rules' internal interface")
    tickets_url: str = Field(default="http://127.0.0.1:8003", description="Base URL of the tickets' internal interface")
    notifier_url: str = Field(default="http://127.0.0.1:8004", description="Base URL of the notifier's internal interface")
    upstream_timeout_seconds: float = Field(default=60.0, gt=0, le=600, description="Longest silence of a service while it answers")
    session_idle_minutes: int = Field(default=480, ge=5, description="A session unused for so long ends")
    session_max_hours: int = Field(default=72, ge=1, description="A session ends after so long in any case")

    @field_validator("public_url", "fetcher_url", "rules_url", "tickets_url", "notifier_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path.strip("/") or parts.query:
            raise ValueError("must be http://host:port or https://host, without a path")
        return value.rstrip("/")

    def service_url(self, service: ServiceName) -> str:
        """Base URL of a service."""
        urls = {"fetcher": self.fetcher_url, "rules": self.rules_url, "tickets": self.tickets_url, "notifier": self.notifier_url}
        return urls[service]

    @property
    def secure(self) -> bool:
        """True where people reach the console over TLS."""
        return self.public_url.startswith("https://")
