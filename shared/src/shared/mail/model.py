"""What the system knows of a mail. Frozen values, the same on both sides of a wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field


class Kind(StrEnum):
    """What sort of mail it is, found out before any rule is asked."""

    MAIL = "mail"
    OWN = "own"
    """A mail of ours come back."""
    AUTO_REPLY = "auto_reply"
    """A machine's answer to a mail (RFC 3834 `auto-replied`, vacation notices)."""
    BOUNCE = "bounce"
    """A delivery status notification of a failed or delayed mail, standard (RFC 3464) or not."""
    RECEIPT = "receipt"
    """A delivery receipt (RFC 3464 `delivered`) or a read receipt (RFC 8098)."""
    LIST = "list"
    """Sent to many: a mailing list or bulk mail. The rules are asked; it is never answered automatically."""
    AUTOMATIC = "automatic"
    """A machine's own mail, no answer (RFC 3834 `auto-generated`, abuse reports). As `list`: the rules are asked, no automatic answer."""
    PEC = "pec"
    """Transport envelope of certified mail. The three PEC kinds are told only in a mailbox known to be PEC."""
    PEC_RECEIPT = "pec_receipt"
    PEC_ANOMALY = "pec_anomaly"


_set: Final = object.__setattr__


class MailModel(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)

    @classmethod
    def of(cls, **values: Any) -> Self:
        """Of values that are right already, every field given: what `model_construct` does, without asking field by field for defaults."""
        made = cls.__new__(cls)
        _set(made, "__dict__", values)
        _set(made, "__pydantic_fields_set__", set(values))
        _set(made, "__pydantic_extra__", None)
        _set(made, "__pydantic_private__", None)
        return made


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


class MailPart(MailModel):
    """One part of the mail's structure. The tree is in the numbers: `2.1` lies in `2`; the root multipart has the empty one."""

    number: str = Field(description="Part number as in IMAP (RFC 9051, 6.4.5); empty for the root multipart")
    type: str = Field(description="Media type, lower case")
    size: int = Field(description="Bytes as they stand in the mail, encoded, without the part's fields")
    name: str = Field(default="", description="File name the part gives, cleaned; empty when it gives none")


class FoldKind(StrEnum):
    """What a folded passage is."""

    QUOTE = "quote"
    SIGNATURE = "signature"


class Fold(MailModel):
    """A passage of `text` that is not the writer's new text. Folded away when shown, never thrown away."""

    start: int = Field(ge=0, description="Index of its first character in `text`")
    end: int = Field(ge=0, description="Index after its last character")
    kind: FoldKind


class RecipientReport(MailModel):
    """What a report says of one recipient (RFC 3464, 2.3)."""

    recipient: str = Field(description="Address as the report writes it")
    action: Literal["failed", "delayed", "delivered", "relayed", "expanded", "displayed", "deleted"] = "failed"
    status: str = Field(default="", description="Enhanced status code (RFC 3463) such as `5.1.1`; empty when the report gives none")
    smtp_code: str = Field(default="", description="The server's reply code such as `550`; empty when the report gives none")
    reason: str = Field(default="", description="The server's words, cut to 500 characters")


class DeliveryReport(MailModel):
    """What a bounce or a receipt says about a mail of somebody's."""

    recipients: list[RecipientReport] = Field(default=[], description="At most 100")
    message_id: str | None = Field(default=None, description="Message-ID of the mail it is about, with angle brackets")
    reporter: str = Field(default="", description="Reporting-MTA or reporting user agent, as written")

    @property
    def temporary(self) -> bool:
        """Nothing failed for good: the sending server goes on trying."""
        return bool(self.recipients) and all(one.action == "delayed" for one in self.recipients)


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
    parts: list[MailPart] = Field(default=[], description="The structure, in order; the root first")
    folds: list[Fold] = Field(default=[], description="Quoted history and signature within `text`, in order, not overlapping")
    kind: Kind = Kind.MAIL
    kind_reason: str = Field(default="", description="What told the kind, in plain words; empty for an ordinary mail")
    report: DeliveryReport | None = Field(default=None, description="Of a bounce or a receipt")
    authentication: list[str] = Field(
        default=[], description="Results of the topmost Authentication-Results (RFC 8601) as `method=result`, lower case: `dmarc=pass`"
    )

    @property
    def new_text(self) -> str:
        """The text without what is folded."""
        return unfolded(self.text, self.folds)


def unfolded(text: str, folds: Sequence[Fold]) -> str:
    """`text` without the passages in `folds`, without blank lines around it."""
    if not folds:
        return text.strip("\n")
    starts = [0, *(fold.end for fold in folds)]
    ends = [*(fold.start for fold in folds), len(text)]
    return "".join(text[start:end] for start, end in zip(starts, ends, strict=True)).strip("\n")
