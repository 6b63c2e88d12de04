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
    batch_mails: int = Field(default=50, ge=1, le=500, description="Most mails fetched and published together")
    batch_bytes: int = Field(default=8 * 1024 * 1024, ge=64 * 1024, description="Most bytes fetched together; a bigger mail comes alone")
    max_scans: int = Field(default=16, ge=1, le=500, description="Mailboxes read at the same time by this process")
    max_connections: int = Field(default=400, ge=1, le=10_000, description="Mailboxes held at the same time, most of them waiting")
    connect_timeout_seconds: float = Field(default=15, gt=0, description="For connecting, where the scanner sets no CONNECT_TIMEOUT")
    read_timeout_seconds: float = Field(default=60, gt=0, description="For each answer, where the scanner sets no READ_TIMEOUT")
    lease_seconds: float = Field(default=30, ge=1, description="A dead fetcher's mailboxes are taken over after this")
    hold_seconds: float = Field(
        default=60, ge=1, description="How long a connection is kept open between scans before others may take over"
    )
    first_scan_after_seconds: float = Field(
        default=5, ge=0, description="A new mailbox's first scan: whoever adds it by the API adds its rules next. Scan now does not wait"
    )
    sweep_after_seconds: float = Field(default=900, gt=0, description="A published mail without outcome is published again after this")
    sweep_times: int = Field(default=3, ge=1, le=20, description="Times a mail is published again before it is `failed`")
