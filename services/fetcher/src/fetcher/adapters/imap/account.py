"""Where and as whom to sign in to a mailbox."""

from __future__ import annotations

from dataclasses import dataclass, field

from fetcher.domain.parameters import Parameters
from shared.api import SslMethod, SslType


@dataclass(frozen=True)
class Account:
    """The secrets are in no representation of it."""

    server: str
    port: int
    username: str
    password: str = field(repr=False)
    ssl_type: SslType = SslType.SSL
    ssl_method: SslMethod = SslMethod.VALIDATE
    parameters: Parameters = field(default_factory=Parameters)
    connect_timeout: float = 15.0
    read_timeout: float = 60.0
    access_token: str = field(default="", repr=False)
    """OAuth 2.0; where there is one, no password is used."""
