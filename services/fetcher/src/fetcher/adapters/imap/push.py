"""What a server announces by itself: IDLE (RFC 2177) for the selected folder, NOTIFY (RFC 5465) for others besides.

News is a mail that was not there. An expunge alone is none, nor is a flag: with find = unread, a mail that is set to unread again
is met by the next scan at its time.
"""

from __future__ import annotations

import imaplib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fetcher.adapters.imap.connection import Connection, Opened
from fetcher.adapters.imap.syntax import quoted_name, responses
from fetcher.adapters.imap.wire import BoundedImap
from fetcher.domain.folder_names import decoded

_COUNT = re.compile(rb"\* (\d+) (EXISTS|EXPUNGE)", re.IGNORECASE)
_STATUS = re.compile(rb"\* STATUS (.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Offer:
    """What the server can announce. `unheard`: folders it was asked for by NOTIFY and says nothing of."""

    idle: bool
    notify: bool
    unheard: frozenset[str] = frozenset()

    def covers(self, folders: Collection[str]) -> bool:
        """Whether news of all these folders reaches us by itself."""
        return self.idle and (len(folders) == 1 or (self.notify and not self.unheard & set(folders)))


def offer(connection: Connection) -> Offer:
    """As it says itself, to whoever is signed in."""
    client = connection.client
    return Offer(bool(client.has_capability("IDLE")), bool(client.has_capability("NOTIFY")), client.wire.unheard)


@dataclass
class News:
    """How the folders looked when they were read: number of mails of the watched one, UIDNEXT of the others."""

    exists: int
    others: dict[str, int] = field(default_factory=dict)

    def told(self, lines: Iterable[bytes]) -> bool:
        """Whether one of these untagged lines announces a mail. All are counted."""
        return sum(self._is_news(line) for line in lines) > 0

    def _is_news(self, line: bytes) -> bool:
        if count := _COUNT.match(line):
            return self._counted(int(count[1]), count[2].upper())
        status = _STATUS.match(line)
        if status is None:
            return False
        said = _uid_nexts([status[1]])
        return self.grown(said) if said else True  # a name sent as a literal: it may be news

    def _counted(self, number: int, what: bytes) -> bool:
        before = self.exists
        self.exists = number if what == b"EXISTS" else before - 1
        return self.exists > before

    def grown(self, uid_nexts: Mapping[str, int]) -> bool:
        """Whether another folder has a mail it had not."""
        new = {name: uid for name, uid in uid_nexts.items() if uid > self.others.get(name, uid)}
        self.others.update(new)
        return bool(new)


def begin(connection: Connection, folder: str, others: Sequence[str], looks: Mapping[str, Opened]) -> tuple[News, bool]:
    """Select `folder` and have `others` announced too, where there are any; whether something came since they were read.

    A mail that came between the search and this has been announced in the answer to some command in between, and never is again. So
    what SELECT and STATUS say is compared with `looks`, the folders as they were read.
    """
    opened = connection.select(folder, writable=False)
    news = News(opened.exists, {name: looks[name].uid_next for name in others if name in looks})
    came = folder in looks and _grown(looks[folder], opened)
    if news.others:
        came = news.grown(_announce(connection, news.others)) or came
        counts = connection.client.wire.untagged_responses.get("EXISTS", [])[1:]  # the first is SELECT's
        came = news.told([b"* %b EXISTS" % one for one in counts if isinstance(one, bytes)]) or came
    return news, came


def _grown(before: Opened, now: Opened) -> bool:
    return before.uid_validity != now.uid_validity or now.uid_next > before.uid_next or now.exists > before.exists


def _announce(connection: Connection, folders: Collection[str]) -> dict[str, int]:
    """Have the folders announced from now on; their UIDNEXT.

    A server that refuses, as it may for many folders, leaves them to the next scan. Dovecot 2.3 passes over names beyond ASCII, and has
    been seen to lose announcements when it is asked a second time: once is enough for a connection.
    """
    imap = connection.client.wire
    if imap.announced == frozenset(folders):
        return look(connection, folders)
    imap.announced = frozenset(folders)
    found = _notify(imap, folders)
    imap.unheard = imap.announced - set(found)
    return found


def _notify(imap: BoundedImap, folders: Iterable[str]) -> dict[str, int]:
    """Expunges are announced with delay: at once, they would shift the numbers of a command under way (RFC 5465, 5.2)."""
    names = b" ".join(quoted_name(one) for one in folders)
    events = b"(MessageNew MessageExpunge)"
    imap.untagged_responses.pop("STATUS", None)
    try:
        wanted = b"SET STATUS (SELECTED-DELAYED %b) (MAILBOXES (%b) %b)" % (events, names, events)
        imap.xatom("NOTIFY", wanted)  # type: ignore[arg-type]  # imaplib takes bytes, and a folder's name may be no ASCII
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error:
        return {}
    return _uid_nexts(imap.untagged_responses.pop("STATUS", []))


def look(connection: Connection, folders: Iterable[str]) -> dict[str, int]:
    """UIDNEXT of folders that are not selected; those that cannot be asked are left out."""
    found: dict[str, int] = {}
    for name in folders:
        answer = connection.client.wire.status(quoted_name(name), "(UIDNEXT)")  # type: ignore[arg-type]  # as above
        found |= _uid_nexts(answer[1] if answer[0] == "OK" else [])
    return found


def _uid_nexts(data: Iterable[Any]) -> dict[str, int]:
    """From STATUS responses, as far as they can be read."""
    found: dict[str, int] = {}
    try:
        for name, items in responses(data):
            found[decoded(name)] = int(dict(zip(items[::2], items[1::2], strict=True)).get(b"UIDNEXT", 0))
    except (ValueError, TypeError, imaplib.IMAP4.error):
        return found
    return found


def ask(connection: Connection) -> list[bytes]:
    """NOOP, for servers without IDLE: the untagged lines about the selected folder."""
    imap = connection.client.wire
    imap.untagged_responses.clear()
    imap.noop()
    counts = [(name, one) for name in ("EXPUNGE", "EXISTS") for one in imap.untagged_responses.get(name, [])]
    imap.untagged_responses.clear()
    return [b"* %b %b" % (one, name.encode()) for name, one in counts if isinstance(one, bytes)]
