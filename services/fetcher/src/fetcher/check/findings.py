"""What a check of the ledger finds, in plain words with what to do, gathered under a bound."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from shared.api import LedgerFinding, LedgerFolder, LedgerReport

MOST_FINDINGS = 1_000
MOST_FOLDERS = 10_000
REPAIR = "run the check again with repair (`mailconverter ledger --repair`)"


@dataclass
class Findings:
    """Grows while the check runs; `done` of `total` folders were compared."""

    done: int = 0
    total: int | None = None
    count: int = 0
    folder_count: int = 0
    folders: list[LedgerFolder] = field(default_factory=list)
    findings: list[LedgerFinding] = field(default_factory=list)

    @property
    def room(self) -> int:
        """Findings that may still be listed."""
        return MOST_FINDINGS - len(self.findings)

    def add(self, finding: LedgerFinding) -> None:
        """Counted always, listed while there is room."""
        self.count += 1
        if self.room > 0:
            self.findings.append(finding)

    def add_folder(self, folder: LedgerFolder) -> None:
        """A folder that was compared."""
        self.folder_count += 1
        if len(self.folders) < MOST_FOLDERS:
            self.folders.append(folder)

    def report(self) -> LedgerReport:
        """All of it."""
        return LedgerReport(folders=self.folders, folder_count=self.folder_count, findings=self.findings, finding_count=self.count)


def gap(scanner_id: str, folder: str, uid: int, mail_id: str, *, repaired: bool) -> LedgerFinding:
    """A mail that reading has passed."""
    todo = "the next scan of the mailbox reads it" if repaired else f"to have it read, {REPAIR}"
    detail = f"The mail is in the mailbox, but nothing is known of it: {todo}."
    return LedgerFinding(what="gap", scanner_id=scanner_id, folder=folder, uid=uid, mail_id=mail_id, detail=detail, repaired=repaired)


def unpublished(scanner_id: str, folder: str, uid: int, mail_id: str, since: datetime, *, repaired: bool) -> LedgerFinding:
    """A line that was begun, and not finished by any scan since."""
    todo = "its mailbox is scanned now" if repaired else "look whether its mailbox is switched on, and at its last error"
    detail = f"The mail was found {_moment(since)} and could not be read and published since: {todo}."
    return _overdue(scanner_id, folder, uid, mail_id, detail, repaired=repaired)


def unanswered(scanner_id: str, folder: str, uid: int, mail_id: str, since: datetime, *, repair: bool, repaired: bool) -> LedgerFinding:
    """A mail that was published, and no outcome came."""
    todo = f"see that all services run (`mailconverter status`), then {REPAIR}"
    if repair:
        todo = "it was published again under the same id" if repaired else "it could not be published again, its outcome says why"
    detail = f"The mail was published {_moment(since)} and no outcome came: {todo}."
    return _overdue(scanner_id, folder, uid, mail_id, detail, repaired=repaired)


def _overdue(scanner_id: str, folder: str, uid: int, mail_id: str, detail: str, *, repaired: bool) -> LedgerFinding:
    return LedgerFinding(what="overdue", scanner_id=scanner_id, folder=folder, uid=uid, mail_id=mail_id, detail=detail, repaired=repaired)


def double(scanner_id: str, folder: str, uid: int, mail_id: str, first: str) -> LedgerFinding:
    """The same bytes under two ids."""
    detail = f"The same mail as {first}, yet handled under an id of its own: see what became of both, and close one of two tickets by hand."
    return LedgerFinding(what="double", scanner_id=scanner_id, folder=folder, uid=uid, mail_id=mail_id, detail=detail)


def unreadable(scanner_id: str, folder: str, why: str) -> LedgerFinding:
    """Nothing is known of this folder, or with an empty name of the mailbox."""
    return LedgerFinding(what="unreadable", scanner_id=scanner_id, folder=folder, detail=why)


def _moment(since: datetime) -> str:
    return since.strftime("%Y-%m-%d at %H:%M UTC")
