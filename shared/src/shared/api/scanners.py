"""Mailboxes: settings, state, folders (fetcher)."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, field_validator

from shared.api.common import ApiModel, HostName, Name, NoMove, NoOAuth, NoPush, PortNumber


class SslType(StrEnum):
    """How the connection is secured."""

    NONE = "none"
    STARTTLS = "starttls"
    SSL = "ssl"


class SslMethod(StrEnum):
    """Whether the server's certificate is checked."""

    VALIDATE = "validate"
    NO_VALIDATE = "no_validate"


class ScannerFields(ApiModel):
    """What an administrator sets of a mailbox, without its password."""

    name: Name
    server: HostName
    port: PortNumber = 993
    protocol: Literal["imap4", "imap2"] = "imap4"
    username: Annotated[str, Field(min_length=1, max_length=320)]
    address: Annotated[str, Field(max_length=320)] = Field(
        default="", description="The mailbox's own address, from which answers go out; the user name where that is an address"
    )
    auth: Literal["password"] = "password"
    ssl_type: SslType = SslType.SSL
    ssl_method: SslMethod = SslMethod.VALIDATE
    parameters: dict[str, str] = {}
    pec: bool = False
    enabled: bool = True
    find: Literal["all", "unread"] = "all"
    after_scanning: Literal["none", "read"] = "none"
    spam_folder: Annotated[str, Field(max_length=500)] | None = None
    start_from: str = Field(default="now", description="`now`, `everything`, or an ISO 8601 duration of days such as `P7D`")
    interval_seconds: int = Field(default=60, ge=1, le=86_400)
    sender_id: str | None = Field(default=None, description="SMTP identity for answers")
    oauth: NoOAuth = None
    move_matched_to: NoMove = None
    move_unmatched_to: NoMove = None
    push: NoPush = False

    @field_validator("start_from")
    @classmethod
    def _known_start(cls, value: str) -> str:
        if value not in {"now", "everything"} and not re.fullmatch(r"P\d{1,4}D", value):
            raise ValueError("must be `now`, `everything` or a number of days such as `P7D`")
        return value


class ScannerIn(ScannerFields):
    """POST /scanners. Folder INBOX is selected until others are chosen."""

    password: str = Field(default="", max_length=1000, description="Write only")


class ScannerPatch(ApiModel):
    """PATCH /scanners/{id}: the fields given change. Another server or user starts a new mailbox generation with fresh cursors."""

    name: Name | None = None
    server: HostName | None = None
    port: PortNumber | None = None
    protocol: Literal["imap4", "imap2"] | None = None
    username: Annotated[str, Field(min_length=1, max_length=320)] | None = None
    address: Annotated[str, Field(max_length=320)] | None = None
    password: str | None = Field(default=None, max_length=1000, description="Write only")
    ssl_type: SslType | None = None
    ssl_method: SslMethod | None = None
    parameters: dict[str, str] | None = None
    pec: bool | None = None
    enabled: bool | None = None
    find: Literal["all", "unread"] | None = None
    after_scanning: Literal["none", "read"] | None = None
    spam_folder: Annotated[str, Field(max_length=500)] | None = None
    start_from: str | None = None
    interval_seconds: int | None = Field(default=None, ge=1, le=86_400)
    sender_id: str | None = None
    auth: Literal["password"] | None = None
    oauth: NoOAuth = None
    move_matched_to: NoMove = None
    move_unmatched_to: NoMove = None
    push: NoPush = False


class ScannerState(ApiModel):
    """How the mailbox is doing."""

    last_scan_at: datetime | None = None
    last_success_at: datetime | None = None
    last_error: str | None = Field(default=None, description="In plain words, with what to do")
    next_scan_at: datetime | None = None


class Scanner(ScannerFields):
    """GET /scanners/{id}."""

    id: str
    version: int
    state: ScannerState
    created_at: datetime
    updated_at: datetime


class TestResult(ApiModel):
    """POST /scanners/{id}/test and /senders/{id}/test: every step that was tried, and precisely what failed."""

    __test__ = False  # pytest: this is no test class

    ok: bool
    message: str
    steps: list[str] = []


class Folder(ApiModel):
    """A folder as the server lists it; `name` is decoded from modified UTF-7."""

    name: str
    delimiter: str | None = None
    special_use: str | None = None
    selectable: bool = True
    selected: bool = False


class FolderList(ApiModel):
    """GET /scanners/{id}/folders."""

    items: list[Folder]
    next: None = Field(default=None, description="All are on one page")


class FolderSelection(ApiModel):
    """PUT /scanners/{id}/folders."""

    selected: list[Annotated[str, Field(min_length=1, max_length=500)]] = Field(max_length=1000)
