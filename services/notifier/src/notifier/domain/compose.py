"""An answer as the bytes that go over the wire. A pure function: the same answer, identity and time give the same bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from notifier.domain import headers, structure
from notifier.domain.quoting import quoted_markup, quoted_text
from notifier.domain.structure import Entity
from notifier.domain.templates import Rendered, Texts, Values, render_or_default
from shared.api import TemplateKind
from shared.events import OutgoingMail, OutgoingMode
from shared.mail.answer_subject import answer_subject, bare_title
from shared.mail.mark import OWN_HEADER
from shared.mail.model import Address

MAX_TOLD = 20_000
"""Characters of an acknowledgement's text that are told."""
AUTOMATIC = {OutgoingMode.ACKNOWLEDGEMENT: "auto-replied", OutgoingMode.NOTICE: "auto-generated"}
"""Their Auto-Submitted (RFC 3834, 5). An answer has none: a person wrote it."""
TEMPLATES = {OutgoingMode.INFO: TemplateKind.ANSWER, OutgoingMode.ACKNOWLEDGEMENT: TemplateKind.ACKNOWLEDGEMENT}
"""Whose text is made by a template of the mailbox."""


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
    plus_addressing: bool = False
    personal: bool = False
    """It is somebody's own account: what it has set is for their personal answers."""

    @property
    def mailbox(self) -> str | None:
        """Its address as SMTP takes it; None where nobody told one."""
        return headers.mailbox(self.address or self.mailbox_address)


@dataclass(frozen=True)
class Composed:
    """A mail and the sender of its SMTP envelope, blank for what nobody is to answer."""

    envelope_from: str
    data: bytes
    text: str | None = None
    """What an acknowledgement says."""
    problem: str | None = None
    """Why its template was not used."""
    subject: str = ""
    """As sent: an acknowledgement's template may have made one of its own."""


def subject_of(mail: OutgoingMail, rendered: str = "") -> str:
    """As its mode has it: a personal answer names no ticket, an acknowledgement's template may have one of its own."""
    if mail.mode is OutgoingMode.PERSONAL:
        return f"Re: {bare_title(mail.title)}".rstrip()
    if mail.mode is OutgoingMode.NOTICE:
        return f"Answer not delivered - Ticket Id: {mail.ticket_id}"
    return rendered or answer_subject(mail.title, mail.ticket_id)


def recipients(mail: OutgoingMail) -> dict[str, str | None]:
    """Everybody of To and Cc, each once: as written, and as SMTP takes it, None where it is no address.

    One who is written in two ways is one: in capitals, with a domain in ASCII and in letters. Copies would be refused, or come twice.
    """
    known: dict[tuple[bool, str], tuple[str, str | None]] = {}
    for one in [*mail.to, *mail.cc]:
        box = headers.mailbox(one.address)
        known.setdefault((box is None, box.lower() if box else one.folded), (headers.one_line(one.address)[:320], box))
    people: dict[str, str | None] = {}
    for written, box in known.values():
        people[written] = people.get(written) or box
    return people


def compose(mail: OutgoingMail, identity: Identity, at: datetime, files: Sequence[bytes] = (), template: Texts | None = None) -> Composed:
    """`files` are the bytes of its parts, in order. Raises ComposeError or NoAddressError."""
    sender = _sender(mail, identity)
    rendered, problem = _rendered(mail, identity, template)
    subject = headers.one_line(subject_of(mail, rendered.subject))
    lines = [*_envelope(mail, identity, sender, subject), *_threading(mail, at), *_marks(mail), "MIME-Version: 1.0"]
    data = "\r\n".join([*lines, ""]).encode("ascii") + _content(mail, rendered, files).octets() + b"\r\n"
    told = rendered.text[:MAX_TOLD] if mail.mode is OutgoingMode.ACKNOWLEDGEMENT else None
    return Composed("" if mail.mode in AUTOMATIC else sender.address, data, told, problem, subject)


def _sender(mail: OutgoingMail, identity: Identity) -> Address:
    """Who it is from, with an address as SMTP takes it."""
    if mail.mode is OutgoingMode.PERSONAL:
        return _author(mail.author or Address(address=""), identity)
    if identity.mailbox is None:
        raise NoAddressError(f"set the address of the mailbox {identity.mailbox_name!r}, or of its SMTP identity: no mail goes without one")
    return Address(name=identity.display_name or identity.mailbox_name, address=identity.mailbox)


def _author(author: Address, identity: Identity) -> Address:
    """Under the name and address of their own account where it has some: a provider takes mails from its own addresses only."""
    address, name = (identity.address, identity.display_name) if identity.personal else ("", "")
    if (own := headers.mailbox(address or author.address)) is None:
        raise ComposeError("its author has no mail address of their own to send it from: set one on their own page, and answer again")
    return Address(name=name or author.name, address=own)


def _rendered(mail: OutgoingMail, identity: Identity, template: Texts | None) -> tuple[Rendered, str | None]:
    """Its own text, and why its template was not used. Personal answers and notices have no template."""
    kind = TEMPLATES.get(mail.mode)
    if kind is not None:
        return render_or_default(kind, template, _values(mail, identity))
    signed = identity.signature if mail.mode is OutgoingMode.PERSONAL else ""
    return render_or_default(TemplateKind.ANSWER, None, Values(mail.ticket_id, answer=mail.text, signature=signed))


def _values(mail: OutgoingMail, identity: Identity) -> Values:
    customer = next(iter(mail.to), Address(address=""))
    author = mail.author or Address(address="")
    return Values(
        ticket_id=mail.ticket_id,
        ticket_title=mail.title,
        customer_name=customer.name,
        customer_address=customer.address,
        operator_name=author.name,
        operator_address=author.address,
        mailbox_name=identity.display_name or identity.mailbox_name,
        mailbox_address=identity.address or identity.mailbox_address,
        answer=mail.text,
        signature=identity.signature,
    )


def _envelope(mail: OutgoingMail, identity: Identity, sender: Address, subject: str) -> list[str]:
    to, cc = headers.address_tokens(mail.to), headers.address_tokens(mail.cc)
    if not to and not cc:
        raise ComposeError("none of its recipients is an address")
    lines = [headers.field("From", headers.address_tokens([sender]))]
    lines += [headers.field(label, tokens) for label, tokens in (("To", to), ("Cc", cc)) if tokens]
    if reply_to := _reply_to(mail, identity, sender.address):
        lines.append(f"Reply-To: {reply_to}")
    return [*lines, headers.field("Subject", headers.text_tokens(subject))]


def _reply_to(mail: OutgoingMail, identity: Identity, sender: str) -> str | None:
    """The identity's own; else the mailbox, with the ticket's number where its server takes that (RFC 5233).

    The bare mailbox only where the mail is from another address: the answer must come back to it. The one to a personal answer must
    not: it has a Reply-To only where its author's own account has one.
    """
    personal = mail.mode is OutgoingMode.PERSONAL
    if identity.reply_to and identity.personal == personal:
        return headers.mailbox(identity.reply_to)
    if personal:
        return None
    back = headers.mailbox(identity.mailbox_address)
    if back is None:
        return None
    local, at, domain = back.rpartition("@")
    numbered = headers.mailbox(f"{local}+{mail.ticket_id}{at}{domain}") if identity.plus_addressing else None
    return numbered or (back if back.casefold() != sender.casefold() else None)


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
    return lines


def _marks(mail: OutgoingMail) -> list[str]:
    """What tells other machines, and us, what this is. A personal answer is a mail like any other."""
    if mail.mode is OutgoingMode.PERSONAL:
        return []
    lines = [headers.field(OWN_HEADER, [re.sub(r"[^A-Za-z0-9._-]", "", mail.outgoing_id)[:100] or "none"])]
    if kind := AUTOMATIC.get(mail.mode):
        lines += [f"Auto-Submitted: {kind}", "X-Auto-Response-Suppress: All", "Precedence: auto_reply"]
    return lines


def _content(mail: OutgoingMail, rendered: Rendered, files: Sequence[bytes]) -> Entity:
    """mixed(alternative(plain, related(html, images)), files), without the levels that are not needed (RFC 2046, 5.1; RFC 2387)."""
    automatic = mail.mode in AUTOMATIC
    parts = [] if automatic else list(zip(mail.parts, files, strict=True))
    quoted = None if automatic else mail.quoted
    ids = [known for part, _ in parts if (known := structure.content_id(part))] if quoted and quoted.html else []
    html = _page(rendered.html, quoted_markup(quoted, ids) if quoted else "")
    images = [(part, data) for part, data in parts if part.content_id in ids and f'"cid:{part.content_id}"' in html]
    others = [one for one in parts if one not in images]
    shown = [structure.text_entity("html", html), *(structure.file_entity(part, data, inline=True) for part, data in images)]
    text = structure.text_entity("plain", "\n\n".join([rendered.text, *([quoted_text(quoted)] if quoted else [])]) + "\n")
    body = structure.multipart("alternative", [text, structure.multipart("related", shown, mail.outgoing_id)], mail.outgoing_id)
    kept = [structure.file_entity(part, data, inline=False) for part, data in others]
    return structure.multipart("mixed", [body, *kept], mail.outgoing_id)


def _page(answer: str, quoted: str) -> str:
    """HTML that every mail program shows; nothing loaded from elsewhere but what a template has."""
    body = "\n<br>\n".join([answer, *([quoted] if quoted else [])])
    return f'<!DOCTYPE html>\n<html>\n<head><meta charset="utf-8"></head>\n<body>\n{body}\n</body>\n</html>\n'
