"""An answer as the bytes that go over the wire. A pure function: the same answer, identity and time give the same bytes."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from notifier.domain import body, headers
from shared.events import OutgoingMail
from shared.mail.mark import OWN_HEADER
from shared.mail.model import Address

MAX_TITLE = 250

_REPLY = re.compile(r"^(?:(?:re|aw|antw|sv|r|rif)(?:\[\d+\])?\s*:\s*)+", re.IGNORECASE)
_TOKEN = re.compile(r"[\s–-]*\[?\bTicket Id:\s*\d+\b\]?", re.IGNORECASE)


class ComposeError(Exception):
    """This answer can never become a mail; the text says what is wrong with it."""


class NoAddressError(Exception):
    """Nobody told from which address to send; the text says where to set it."""


@dataclass(frozen=True)
class Identity:
    """Who an answer is from: the mailbox, and what its SMTP identity adds."""

    mailbox_name: str
    mailbox_address: str
    address: str = ""
    display_name: str = ""
    reply_to: str = ""
    signature: str = ""


@dataclass(frozen=True)
class Composed:
    """A mail and the sender of its SMTP envelope."""

    envelope_from: str
    data: bytes


def subject(title: str, ticket_id: int) -> str:
    """`Re: <title> - Ticket Id: <n>`. Marks the title brought along are taken out: a second number would name another ticket."""
    bare = _REPLY.sub("", _TOKEN.sub("", headers.one_line(title)).strip()).strip()
    if len(bare) > MAX_TITLE:
        bare = f"{bare[:MAX_TITLE].rstrip()}…"
    return f"Re: {bare} - Ticket Id: {ticket_id}" if bare else f"Re: Ticket Id: {ticket_id}"


def recipients(mail: OutgoingMail) -> dict[str, str | None]:
    """Everybody of To and Cc, each once (case aside): as written, and as SMTP takes it, None where it is no address."""
    known: dict[str, tuple[str, str | None]] = {}
    for one in [*mail.to, *mail.cc]:
        known.setdefault(one.folded, (headers.one_line(one.address)[:320], headers.mailbox(one.address)))
    return dict(known.values())


def compose(mail: OutgoingMail, identity: Identity, at: datetime) -> Composed:
    """Raises ComposeError or NoAddressError. Auto-Submitted is not set: a person wrote it (RFC 3834, 5.1)."""
    sender = headers.mailbox(identity.address or identity.mailbox_address)
    if sender is None:
        raise NoAddressError(f"set the address of the mailbox {identity.mailbox_name!r}, or of its SMTP identity: no mail goes without one")
    if mail.mode != "info":
        raise ComposeError("only answers from the mailbox's own address are sent; this one is from an operator's own")
    lines = [*_envelope(mail, identity, sender), *_threading(mail, at)]
    return Composed(sender, "\r\n".join([*lines, *_content(mail, identity)]).encode("ascii"))


def _envelope(mail: OutgoingMail, identity: Identity, sender: str) -> list[str]:
    to, cc = headers.address_tokens(mail.to), headers.address_tokens(mail.cc)
    if not to and not cc:
        raise ComposeError("none of its recipients is an address")
    name = identity.display_name or identity.mailbox_name
    lines = [headers.field("From", headers.address_tokens([Address(name=name, address=sender)]))]
    lines += [headers.field(label, tokens) for label, tokens in (("To", to), ("Cc", cc)) if tokens]
    if reply_to := _reply_to(identity, sender):
        lines.append(f"Reply-To: {reply_to}")
    return [*lines, headers.field("Subject", headers.text_tokens(subject(mail.title, mail.ticket_id)))]


def _reply_to(identity: Identity, sender: str) -> str | None:
    """The identity's own; else the mailbox, where the mail is from another address: the answer must come back to it."""
    if identity.reply_to:
        return headers.mailbox(identity.reply_to)
    back = headers.mailbox(identity.mailbox_address)
    return back if back and back.casefold() != sender.casefold() else None


def _threading(mail: OutgoingMail, at: datetime) -> list[str]:
    own = headers.message_ids([mail.message_id])
    if not own:
        raise ComposeError("its Message-ID is none, so the customer's answer could not be recognised")
    lines = [headers.field("Date", [format_datetime(at)]), headers.field("Message-ID", own)]
    before = headers.message_ids([mail.in_reply_to or ""])
    references = headers.message_ids([*mail.references, *before])
    if before:
        lines.append(headers.field("In-Reply-To", before))
    if references:
        lines.append(headers.field("References", references))
    mark = re.sub(r"[^A-Za-z0-9._-]", "", mail.outgoing_id)[:100]
    return [*lines, headers.field(OWN_HEADER, [mark])]


def _content(mail: OutgoingMail, identity: Identity) -> list[str]:
    texts = {
        "plain": body.plain(mail.text, identity.signature, mail.quoted),
        "html": body.page(mail.text, identity.signature, mail.quoted),
    }
    # "=_" occurs in neither encoding (RFC 2045, 6.7), and the digest in no text that was not made for it.
    seed = "\n".join([mail.outgoing_id, *texts.values()])
    boundary = f"=_{hashlib.sha256(seed.encode()).hexdigest()[:32]}"
    lines = ["MIME-Version: 1.0", f'Content-Type: multipart/alternative; boundary="{boundary}"', ""]
    for subtype, text in texts.items():
        encoding, wire = body.encoded(text)
        lines += [f"--{boundary}", f"Content-Type: text/{subtype}; charset=utf-8", f"Content-Transfer-Encoding: {encoding}", "", wire]
    return [*lines, f"--{boundary}--", ""]
