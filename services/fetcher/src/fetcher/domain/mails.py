"""What the fetcher knows of a mail while it reads it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import IO

from shared.events import derived_id


@dataclass(frozen=True, slots=True)
class Box:
    """One folder in one life: a changed UIDVALIDITY or another server makes it another one."""

    scanner_id: str
    generation: int
    folder: str
    uid_validity: int

    def mail_id(self, uid: int) -> str:
        """The mail's id, a function of its first place and of nothing else."""
        return derived_id(self.scanner_id, self.generation, self.folder, self.uid_validity, uid)


class Treatment(Enum):
    """What a listed UID gets, known before its bytes are."""

    TAKE = "take"
    ALREADY_READ = "was already read when it was first met"
    BEFORE_START = "older than the scanner's start"
    TOO_LARGE = "too_large"

    @property
    def whole(self) -> bool:
        """Whether the whole mail is fetched, else its headers alone."""
        return self is Treatment.TAKE


@dataclass(frozen=True, slots=True)
class Listed:
    """A UID with what the server says of it. `size` is a hint: some servers count it wrong."""

    uid: int
    size: int
    received_at: datetime
    treatment: Treatment = Treatment.TAKE


@dataclass(frozen=True, slots=True)
class Spooled:
    """The bytes of a large mail, in a temporary file that vanishes with it."""

    file: IO[bytes]
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """A UID with its bytes: the mail, or its header block alone, by `listed.treatment`. Of a large mail `data` is the beginning."""

    listed: Listed
    data: bytes
    large: Spooled | None = None

    @property
    def size(self) -> int:
        """Of the mail, counted where it was fetched whole."""
        if self.large is not None:
            return self.large.size
        return len(self.data) if self.listed.treatment.whole else self.listed.size
