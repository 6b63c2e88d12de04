"""What look-ups compare: numbers in a ticket key, folded titles, message ids and addresses, all bounded in length."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Final

from shared.events import ActionType, Candidate, CommandKind, CommandMail, Lookup, TicketCommand
from shared.mail.model import Address
from shared.mail.references import fold_subject

MAX_KEY_BYTES: Final = 400
MAX_BIGINT: Final = 2**63 - 1
MAX_NUMBERS: Final = 50
MAX_LOCKED_IDS: Final = 20
MAX_REFERRED: Final = 50
"""Of a mail's References so many are remembered: the first, which names the thread, and the last."""
PLUS_TAGGED: Final = frozenset(
    [
        *("icloud.com", "mac.com", "me.com"),
        *("fastmail.com", "fastmail.fm", "messagingengine.com"),
        "gmail.com",
        *("hotmail.com", "hotmail.co.uk", "hotmail.de", "hotmail.es", "hotmail.fr", "hotmail.it", "msn.com"),
        *("live.com", "live.co.uk", "live.de", "live.fr", "live.it", "live.nl"),
        *("outlook.com", "outlook.de", "outlook.es", "outlook.fr", "outlook.it"),
        *("pm.me", "proton.me", "protonmail.ch", "protonmail.com"),
        *("ya.ru", "yandex.com", "yandex.ru"),
        *("zoho.com", "zoho.eu", "zohomail.com"),
    ]
)
"""Domains whose providers deliver `anna+anything@` to `anna@` (RFC 5233 calls it the detail), as the table of `email-normalize` names them
(https://github.com/gmr/email-normalize): Apple, Fastmail, Google, Microsoft, Proton, Yandex, Zoho. A domain of one's own may treat a plus
as any other letter, so there it is kept."""
MACHINES: Final = frozenset({CommandKind.BOUNCE, CommandKind.RECEIPT, CommandKind.AUTO_REPLY})
"""Mails that come back about one of ours: no rule is asked."""
MAX_ADDRESS: Final = 320
_MAIL_ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+")
SAME_DOMAIN: Final = {"googlemail.com": "gmail.com"}
_NUMBER: Final = re.compile(r"\d{1,40}")


def index_key(text: str) -> str:
    """The text where it is short; else its beginning and its SHA-256: equal exactly when the texts are, and fit for a B-tree."""
    data = text.encode("utf-8", "replace")
    if len(data) <= MAX_KEY_BYTES:
        return text
    return f"{text[:40]}…{hashlib.sha256(data).hexdigest()}"


def address_key(address: str) -> str:
    """An address for comparing (see `shared.mail.model.Address.folded`); empty for what is no address."""
    folded = address.strip().casefold()
    return index_key(folded) if "@" in folded else ""


def is_mail_address(address: str) -> bool:
    """Whether the API would take it as the address of a record or a watcher."""
    return len(address) <= MAX_ADDRESS and _MAIL_ADDRESS.fullmatch(address) is not None


def record_key(address: str) -> str:
    """An address for finding its contact, account or lead: `address_key` without the plus tag, where the domain is known to have tags.

    Dots are kept: only one provider leaves them out, and a domain of its customers does not tell.
    """
    local, at, domain = address.strip().casefold().rpartition("@")
    domain = SAME_DOMAIN.get(domain, domain)
    if domain in PLUS_TAGGED and not local.startswith('"'):
        local = local.partition("+")[0] or local
    return address_key(f"{local}{at}{domain}")


def record_keys(address: str) -> list[str]:
    """What a record's address may be stored under: `record_key`, or `address_key` where it was stored before there were tags."""
    return [key for key in dict.fromkeys([record_key(address), address_key(address)]) if key]


def counted_key(address: str) -> str:
    """An address for counting what a machine sends there: without a plus tag whatever the domain, so that many are not many people's."""
    local, at, domain = address.strip().casefold().rpartition("@")
    bare = local if local.startswith('"') else local.partition("+")[0] or local
    return address_key(f"{bare}{at}{SAME_DOMAIN.get(domain, domain)}")


def title_key(title: str) -> str:
    """A title for comparing: without Re:, Fwd: and blanks."""
    return index_key(fold_subject(title))


def code_key(code: str) -> str:
    """An external code for comparing."""
    return index_key(code.strip().casefold())


def id_key(message_id: str) -> str:
    """A Message-ID for comparing. Its case is kept: both sides of the @ are case-sensitive (RFC 5322, 3.6.4)."""
    return index_key(message_id.strip())


def numbers_in(key: str) -> list[int]:
    """The ticket numbers a key may mean, the newest (greatest) first; what no ticket can have as number is left out."""
    found = {int(digits) for digits in _NUMBER.findall(key)[:MAX_NUMBERS]}
    return sorted((number for number in found if 0 < number <= MAX_BIGINT), reverse=True)


def referred_ids(mail: CommandMail) -> list[str]:
    """Keys of the ids a mail refers to, In-Reply-To first, each once, bounded."""
    ids = list(
        dict.fromkeys(id_key(text) for text in [*mail.in_reply_to, *mail.references[:1], *reversed(mail.references)] if text.strip())
    )
    return ids[:MAX_REFERRED]


def reported_ids(command: TicketCommand) -> list[str]:
    """Keys of the ids a machine's mail may be about, the likeliest first: what its report names, what it answers, the nearest reference."""
    if command.kind not in MACHINES or command.mail is None:
        return []
    named = [command.report.message_id] if command.report and command.report.message_id else []
    ids = [*named, *command.mail.in_reply_to, *reversed(command.mail.references)]
    return list(dict.fromkeys(id_key(text) for text in ids if text.strip()))[:MAX_REFERRED]


def conversation_ids(mail: CommandMail) -> list[str]:
    """Keys of the ids that are locked for a mail: the thread's first, its own, and the nearest it refers to; at most 20."""
    own = [id_key(mail.message_id)] if mail.message_id else []
    root = [id_key(mail.references[0])] if mail.references else []
    return list(dict.fromkeys([*root, *own, *referred_ids(mail)]))[:MAX_LOCKED_IDS]


def linked_addresses(kind: ActionType, mail: CommandMail) -> list[Address]:
    """Whose record an action may file the mail with: the sender's, or a recipient's; none for the other actions."""
    if kind is ActionType.LINK_SENDER:
        return [mail.from_] if mail.from_ else []
    return [*mail.to, *mail.cc] if kind is ActionType.LINK_RECIPIENT else []


def lookup_keys(candidate: Candidate) -> list[str]:
    """Folded keys of an update by rule's key: the ticket numbers, the title or the external code; none for a conversation."""
    lookup = candidate.action.lookup
    if lookup is Lookup.TICKET_ID:
        return [str(number) for number in numbers_in(candidate.key)]
    if lookup is Lookup.TITLE:
        return [key] if (key := title_key(candidate.key)) else []
    if lookup is Lookup.EXTERNAL_CODE:
        return [key] if (key := code_key(candidate.key)) else []
    return []


def lock_names(command: TicketCommand) -> Iterable[str]:
    """Advisory locks a command needs, so that racing mails of one conversation or one key are carried out one after the other."""
    yield f"mail:{command.mail_id}"
    if command.mail is None:
        return
    for message_id in conversation_ids(command.mail):
        yield f"id:{message_id}"
    for candidate in command.candidates:
        for key in lookup_keys(candidate):
            yield f"{command.scanner_id}:{candidate.action.lookup}:{key}"
        for key in _lead_keys(candidate, command.mail):
            yield f"record:{key}"


def _lead_keys(candidate: Candidate, mail: CommandMail) -> list[str]:
    """Of the addresses a lead may be made for."""
    if not candidate.action.create_lead:
        return []
    return [key for address in linked_addresses(candidate.action.type, mail) if (key := record_key(address.address))]
