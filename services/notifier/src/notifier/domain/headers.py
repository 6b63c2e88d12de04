"""Header fields that hold what they were given and nothing else (RFC 5322 and 2047).

Every text passes `one_line` and every address and id is matched as a whole, so that no input can end a line, and with it a field.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence

import idna

from shared.mail.model import Address
from shared.mail.words import no_bidi

WIDTH = 76
MAX_ADDRESS = 254
"""RFC 5321, 4.5.3.1.3: a path of 256 octets with its angle brackets."""
MAX_ID = 900
"""So that an id fits a line of 998 octets (RFC 5322, 2.1.1)."""
MAX_REFERENCES = 50
MAX_NAME = 200
QUOTED = 60
"""Characters of a quoted name: a longer one is encoded, which can be folded."""
WORD_OCTETS = 39
"""Octets per encoded word: 52 characters of base64, 12 around them and `Subject: ` before them stay in a line of 76 (RFC 2047, 2)."""

_UNSAFE = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ATOMS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_QUOTED_LOCAL = re.compile(r'"((?:[^"\\]|\\.)+)"')
_IN_QUOTES = re.compile(r"[\x20-\x3b=\x3f-\x7e]+")
"""Printable ASCII; a `>` ends a path for careless servers, whatever is around it, and what follows could be another recipient."""
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f.:]+\]|\[IPv6:[0-9A-Fa-f:.]+\])")
_ID = re.compile(r"<[\x21-\x3b\x3d\x3f-\x7e]+>")
_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/?^_`{|}~ -]+")


def one_line(text: str) -> str:
    """The text without line breaks and control characters, runs of blanks made one."""
    if text.isascii() and text.isprintable() and "  " not in text:  # as nearly always
        return text.strip()
    return _UNSAFE.sub(" ", _SURROGATE.sub("\ufffd", text)).strip()


def mailbox(address: str) -> str | None:
    """The address as it may stand in a header and in an SMTP command, its domain in ASCII (IDNA 2008); None where it is none."""
    local, at, domain = address.strip().rpartition("@")
    known, ascii_domain = _local_part(local), _ascii(domain)
    if not at or known is None or not _DOMAIN.fullmatch(ascii_domain):
        return None
    whole = f"{known}@{ascii_domain}"
    return whole if len(whole) <= MAX_ADDRESS else None


def objection(address: str) -> str:
    """What is wrong with an address that `mailbox` refuses, as the end of a sentence that begins with it.

    One beyond ASCII before its @ would go into the header as it is, and a server without SMTPUTF8 refuse the mail for everybody else too.
    """
    beyond = not address.rpartition("@")[0].isascii()
    return "has letters beyond ASCII before its @, which many servers do not take (SMTPUTF8)" if beyond else "is no mail address"


def _local_part(local: str) -> str | None:
    """As atoms where it can be, else in quotes (RFC 5321, 4.1.2).

    Never with `=?` in it: an encoded word may not stand in an address (RFC 2047, 5), and a program that decodes it all the same would
    show, and answer to, somebody else.
    """
    quoted = _QUOTED_LOCAL.fullmatch(local)
    plain = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else local
    if "=?" in plain:
        return None
    if _ATOMS.fullmatch(plain):
        return plain
    # Two blanks are refused: they are made one wherever a text is made one line, and it would be another mailbox.
    if quoted is None or not _IN_QUOTES.fullmatch(plain) or "  " in plain:
        return None
    escaped = re.sub(r'(["\\])', r"\\\1", plain)
    return f'"{escaped}"'


def _ascii(domain: str) -> str:
    """Blank where it has no form in ASCII. `faß.de` and `fass.de` are two domains since IDNA 2008, and belong to two people."""
    if domain.isascii():
        return domain
    try:
        return idna.encode(domain, uts46=True).decode() if len(domain) <= MAX_ADDRESS else ""
    except idna.IDNAError:
        return ""


def message_ids(ids: Iterable[str]) -> list[str]:
    """The ids that are ids, each once. Of very many the first and the newest stay, as news readers do (RFC 5537, 3.4.4)."""
    known = list(dict.fromkeys(one for one in (item.strip() for item in ids) if _ID.fullmatch(one) and len(one) <= MAX_ID))
    return known if len(known) <= MAX_REFERENCES else [known[0], *known[1 - MAX_REFERENCES :]]


def field(name: str, tokens: Sequence[str]) -> str:
    """One header field, folded before the tokens that would leave a line of 76; without line end. Tokens hold no line break."""
    lines = [f"{name}:"]
    for number, token in enumerate(tokens):
        if number and len(lines[-1]) + 1 + len(token) > WIDTH:
            lines.append("")
        lines[-1] += f" {token}"
    return "\r\n".join(lines)


def text_tokens(text: str) -> list[str]:
    """An unstructured value: plain words stay plain, the stretch that needs it becomes encoded words."""
    words = one_line(text).split(" ")
    odd = [number for number, word in enumerate(words) if not word.isascii() or "=?" in word or len(word) > WIDTH - 10]
    if not odd:
        return words
    first, last = odd[0], odd[-1]
    return [*words[:first], *encoded_words(" ".join(words[first : last + 1])), *words[last + 1 :]]


def address_tokens(addresses: Sequence[Address]) -> list[str]:
    """A list of mailboxes; those `mailbox` refuses are left out."""
    known = [(no_bidi(one_line(one.name))[:MAX_NAME].strip(), address) for one in addresses if (address := mailbox(one.address))]
    tokens = [[*_phrase(name), f"<{address}>"] if name else [address] for name, address in known]
    for before_comma in tokens[:-1]:
        before_comma[-1] += ","
    return [token for group in tokens for token in group]


def encoded_words(text: str) -> list[str]:
    """RFC 2047 words in UTF-8 and base64, no character split between two."""
    chunks, chunk = [], b""
    for character in text:
        octets = character.encode()
        if len(chunk) + len(octets) > WORD_OCTETS:
            chunks.append(chunk)
            chunk = b""
        chunk += octets
    return [f"=?utf-8?b?{base64.b64encode(octets).decode()}?=" for octets in [*chunks, chunk] if octets]


def _phrase(name: str) -> list[str]:
    if _PHRASE.fullmatch(name) and "=?" not in name and max(map(len, name.split(" "))) <= QUOTED:
        return name.split(" ")
    if name.isascii() and "=?" not in name and len(name) <= QUOTED:
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return [f'"{escaped}"']
    return encoded_words(name)
