"""The operators' web pages: server-rendered, working without scripts, made livelier by a few."""

from __future__ import annotations

from fastapi import APIRouter

from console.dependencies import Dependencies
from console.pages import (
    desk_settings,
    entry,
    erasures,
    files,
    folders,
    lost,
    mail_templates,
    mailbox_edit,
    mailboxes,
    mails,
    me,
    oauth,
    originals,
    outgoing,
    registry,
    registry_import,
    registry_merge,
    rule_edit,
    rule_examples,
    rule_files,
    rule_versions,
    rules,
    senders,
    simulations,
    spam,
    spam_tickets,
    status,
    ticket_acts,
    ticket_answers,
    ticket_list,
    ticket_new,
    ticket_views,
    tickets,
    tokens,
    webhooks,
)

__all__ = ["pages_router"]


def pages_router(_deps: Dependencies) -> APIRouter:
    """All pages, to be included last and with `check_csrf`. They find the parts by their request (`app.state.console`)."""
    router = APIRouter(include_in_schema=False)
    router.include_router(files.router)
    # `tickets` last of its sort: /tickets/spam is no ticket's number.
    # `mailbox_edit` before `mailboxes`: /mailboxes/new is no mailbox's id. `rule_edit` last of the rules' for the like reason.
    # `registry_import` before `registry`: /contacts/import is no contact's id.
    registry_parts = (registry_import, registry_merge, registry)
    rule_parts = (rules, rule_versions, rule_files, rule_examples, simulations, rule_edit)
    ticket_parts = (ticket_list, ticket_views, ticket_new, spam_tickets, ticket_acts, ticket_answers, originals, tickets)
    for part in (
        entry,
        *ticket_parts,
        desk_settings,
        mailbox_edit,
        *rule_parts,
        folders,
        oauth,
        mailboxes,
        mails,
        spam,
        *registry_parts,
        erasures,
        senders,
        mail_templates,
        outgoing,
        me,
        status,
        tokens,
        webhooks,
        lost,
    ):
        router.include_router(part.router)
    return router
