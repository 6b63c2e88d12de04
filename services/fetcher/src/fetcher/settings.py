"""The fetcher's settings: `MAILCONVERTER_FETCHER__<NAME>`."""

from __future__ import annotations

from pydantic import Field, SecretStr

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """What every service needs, and what only the fetcher does."""

    secret_keys: SecretStr = Field(
        description="Key ring for mailbox passwords, `name:base64 of 32 bytes`, comma separated; the first encrypts"
    )
    max_mail_bytes: int = Field(default=50 * 1024 * 1024, ge=1024, description="A larger mail is `failed` with reason too_large")
    batch_mails: int = Field(default=200, ge=1, le=500, description="Most mails fetched and published together")
    batch_bytes: int = Field(default=8 * 1024 * 1024, ge=64 * 1024, description="Most bytes fetched together; a bigger mail comes alone")
    memory_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=1024 * 1024,
        description="Most bytes of mails in memory, over all mailboxes; one larger mail passes alone",
    )
    max_scans: int = Field(
        default=32, ge=1, le=500, description="Mailboxes read at the same time; those that wait for their server do not count"
    )
    max_connections: int = Field(
        default=500, ge=1, le=10_000, description="IMAP connections of this process; three quarters may wait for news"
    )
    max_connections_per_server: int = Field(default=200, ge=1, le=10_000, description="IMAP connections of this process to one server")
    connect_timeout_seconds: float = Field(default=15, gt=0, description="For connecting, where the scanner sets no CONNECT_TIMEOUT")
    read_timeout_seconds: float = Field(default=60, gt=0, description="For each answer, where the scanner sets no READ_TIMEOUT")
    lease_seconds: float = Field(default=20, ge=1, description="A dead fetcher's mailboxes are taken over after this")
    first_scan_after_seconds: float = Field(
        default=5, ge=0, description="A new mailbox's first scan: whoever adds it by the API adds its rules next. Scan now does not wait"
    )
    sweep_after_seconds: float = Field(default=900, gt=0, description="A published mail without outcome is published again after this")
    sweep_times: int = Field(default=3, ge=1, le=20, description="Times a mail is published again before it is `failed`")
