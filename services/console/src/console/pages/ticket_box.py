"""The box an answer is written in: what stands in it, to whom it would go, and what can be put into it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from starlette.datastructures import FormData

from console.backend import quoted
from console.pages.answer_files import MAX_FILE_BYTES
from console.pages.answer_sender import mailbox_sender, own_account, personal_sender
from console.pages.desk import Item, mailbox_of
from console.pages.page import Page, text, texts_of
from console.pages.texts import address, display_name
from shared.http import ProblemError

MAX_CANNED = 200


@dataclass(frozen=True)
class Box:
    """What somebody writes: typed just now, or kept as their draft."""

    body: str = ""
    mode: str = "info"
    """`info`, `personal` or `note`, as a draft has it."""
    cc: list[str] | None = None
    """Who gets a copy; None for those ticked by themselves."""
    attachments: Sequence[str] = ()
    quote: bool = True

    @classmethod
    def of_form(cls, form: FormData) -> Self:
        """Of the answer's form."""
        return cls(
            body=text(form, "answer"),
            mode=text(form, "mode", "info"),
            cc=texts_of(form, "cc") if "copies" in form else None,
            attachments=texts_of(form, "attachment"),
            quote="quote" in form or "quotable" not in form,
        )

    @classmethod
    def of_draft(cls, draft: Item) -> Self:
        """Of what the service has kept."""
        return cls(draft["body"], draft["mode"], draft["cc"], draft["attachments"], draft["quote"])

    def draft(self) -> Item:
        """As the service keeps it."""
        return {"body": self.body, "mode": self.mode, "cc": self.cc, "attachments": list(self.attachments), "quote": self.quote}

    def with_text(self, more: str) -> Self:
        """The box with a text added below what is there."""
        return replace(self, body=f"{self.body}\n\n{more}" if self.body else more)

    def with_files(self, ids: Sequence[str]) -> Self:
        """The box with more files."""
        return replace(self, attachments=[*self.attachments, *ids])


async def box_values(page: Page, values: Item, typed: Box | None) -> Item:
    """What the template of the box needs beside the ticket's own values; of a ticket that takes no answer, nothing."""
    ticket = values["ticket"]
    if ticket["deleted"] or ticket["merged_into"]:
        return {"answering": None, "box": Box()}
    number = ticket["id"]
    answering, draft, canned, account = await asyncio.gather(
        page.get("tickets", f"/tickets/{number}/answering"), draft_of(page, number), _canned(page, ticket["scanner_id"]), own_account(page)
    )
    offered = _offered(values, answering)
    written = typed or (Box.of_draft(draft) if draft else Box())
    to_note = written.mode == "note" or offered == "note"
    # A note leaves the answer that is begun where it is.
    begun = Box.of_draft(draft) if draft and draft["mode"] != "note" else Box()
    box = begun if to_note else written
    own = files_of(values)
    known = {one["id"] for one in own}
    uploads = [file for file in (draft["files"] if draft else []) if file["id"] not in known]
    return {
        "answering": answering,
        "offered": offered,
        "box": box,
        "to_note": to_note,
        "note": written.body if written.mode == "note" else "",
        "draft": draft,
        "canned": canned,
        "ticket_files": own,
        "uploads": uploads,
        "lost_files": len(set(box.attachments) - known - {file["id"] for file in uploads}),
        "max_file": min(MAX_FILE_BYTES, answering["files_limit"]),
        "sender": await mailbox_sender(page, ticket, answering, values["mailbox"]),
        "personal": personal_sender(page, answering, account),
        "account": account,
    }


def _offered(values: Item, answering: Item) -> str:
    """What can be written beside a note: an `answer`; where no mail came in a `comment`, which mails nobody; else only the `note`."""
    if answering["to"] and not answering["refusal"]:
        return "answer"
    mailed = values["ticket"]["source"] == "mail" or values["mail_came"]
    return "note" if mailed else "comment"


async def draft_of(page: Page, number: int) -> Item | None:
    """What the caller is writing there; None where that is nothing."""
    try:
        found: Item = await page.get("tickets", f"/tickets/{number}/draft")
    except ProblemError as error:
        if error.status != 404:
            raise
        return None
    return found


async def keep_draft(page: Page, number: int, box: Box, version: str) -> None:
    """`version` is the form's, blank for none yet. Raises the service's problem, 412 where another window kept one since."""
    await page.send("PUT", "tickets", f"/tickets/{number}/draft", box.draft(), headers={"If-Match": f'"{version or 0}"'})


def files_of(values: Item) -> list[Item]:
    """The ticket's files that an answer can take along, the newest first, each once."""
    listed = [file for message in [*values["older"], *values["newest"]] for file in message["attachments"]]
    return list({file["id"]: file for file in reversed(listed) if not file["blocked"]}.values())


async def _canned(page: Page, scanner_id: str | None) -> list[Item]:
    """Texts to choose from: for all mailboxes and for this one. None while the notifier is away, for answers can be written without."""
    try:
        found = await page.get("notifier", "/templates", kind="canned", limit=MAX_CANNED)
    except ProblemError:
        return []
    return [item for item in found["items"] if item["scanner_id"] in {None, scanner_id}]


async def canned_text(page: Page, number: int, template_id: str) -> str:
    """A canned answer filled in for this ticket. Raises the service's problem."""
    ticket, answering = await asyncio.gather(page.get("tickets", f"/tickets/{number}"), page.get("tickets", f"/tickets/{number}/answering"))
    sender = await mailbox_sender(page, ticket, answering, await mailbox_of(page, ticket["scanner_id"]))
    customer = (answering["to"] or [ticket["sender"] or ""])[0]
    # What the same variables stand for in mails; what is not known is blank there, so that `default` has its say.
    values = {
        "ticket_id": number,
        "ticket_title": ticket["title"],
        "customer_name": display_name(customer),
        "customer_address": address(customer),
        "operator_name": page.who.name,
        "operator_address": page.who.mail_address,
        "mailbox_name": sender.name,
        "mailbox_address": sender.address,
    }
    made = await page.send("POST", "notifier", f"/templates/{quoted(template_id)}/preview", {"values": values})
    return str(made["text"])
