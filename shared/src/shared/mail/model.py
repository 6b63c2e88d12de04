"""What the system knows of a mail. Frozen values, the same on both sides of a wire."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Kind(StrEnum):
    """What sort of mail it is, found out before any rule is asked."""

    MAIL = "mail"
    OWN = "own"
    """A mail of ours come back."""
    AUTO_REPLY = "auto_reply"
    BOUNCE = "bounce"
    RECEIPT = "receipt"
    LIST = "list"
    PEC = "pec"
    PEC_RECEIPT = "pec_receipt"
    PEC_ANOMALY = "pec_anomaly"


class MailModel(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Address(MailModel):
    """One mailbox of an address field. `address` is as written; it has no `@` when the mail gave none."""

    name: str = Field(default="", description="Display name, decoded; empty when there is none")
    address: str = Field(description="The address as written; empty when the field held only a name")

    @property
    def folded(self) -> str:
        """For comparing: what differs only in case is one mailbox to all servers that matter (RFC 5321, 2.4 allows otherwise)."""
        return self.address.casefold()

    def __str__(self) -> str:
        """For people, not for a header: the name is not encoded."""
        if not self.name:
            return self.address
        plain = self.name.replace('"', "'")
        return f'"{plain}" <{self.address}>' if any(c in ',;:<>()@\\"' for c in self.name) else f"{self.name} <{self.address}>"


class Attachment(MailModel):
    """A part of a mail that is not its text: a reference, opened from the archived mail by `parts.open_part`."""

    part: str = Field(description="Part number as in IMAP (`2.1`), stable for the same bytes; files within a part count on below it")
    name: str = Field(description="Safe file name without folders, at most 255 bytes; made up when the mail gave none")
    type: str = Field(description="Media type as declared, lower case")
    size: int = Field(description="Bytes after decoding the transfer encoding")
    sha256: str = Field(description="Of the decoded bytes, hex")
    content_id: str | None = Field(default=None, description="Content-ID without angle brackets")
    inline: bool = Field(
        default=False, description="Meant to be shown within the text (Content-Disposition, or an image the HTML refers to)"
    )


class Envelope(MailModel):
    """What the header block alone tells."""

    subject: str = ""
    from_: Address | None = Field(default=None, alias="from")
    sender: Address | None = None
    reply_to: list[Address] = []
    to: list[Address] = []
    cc: list[Address] = []
    delivered_to: list[str] = Field(default=[], description="Addresses of Delivered-To, X-Original-To, Envelope-To")
    message_id: str | None = Field(default=None, description="With angle brackets, as all ids here")
    in_reply_to: list[str] = []
    references: list[str] = []
    date: datetime | None = Field(default=None, description="UTC; missing when the mail gives none that can be read")
    defects: list[str] = Field(default=[], description="What was odd or left out, each once")


class ParsedMail(Envelope):
    """One mail, parsed once."""

    text: str = Field(default="", description="Text for people, lines end in \\n; rendered from the HTML when there is no plain text")
    text_truncated: bool = False
    html: str | None = Field(default=None, description="Not sanitised")
    html_truncated: bool = False
    attachments: list[Attachment] = []
    headers: list[tuple[str, str]] = Field(default=[], description="Decoded, unfolded, in order, without control characters")
    kind: Kind = Kind.MAIL
