"""Moves that outcomes ask for, carried out by whoever holds the mailbox."""

from __future__ import annotations

from fetcher.adapters.leases import Lease
from fetcher.adapters.scanners import ScannerRow
from fetcher.mailbox import Mailbox
from fetcher.poll import Tools


async def carry_moves(tools: Tools, mailbox: Mailbox, lease: Lease, scanner: ScannerRow) -> None:
    """Move the mails that want to be moved, a bounded number of them; what cannot be moved is noted at its line."""
