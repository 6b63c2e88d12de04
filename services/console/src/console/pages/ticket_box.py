"""The box an answer is written in: what stands in it, to whom it would go, and what can be put into it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from starlette.datastructures import FormData, UploadFile

from console.backend import checked, quoted
from console.pages.desk import Item, mailbox_of
from console.pages.page import Page, text, texts_of
from console.pages.texts import address, person
from shared.http import ProblemError

MAX_CANNED = 200
MAX_FILE_BYTES = 10 * 1000 * 1000
"""Of one file: a request's body is bounded by `console.middleware`, and a form has more in it than the file."""


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
        return cls(draft["body"], draft["mode"], draft["cc"], draft["attachments"])

    def draft(self) -> Item:
        """As the service keeps it."""
        return {"body": self.body, "mode": self.mode, "cc": self.cc, "attachments": list(self.attachments)}

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
    answering, draft, canned = await asyncio.gather(
        page.get("tickets", f"/tickets/{number}/answering"), draft_of(page, number), _canned(page, ticket["scanner_id"])
    )
    box = typed or (Box.of_draft(draft) if draft else Box())
    own = files_of(values)
    files = draft["files"] if draft else []
    return {
        "answering": answering,
        "box": box,
        "draft": draft,
        "canned": canned,
        "ticket_files": own,
        "uploads": [file for file in files if file["id"] not in {one["id"] for one in own}],
        "max_file": min(MAX_FILE_BYTES, answering["files_limit"]),
    }


async def draft_of(page: Page, number: int) -> Item | None:
    """What the caller is writing there; None where that is nothing."""
    try:
        found: Item = await page.get("tickets", f"/tickets/{number}/draft")
    except ProblemError as error:
        if error.status != 404:
            raise
        return None
    return found


async def keep_draft(page: Page, number: int, box: Box) -> None:
    """Raises the service's problem."""
    await page.send("PUT", "tickets", f"/tickets/{number}/draft", box.draft())


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
    mailbox = await mailbox_of(page, ticket["scanner_id"])
    customer = (answering["to"] or [ticket["sender"] or ""])[0]
    values = {
        "ticket_id": number,
        "ticket_title": ticket["title"],
        "customer_name": person(customer) if person(customer) != address(customer) else person(ticket["sender"]),
        "customer_address": address(customer),
        "operator_name": page.who.name,
        "operator_address": answering["personal_sender"] or page.who.email,
        "mailbox_name": mailbox["name"] if mailbox else person(answering["sender"]),
        "mailbox_address": address(answering["sender"]),
    }
    made = await page.send("POST", "notifier", f"/templates/{quoted(template_id)}/preview", {"values": values})
    return str(made["text"])


async def uploaded_files(page: Page, number: int, form: FormData) -> list[str]:
    """Ids of the files chosen in the form, once they are stored. Raises ProblemError 413 for one too large, and the service's problems."""
    chosen = [file for file in form.getlist("file") if isinstance(file, UploadFile) and file.filename]
    return [await _upload(page, number, file) for file in chosen]


async def _upload(page: Page, number: int, file: UploadFile) -> str:
    content = await file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ProblemError(413, "Too large", f"“{file.filename}” is larger than {MAX_FILE_BYTES // 1000 // 1000} MB. Nothing was sent.")
    headers = {"Content-Type": file.content_type or "application/octet-stream"}
    response = await page.call(
        "POST", "tickets", f"/tickets/{number}/uploads", params={"name": file.filename}, content=content, headers=headers
    )
    made: dict[str, Any] = checked("tickets", response)
    return str(made["id"])
