"""All UIDs of a folder, step by step: a large folder is neither one answer nor one list of Python's integers."""

from __future__ import annotations

from array import array

from fetcher.adapters.imap.connection import SEARCH_STEP, Connection


def add_uids(connection: Connection, uids: array[int], low: int, first: int, exists: int) -> None:
    """Append the UIDs above `low` of SEARCH_STEP mails from sequence number `first` on, of `exists` in the selected folder.

    Where others expunge meanwhile, sequence numbers slip: a mail at a step's border may be left out, none comes twice.
    """
    last = first + SEARCH_STEP - 1
    part = [] if exists <= SEARCH_STEP else [f"{first}:{last if last < exists else '*'}"]
    found = sorted(connection.client.search([*part, "UID", f"{low + 1}:*"]))
    # `n:*` names the last mail even when it is below n (RFC 3501, 6.4.8).
    known = max(low, uids[-1] if uids else 0)
    uids.extend(uid for uid in found if uid > known)
