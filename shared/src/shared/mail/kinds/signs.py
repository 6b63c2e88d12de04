"""What the recognisers of a mail's kind look at, each sign worked out when it is first asked for."""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import cached_property
from typing import Final

from shared.mail.addresses import addresses
from shared.mail.fields import Fields
from shared.mail.limits import MAX_SHORT_FIELD
from shared.mail.parts import Structure
from shared.mail.words import decode_words

MAX_SCANNED: Final = 64 * 1024
"""Characters of a text, or bytes of a report, that are looked at."""

SUSPICIOUS: Final = (
    "<>",
    "daemon",
    "postmaster",
    "post_master",
    "staff@hotmail",
    "reply",
    "administrator",
    "delivery",
    "microsoftexchange",
    "bounce",
    "antwort",
    "repond",
    "respond",
    "rispond",
    "out of office",
    "vacation",
)
"""One of these is in every sender, return path and mailer that the patterns know: asked first, of every mail."""

_DAEMON: Final = re.compile(
    r"post_master|mailer[-_.]?daemon|mail[-_.]?daemon|mdaemon|mail[-_.]delivery[-_.](?:sub)?system|microsoftexchange[0-9a-f]{16,40}"
)
_DESK: Final = re.compile(r"postmaster|administrator|system[-_.]?administrator|bounces?|mail[-_.]?delivery")
_DESK_NAMED: Final = re.compile(
    r"mail delivery|mailer[- ]daemon|(?:internet |message )?delivery (?:sub)?system|system ?administrator|ndr administrator|postmaster"
)
_SILENT: Final = re.compile(
    r"(?:[\w.-]{1,40}[-_.])?(?:(?:no|not|dont|do[-_.]?not|never)[-_.]?reply|nicht[-_.]?antworten|keine[-_.]?antwort|ne[-_.]?pas[-_.]?repondre"
    r"|non[-_.]?rispondere|no[-_.]?responder|nao[-_.]?respond[ae]r?)(?:[-_.+][\w.+-]{0,60})?"
)
_SILENT_ADDRESSES: Final = frozenset({"staff@hotmail.com"})
"""Hotmail's complaints come from there."""
_ANSWERED: Final = re.compile(
    r"\s*(?:re|fwd?|aw|wg|antw|tr|rif|r|i|sv|vs|vb|vl|rv|res|enc|odp|pd|ynt|ilt|отв|ответ|пересл|回复|转发|答复|返信|転送)"
    r"\s?(?:\[\d{1,3}\])?\s?[:：]"
)


class Sender(Enum):
    """Whom a mail says it is from."""

    PERSON = auto()
    SILENT = auto()
    """An address that takes no answers. Shops send what people wrote into their forms from such ones."""
    DESK = auto()
    """Postmaster and the like: mostly a machine, sometimes the person behind it."""
    DAEMON = auto()
    """Never a person."""


class Signs:
    """Of one mail. `text` is its clean text."""

    def __init__(self, structure: Structure, text: str) -> None:
        self.structure = structure
        self.fields: Fields = structure.root.fields
        self.text = text[:MAX_SCANNED]

    @cached_property
    def sender(self) -> Sender:
        return sender(self.fields.first("From"))

    @cached_property
    def null_path(self) -> bool:
        """Nothing may be sent back (RFC 5321, 4.5.5; RFC 3834, 3.3)."""
        path = self.fields.first("Return-Path").strip().lower()
        return path == "<>" or path.strip("<>").partition("@")[0] == "mailer-daemon"

    @cached_property
    def subject(self) -> str:
        return subject_of(self.fields)

    @property
    def answers(self) -> bool:
        return answers(self.fields)

    @cached_property
    def passed_on(self) -> bool:
        """Somebody's answer to a mail, or somebody forwarded it, by the subject."""
        return _ANSWERED.match(self.subject) is not None

    @cached_property
    def report_type(self) -> str:
        """Type of the report the whole mail is (RFC 6522), lower case; empty where it is none or does not say."""
        return self.structure.root.params.get("report-type", "").strip().lower()

    @property
    def machine(self) -> bool:
        """Anything at all that says no person sent it."""
        automatic = self.fields.first("Auto-Submitted").strip().lower()
        return self.sender in {Sender.DESK, Sender.DAEMON} or self.null_path or automatic.startswith("auto-")

    def first_type(self, *types: str) -> str:
        """The first of the types that a part of the mail has; empty for none."""
        return next((part.type for part in self.structure.parts if part.type in types), "")


def answers(fields: Fields) -> bool:
    """The mail says it answers another one."""
    return "in-reply-to" in fields.names or "references" in fields.names


def subject_of(fields: Fields) -> str:
    """Decoded, without case."""
    written = fields.first("Subject")
    return (decode_words(written) if "=?" in written else written[:MAX_SHORT_FIELD].strip()).casefold()


def sender(written: str) -> Sender:
    """Told by the address; the name alone proves little, anybody can call himself Mail Delivery System."""
    if not any(word in written.lower() for word in SUSPICIOUS):
        return Sender.PERSON
    first = next(iter(addresses(written)), None)
    if first is None:
        return Sender.DAEMON if written.strip() == "<>" else Sender.PERSON
    name, local = first.name.lower(), (first.address or first.name).partition("@")[0].lower()
    if _DAEMON.fullmatch(local):
        return Sender.DAEMON
    if _DESK.fullmatch(local) or _DESK_NAMED.search(name):
        return Sender.DESK
    return Sender.SILENT if _SILENT.fullmatch(local) or first.folded in _SILENT_ADDRESSES else Sender.PERSON
