"""Settings of the notifier: `MAILCONVERTER_NOTIFIER__<NAME>`."""

from __future__ import annotations

from pydantic import Field, SecretStr

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the notifier needs beyond every service's settings."""

    secret_keys: SecretStr = Field(description="Key ring for SMTP passwords, name:base64 of 32 bytes, comma separated; the first encrypts")
    connect_timeout_seconds: float = Field(default=10, gt=0, description="For the TCP connection, TLS and the server's first line")
    command_timeout_seconds: float = Field(default=60, gt=0, description="For the answer to one SMTP command")
    data_timeout_seconds: float = Field(
        default=300,
        gt=0,
        description="For each piece of a mail, and the answer after its end; giving up too soon makes copies (RFC 5321, 4.5.3.2)",
    )
    connections_per_server: int = Field(
        default=20,
        ge=1,
        le=20,
        description="Connections of this process by one SMTP identity; the identity's own limit holds over all",
    )
    servers_at_once: int = Field(
        default=50, ge=1, le=500, description="SMTP identities whose mails leave side by side; where there are more they take turns"
    )
    idle_seconds: float = Field(default=10, ge=0, description="How long a connection waits for the next mail before it is closed")
    first_retry_seconds: float = Field(default=10, gt=0, description="Pause after the first temporary failure; it doubles up to an hour")
    greylisted_retry_seconds: float = Field(
        default=60, gt=0, description="Pause after a greylisting whose server does not say how long to wait; it doubles up to an hour"
    )
    give_up_hours: float = Field(default=72, gt=0, description="After this time of temporary failures a mail is failed")
    claim_seconds: float = Field(default=60, ge=1, description="After this time the mails of a crashed notifier are sent by another one")
