"""A server's folders: LIST (RFC 3501, 6.3.8) with what its extensions add, and STATUS. Nothing is selected."""

from __future__ import annotations

import contextlib
import imaplib
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from fetcher.adapters.imap.syntax import answer_text, quoted, responses
from fetcher.adapters.imap.wire import Client
from fetcher.domain.folder_names import INBOX, canonical, decoded

Kind = Literal["personal", "other", "shared"]
KINDS: tuple[Kind, ...] = ("personal", "other", "shared")
SPECIAL_USES = ("\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash", "\\Important")
_XLIST_USES = {"\\allmail": "\\All", "\\starred": "\\Flagged", "\\spam": "\\Junk"}
_COUNTS = "(MESSAGES UNSEEN UIDVALIDITY)"
MOST_COUNTED = 200
COUNT_SECONDS = 10.0
MOST_NAMESPACES = 20


@dataclass(frozen=True)
class Listing:
    """A folder of the server's list. Numbers are None where the server does not say, or takes too long to."""

    name: str
    delimiter: str | None
    special_use: str | None
    selectable: bool
    namespace: Kind = "personal"
    messages: int | None = None
    unread: int | None = None
    uid_validity: int | None = None


@dataclass(frozen=True)
class _Found:
    flags: Sequence[Any]
    delimiter: bytes | None


@dataclass(frozen=True)
class _Namespace:
    kind: Kind
    prefix: bytes
    delimiter: bytes


def list_folders(client: Client, *, counted: bool, clock: Callable[[], float] = time.monotonic) -> list[Listing]:
    """All folders in the order of their tree: INBOX first, each behind its parents, which are added where the server leaves them out."""
    try:
        return _in_tree(_Lister(client, clock, counted=counted).listings())
    except (TypeError, AttributeError, ValueError, IndexError) as error:  # strings where lists belong, or the other way round
        raise imaplib.IMAP4.error(f"the list of folders cannot be read: {error}") from error


def renamed(listings: Iterable[Listing], uid_validity: int, selected: Collection[str]) -> str | None:
    """What a missing folder seems to have become: the only folder that has its UIDVALIDITY and is not selected."""
    same = [one.name for one in listings if one.uid_validity == uid_validity and one.name not in selected]
    return same[0] if len(same) == 1 else None


class _Lister:
    """One listing. imapclient's own fails as a whole when one name does not decode, and changes names such as 007."""

    def __init__(self, client: Client, clock: Callable[[], float], *, counted: bool) -> None:
        self._client = client
        self._counted = counted
        self._imap = client.wire
        self._clock = clock
        self._counts: dict[bytes, dict[bytes, int]] = {}

    def listings(self) -> list[Listing]:
        namespaces = self._namespaces()
        found = self._list(b"*")
        for one in namespaces[:MOST_NAMESPACES]:
            if one.prefix and one.kind != "personal" and not any(name.startswith(one.prefix) for name in found):
                found |= self._list_more(one.prefix + b"*")
        listed = {name: _listing(name, one, namespaces) for name, one in found.items()}
        if self._counted:
            self._count([name for name, one in listed.items() if one.selectable and name not in self._counts])
        return [_counted(one, self._counts.get(name, {})) for name, one in listed.items()]

    def _list(self, pattern: bytes) -> dict[bytes, _Found]:
        """By the server's names. SPECIAL-USE (RFC 6154), LIST-STATUS (RFC 5819), or what they grew from."""
        options = ["SPECIAL-USE"] if self._has("SPECIAL-USE") else []
        options += [f"STATUS {_COUNTS}"] if self._counted and self._has("LIST-STATUS") else []
        if options and self._has("LIST-EXTENDED"):
            with contextlib.suppress(imaplib.IMAP4.error):  # some offer what they then refuse
                return self._listed("LIST", pattern, f"RETURN ({' '.join(options)})")
        if self._has("XLIST") and not self._has("SPECIAL-USE"):
            return self._listed("XLIST", pattern)
        return self._listed("LIST", pattern)

    def _list_more(self, pattern: bytes) -> dict[bytes, _Found]:
        try:
            return self._list(pattern)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:  # other users' folders may be forbidden as a whole
            return {}

    def _listed(self, command: str, pattern: bytes, *options: str) -> dict[bytes, _Found]:
        self._imap.response("STATUS")
        lines = [line for line in self._ask(command, '""', quoted(pattern), *options) if len(line) > 2 and isinstance(line[0], list)]
        for line in responses(self._imap.response("STATUS")[1]):
            self._keep_counts(line)
        named = [(b"NIL" if line[2] is None else line[2], _Found(line[0], line[1])) for line in lines]
        return {name: one for name, one in named if name}

    def _namespaces(self) -> list[_Namespace]:
        """RFC 2342: prefixes of one's own, other users' and shared folders; the longest first."""
        if not self._has("NAMESPACE"):
            return []
        found: list[_Namespace] = []
        for line in self._ask("NAMESPACE"):
            for kind, spaces in zip(KINDS, line, strict=False):
                found += [_Namespace(kind, one[0] or b"", one[1] or b"") for one in spaces or [] if len(one) > 1]
        return sorted(found, key=lambda one: -len(one.prefix))

    def _count(self, names: Sequence[bytes]) -> None:
        """STATUS of each, as many as there is time for. A folder that may not be looked into has no counts."""
        until = self._clock() + COUNT_SECONDS
        for name in names[:MOST_COUNTED]:
            if self._clock() > until:
                return
            try:
                for line in self._ask("STATUS", quoted(name), _COUNTS):
                    self._keep_counts([name, *line[1:]])
            except imaplib.IMAP4.abort:
                raise
            except imaplib.IMAP4.error:
                continue

    def _keep_counts(self, line: Sequence[Any]) -> None:
        if len(line) > 1 and isinstance(line[-1], list):
            items = line[-1]
            pairs = zip(items[::2], items[1::2], strict=False)
            self._counts[line[0]] = {name.upper(): int(value) for name, value in pairs if name and value and value.isdigit()}

    def _ask(self, command: str, *arguments: str | bytes) -> list[list[Any]]:
        self._imap.response(command)
        status, answer = self._imap.xatom(command, *arguments)  # type: ignore[arg-type]  # bytes are sent as they are
        if status != "OK":
            raise imaplib.IMAP4.error(f"{command} failed: {answer_text(answer)}")
        return list(responses(self._imap.response(command)[1]))

    def _has(self, capability: str) -> bool:
        return bool(self._client.has_capability(capability))


def _listing(name: bytes, found: _Found, namespaces: Iterable[_Namespace]) -> Listing:
    marks = {flag.decode("ascii", "replace").casefold() for flag in found.flags if isinstance(flag, bytes)}
    marks |= {_XLIST_USES[mark].casefold() for mark in marks & _XLIST_USES.keys()}
    special = next((use for use in SPECIAL_USES if use.casefold() in marks), None)
    selectable = not marks & {"\\noselect", "\\nonexistent"}
    delimiter = found.delimiter.decode("ascii", "replace") if found.delimiter else None
    return Listing(decoded(name), delimiter, special, selectable, _kind(name, namespaces))


def _kind(name: bytes, namespaces: Iterable[_Namespace]) -> Kind:
    inside = (one.kind for one in namespaces if name.startswith(one.prefix) or name + one.delimiter == one.prefix)
    return next(inside, "personal")


def _counted(listing: Listing, counts: dict[bytes, int]) -> Listing:
    validity = counts.get(b"UIDVALIDITY") or None
    return replace(listing, messages=counts.get(b"MESSAGES"), unread=counts.get(b"UNSEEN"), uid_validity=validity)


def _in_tree(listings: Iterable[Listing]) -> list[Listing]:
    found = {one.name: one for one in listings}
    found.setdefault(INBOX, Listing(INBOX, None, None, selectable=True))  # it is always there, also where a server does not list it
    for one in list(found.values()):
        for parent in _parents(one):
            found.setdefault(parent, Listing(parent, one.delimiter, None, selectable=False, namespace=one.namespace))
    return sorted(found.values(), key=_place)


def _parents(one: Listing) -> list[str]:
    parts = one.name.split(one.delimiter) if one.delimiter else []
    ends = range(1, len(parts))
    return [canonical((one.delimiter or "").join(parts[:end])) for end in ends if parts[end - 1]]


def _place(one: Listing) -> tuple[int, bool, list[str], str]:
    path = one.name.split(one.delimiter) if one.delimiter else [one.name]
    return KINDS.index(one.namespace), canonical(path[0]) != INBOX, [part.casefold() for part in path], one.name
