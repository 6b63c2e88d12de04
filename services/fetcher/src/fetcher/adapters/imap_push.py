"""What a server announces by itself: IDLE (RFC 2177) for the selected folder, NOTIFY (RFC 5465) for others besides.

News is a mail that was not there. An expunge alone is none, nor is a flag: with find = unread, a mail that is set to unread again
is met by the next scan at its time.
"""

from __future__ import annotations

import imaplib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fetcher.adapters.imap import Connection, Opened
from fetcher.adapters.imap_syntax import quoted_name, responses
from fetcher.domain.folder_names import decoded

_COUNT = re.compile(rb"\* (\d+) (EXISTS|EXPUNGE)", re.IGNORECASE)
_STATUS = re.compile(rb"\* STATUS (.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Offer:
    """What the server can announce."""

    idle: bool
    notify: bool

    def covers(self, folders: Collection[str], unheard: Collection[str]) -> bool:
        """Whether news of all these folders reaches us by itself. `unheard`: those the server was asked for in vain."""
        return self.idle and (len(folders) == 1 or (self.notify and not set(folders) & set(unheard)))


def offer(connection: Connection) -> Offer:
    """As it says itself, to whoever is signed in."""
    client = connection.client
    return Offer(bool(client.has_capability("IDLE")), bool(client.has_capability("NOTIFY")))


@dataclass
class News:
    """How the folders looked when they were read: number of mails of the watched one, UIDNEXT of the others."""

    exists: int
    others: dict[str, int] = field(default_factory=dict)
    unheard: set[str] = field(default_factory=set)
    """Of the others, those the server said nothing of yet."""

    def told(self, lines: Iterable[bytes]) -> bool:
        """Whether one of these untagged lines announces a mail. All are counted."""
        return sum(self._is_news(line) for line in lines) > 0

    def _is_news(self, line: bytes) -> bool:
        if count := _COUNT.match(line):
            return self._counted(int(count[1]), count[2].upper())
        status = _STATUS.match(line)
        return status is not None and self._other(status[1])

    def _counted(self, number: int, what: bytes) -> bool:
        before = self.exists
        self.exists = number if what == b"EXISTS" else before - 1
        return self.exists > before

    def _other(self, status: bytes) -> bool:
        """What cannot be read, a name sent as a literal for one, may be news."""
        try:
            [[name, items]] = responses([status])
            values = dict(zip(items[::2], items[1::2], strict=True))
            folder, uid_next = decoded(name), int(values.get(b"UIDNEXT", 0))
        except (ValueError, TypeError, imaplib.IMAP4.error):
            return True
        self.unheard.discard(folder)
        before = self.others.get(folder)
        if before is None or uid_next <= before:
            return False
        self.others[folder] = uid_next
        return True


@dataclass
class Beginning:
    """The folder to be watched is selected. `changed`: something came since it was read, which nobody announces again."""

    news: News
    changed: bool


def begin(connection: Connection, folder: str, others: Sequence[str], looks: Mapping[str, Opened]) -> Beginning:
    """Select `folder` and have `others` announced too, where there are any. `looks`: the folders as they were read.

    A mail that came between the search and this has been announced in the answer to some command in between, and never is again. So
    what SELECT and NOTIFY's first STATUS say is compared with what was read.
    """
    opened = connection.select(folder, writable=False)
    news = News(opened.exists, {name: looks[name].uid_next for name in others if name in looks})
    changed = folder in looks and _grown(looks[folder], opened)
    if news.others:
        news.unheard.update(news.others)
        changed = news.told(_notify(connection, news.others)) or changed
    return Beginning(news, changed)


def _grown(before: Opened, now: Opened) -> bool:
    return before.uid_validity != now.uid_validity or now.uid_next > before.uid_next or now.exists > before.exists


def _notify(connection: Connection, folders: Iterable[str]) -> list[bytes]:
    """Untagged lines of the answer: with STATUS, one for each folder that is watched from now on.

    A server that refuses, as it may for many folders, leaves them to the next scan; Dovecot 2.3 passes over names beyond ASCII.
    Expunges are announced with delay: at once, they would shift the numbers of a command under way (RFC 5465, 5.2).
    """
    imap = connection.client.wire
    imap.untagged_responses.pop("STATUS", None)
    names = b" ".join(quoted_name(one) for one in folders)
    events = b"(MessageNew MessageExpunge)"
    try:
        wanted = b"SET STATUS (SELECTED-DELAYED %b) (MAILBOXES (%b) %b)" % (events, names, events)
        imap.xatom("NOTIFY", wanted)  # type: ignore[arg-type]  # imaplib takes bytes, and a folder's name may be no ASCII
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error:
        return []
    told = imap.untagged_responses.pop("STATUS", [])
    counts = imap.untagged_responses.get("EXISTS", [])[1:]  # the first is SELECT's
    lines = [b"* STATUS %b" % one if isinstance(one, bytes) else b"* STATUS ?" for one in told]
    return lines + [b"* %b EXISTS" % one for one in counts if isinstance(one, bytes)]


def ask(connection: Connection) -> list[bytes]:
    """NOOP, for servers without IDLE: the untagged lines about the selected folder."""
    imap = connection.client.wire
    imap.untagged_responses.clear()
    imap.noop()
    counts = [(name, one) for name in ("EXPUNGE", "EXISTS") for one in imap.untagged_responses.get(name, [])]
    imap.untagged_responses.clear()
    return [b"* %b %b" % (one, name.encode()) for name, one in counts if isinstance(one, bytes)]
