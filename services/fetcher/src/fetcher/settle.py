"""Where reading begins in a folder: at its first scan, and when the server gave all its mails new UIDs."""

from __future__ import annotations

from datetime import datetime, timedelta

from fetcher.adapters.imap.connection import Opened
from fetcher.domain.cursor import FolderState, first_state, renumbered, start_moment
from fetcher.domain.mails import Listed
from fetcher.mailbox import Mailbox
from fetcher.poll import LISTED_AT_ONCE
from shared.clock import utc_now
from shared.observability import get_logger

log = get_logger("settle")


async def settle(mailbox: Mailbox, name: str, state: FolderState, opened: Opened, start_from: str) -> FolderState:
    """The folder's new state, where its UIDVALIDITY is not the one known. The folder is selected."""
    last = opened.uid_next - 1
    if state.uid_validity is not None:
        log.warning("UIDVALIDITY changed: the folder is read again", server=mailbox.account.server, folder=name)
        return renumbered(state, opened.uid_validity, last)
    moment = start_moment(start_from, state.added_at or utc_now())
    first = await _first_since(mailbox, moment) if start_from == "now" and moment else None
    return first_state(start_from, opened.uid_validity, last, first, moment)


async def _first_since(mailbox: Mailbox, moment: datetime) -> int | None:
    """The first UID that came at `moment` or later: mails that wait since the mailbox was added are not lost by a late first scan."""
    # The server's calendar may be a day behind ours.
    uids = await mailbox.call(lambda c: c.search_since(moment.date() - timedelta(days=1)))
    for first in range(0, len(uids), LISTED_AT_ONCE):
        chosen = uids[first : first + LISTED_AT_ONCE]
        listed: list[Listed] = await mailbox.call(lambda c, chosen=chosen: c.details(chosen))  # type: ignore[misc]  # as in poll
        for one in listed:
            if one.received_at >= moment:
                return one.uid
    return None
