"""Mails written straight into Dovecot's maildir: tens of thousands in a moment, where APPEND takes minutes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from tests.kit.dovecot import Dovecot


class Maildir:
    """The INBOX of one user of a Dovecot that has not opened it yet."""

    def __init__(self, server: Dovecot, user: str) -> None:
        mails = server.folder / "mail"
        self._home = mails / user
        self._cur = self._home / "Maildir" / "cur"
        owner = mails.stat()
        for folder in (self._home, self._cur.parent, self._cur, self._cur.parent / "new", self._cur.parent / "tmp"):
            folder.mkdir(mode=0o700)
            os.chown(folder, owner.st_uid, owner.st_gid)
        self._owner = owner
        self._next = 1

    def add(self, mails: Iterable[bytes]) -> list[Path]:
        """Store mails with CRLF line ends, unread, in this order; returns their files, for `link`."""
        return [self._write(raw) for raw in mails]

    def link(self, files: Iterable[Path]) -> None:
        """Mails of another user, without taking memory twice."""
        for file in files:
            (self._cur / file.name).hardlink_to(file)

    def _write(self, raw: bytes) -> Path:
        stored = raw.replace(b"\r\n", b"\n")
        # Dovecot takes both sizes from the name: on disk, and as IMAP counts it.
        path = self._cur / f"{1_790_000_000 + self._next}.M{self._next}P1.bench,S={len(stored)},W={len(raw)}:2,"
        path.write_bytes(stored)
        os.chown(path, self._owner.st_uid, self._owner.st_gid)
        os.utime(path, (1_790_000_000 + self._next,) * 2)
        self._next += 1
        return path
