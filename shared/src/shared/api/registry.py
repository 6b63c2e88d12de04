"""The registry: contacts, accounts and leads, each with several addresses."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.api.common import ApiModel, Name

RecordType = Literal["contact", "account", "lead"]
MailAddress = Annotated[str, Field(min_length=3, max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")]
Addresses = Annotated[list[MailAddress], Field(max_length=50)]
Line = Annotated[str, Field(max_length=200)]
Note = Annotated[str, Field(max_length=10_000)]


class Record(ApiModel):
    """A contact, an account or a lead. Fields a sort does not have are null."""

    id: str
    type: RecordType
    name: str
    addresses: list[str]
    phone: str | None = None
    company: str | None = Field(default=None, description="Of a lead: the firm it may become a customer for")
    website: str | None = Field(default=None, description="Of an account")
    account_id: str | None = Field(default=None, description="Of a contact: the account it belongs to")
    note: str = ""
    version: int = 1
    created_at: datetime
    updated_at: datetime


class RecordIn(ApiModel):
    """POST /contacts, /accounts, /leads. One of the same sort that has an address already refuses it (409, with its id)."""

    name: Name
    addresses: Addresses = []
    phone: Line | None = None
    company: Line | None = None
    website: Line | None = None
    account_id: str | None = Field(default=None, max_length=36)
    note: Note = ""


class RecordPatch(ApiModel):
    """PATCH /contacts/{id}, /accounts/{id}, /leads/{id}. A null phone, company, website or account_id takes it away."""

    name: Name | None = None
    addresses: Addresses | None = None
    phone: Line | None = None
    company: Line | None = None
    website: Line | None = None
    account_id: str | None = Field(default=None, max_length=36)
    note: Note | None = None


class RecordRef(ApiModel):
    """The record a ticket is connected to."""

    id: str
    type: RecordType = "contact"
    name: str


class RecordMerge(ApiModel):
    """POST /contacts/{id}/merge: these of the same sort become part of the one addressed, and are gone."""

    ids: list[Annotated[str, Field(min_length=1, max_length=36)]] = Field(min_length=1, max_length=50)


class FiledMail(ApiModel):
    """A mail filed with a record by a rule (Add FROM, Add TO), or on a ticket of it."""

    mail_id: str
    ticket_id: int | None = Field(default=None, description="Null for a mail that was filed without a ticket")
    sender: str | None = None
    received_at: datetime | None = None
    rule_name: str | None = None


class RecordImportIn(ApiModel):
    """POST /contacts/import (202, a job): a CSV file with a header line, or the file of a dry run.

    Columns by name, in any order, in English or Italian: name, address (or addresses, blank separated; or address 2, address 3, …), phone,
    company, website, account, note. A line whose address one of the same sort has already updates that one: by the cells that are not
    empty. The job's result is a `RecordImportReport`.
    """

    csv: str | None = Field(default=None, min_length=1, max_length=10_000_000)
    job_id: str | None = Field(default=None, max_length=50, description="Of a dry run, at most a day ago: take its file, in place of `csv`")
    dry_run: bool = False
    delimiter: Literal[",", ";", "\t"] | None = Field(default=None, description="Null: told from the header line")

    @model_validator(mode="after")
    def _one_file(self) -> Self:
        if (self.csv is None) == (self.job_id is None):
            raise ValueError("give either csv or the job_id of a dry run")
        return self


class RecordImportLine(ApiModel):
    """What became, or would become, of one line of the file."""

    line: int = Field(description="Number of the line in the file, the header is 1")
    result: Literal["created", "updated", "unchanged", "refused"]
    record_id: str | None = None
    name: str = ""
    problem: str = Field(default="", description="Why it was refused, and what to do")


class RecordImportReport(ApiModel):
    """Result of an import's job; of very long files the first 1,000 lines that were not plainly created are listed."""

    dry_run: bool
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    ignored_columns: list[str] = Field(default=[], description="Columns of the file that no field is known for")
    lines: list[RecordImportLine] = []
