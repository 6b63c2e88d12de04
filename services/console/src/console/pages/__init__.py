"""The operators' web pages: server-rendered, working without scripts, made livelier by a few."""

from __future__ import annotations

from fastapi import APIRouter

from console.dependencies import Dependencies
from console.pages import (
    contacts,
    entry,
    files,
    folders,
    lost,
    mailbox_edit,
    mailboxes,
    mails,
    oauth,
    rules,
    senders,
    spam,
    status,
    tickets,
    tokens,
)

__all__ = ["pages_router"]


def pages_router(_deps: Dependencies) -> APIRouter:
    """All pages, to be included last and with `check_csrf`. They find the parts by their request (`app.state.console`)."""
    router = APIRouter(include_in_schema=False)
    router.include_router(files.router)
    # `mailbox_edit` before `mailboxes`: /mailboxes/new is no mailbox's id.
    for part in (entry, tickets, mailbox_edit, rules, folders, oauth, mailboxes, mails, spam, contacts, senders, status, tokens, lost):
        router.include_router(part.router)
    return router
