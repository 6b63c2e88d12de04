"""Tickets of the stand-in's world: one in each state worth seeing, with their messages and history."""

from __future__ import annotations

from typing import Any

from shared import api
from shared.events import TicketEventType
from shared.mail.model import Fold, FoldKind
from tests.kit.stand_in_mailboxes import ago

HTML = (
    '<p>Hello,</p><p>the <b>invoice</b> is wrong, see <a href="https://example.com/" rel="noopener">this page</a>.</p>'
    "<ul><li>Sum</li><li>VAT</li></ul>"
)
LONG = (
    "Hello,\n\nI ordered three chairs and got two tables.\nWhat now?\n\nAnna\n\n"
    "On Mon, 23 Nov 2026 at 10:00, Help wrote:\n> We have sent your order.\n> Regards\n"
)
FOLDS = [Fold(start=LONG.index("On Mon"), end=len(LONG), kind=FoldKind.QUOTE)]


def tickets() -> list[api.Ticket]:
    contact = api.RecordRef(id="c1", name="Anna Keller")
    file = api.AttachmentView(id="2", name="Rechnung März 2026.pdf", type="application/pdf", size=183_204)
    common: dict[str, Any] = {
        "description": LONG,
        "scanner_id": "support",
        "recipients": ["help@company.example"],
        "version": 2,
        "source": "mail",
    }
    rows: list[dict[str, Any]] = [
        {
            "id": 128,
            "title": "Invoice wrong – Überweisung",
            "assignee": "otto@company.example",
            "tags": ["invoice", "vip"],
            "category": "Invoices",
            "watchers": ["accounting@customer.example"],
            "sender": "Anna Keller <anna@customer.example>",
            "contact": contact,
            "attachments": [file],
            "message_count": 5,
            "attention": "An answer did not reach anna@customer.example: 550 5.1.1 No such mailbox here",
            "updated_at": ago(seconds=8),
        },
        {
            "id": 127,
            "title": "Chairs instead of tables",
            "sender": "Bo Holm <bo@customer.example>",
            "status": "in_progress",
            "priority": "high",
            "message_count": 2,
            "updated_at": ago(minutes=14),
        },
        {
            "id": 126,
            "title": "Call Mr. Rossi back",
            "source": "manual",
            "scanner_id": None,
            "status": "waiting",
            "updated_at": ago(hours=3),
        },
        {
            "id": 125,
            "title": "You have won a prize, answer at once and give us all your bank details so that we can send you what you have won",
            "sender": '"The Lottery of Everything" <win@lottery.example>',
            "updated_at": ago(days=1),
        },
        {"id": 124, "title": "", "sender": "quiet@customer.example", "status": "closed", "updated_at": ago(days=40)},
        {
            "id": 122,
            "title": "Warranty of a chair",
            "sender": "Carla Conti <carla@customer.example>",
            "message_count": 3,
            "updated_at": ago(days=41),
        },
        {
            "id": 121,
            "title": "A question of mine",
            "sender": "Eve Stranger <eve@elsewhere.example>",
            "linked_ticket_id": 127,
            "updated_at": ago(days=41),
        },
        {
            "id": 120,
            "title": "Invoice once more",
            "sender": "Anna Keller <anna@customer.example>",
            "status": "closed",
            "merged_into": 128,
            "message_count": 0,
            "updated_at": ago(days=41),
        },
        {"id": 119, "title": "Taken away", "sender": "gone@customer.example", "deleted": True, "updated_at": ago(days=41)},
    ]
    defaults: dict[str, Any] = {"status": "open", "priority": "normal", "message_count": 1, "created_at": ago(days=41)}
    return [api.Ticket.model_validate(common | defaults | row) for row in rows]


def messages(number: int) -> list[api.Message]:
    file = api.AttachmentView(id="2", name="Rechnung März 2026.pdf", type="application/pdf", size=183_204)
    anna = "Anna Keller <anna@customer.example>"
    program = api.AttachmentView(
        id="3", name="invoice.exe", type="application/x-msdownload", size=90_112, blocked="Files that end in .exe are not handed out."
    )
    first = api.Message(
        id="m1",
        kind="mail",
        direction="in",
        sender=anna,
        text=LONG,
        folds=FOLDS,
        attachments=[file, program],
        mail_id="mail-1",
        created_at=ago(days=1),
    )
    if number == 122:
        return [first.model_copy(update={"sender": "Carla Conti <carla@customer.example>", "attachments": []}), *_left()]
    if number != 128:
        return [] if number == 120 else [first]
    return [first, *_answered(anna)]


def _answered(anna: str) -> list[api.Message]:
    """An answer that arrived, one that did not, and what came back about each."""
    otto = "user:otto@company.example"
    ours: dict[str, Any] = {"kind": "comment", "direction": "out", "sender": otto, "mode": "info", "recipients": [anna]}
    rows: list[dict[str, Any]] = [
        ours
        | {
            "id": "m2",
            "text": "We look into it.\nRegards, Otto",
            "delivery": "delivered",
            "deliveries": [_fared("anna", "read"), _fared("accounting", "delivered")],
            "reports": [
                _report("delivered", "accounting"),
                _report("read", "anna"),
                _report("auto_reply", "anna", "I am away until Monday."),
            ],
            "created_at": ago(hours=20),
        },
        {"id": "m3", "kind": "note", "direction": "out", "sender": otto, "text": "Accounting knows already.", "created_at": ago(hours=19)},
        {
            "id": "m4",
            "kind": "mail",
            "direction": "in",
            "sender": anna,
            "text": "Hello,\nthe invoice is wrong, see this page.\n* Sum\n* VAT",
            "html": HTML,
            "mail_id": "mail-2",
            "created_at": ago(hours=3),
        },
        ours
        | {
            "id": "m5",
            "text": "Thank you.",
            "delivery": "failed",
            "deliveries": [
                _fared("anna", "failed", "550 5.1.1 No such mailbox here"),
                _fared("accounting", "delayed", "451 4.7.1 Greylisted, come back later"),
            ],
            "reports": [_report("bounce", "anna", "There is no such mailbox (5.1.1).")],
            "created_at": ago(hours=2),
        },
    ]
    return [api.Message.model_validate(row) for row in rows]


def _left() -> list[api.Message]:
    """The machine's own answer, and one that left the system."""
    carla = "carla@customer.example"
    common: dict[str, Any] = {"kind": "reply", "direction": "out", "recipients": [carla], "delivery": "sent"}
    sent = {"recipient": carla, "state": "sent", "at": ago(hours=2)}
    told = "We have your mail. Its number is 122."
    return [
        api.Message.model_validate(common | one | {"deliveries": [sent]})
        for one in (
            {"id": "a1", "sender": "system", "text": told, "mode": "acknowledgement", "created_at": ago(hours=3)},
            {"id": "a2", "sender": "user:otto@company.example", "text": "I call you.", "mode": "personal", "created_at": ago(hours=2)},
        )
    ]


def _fared(who: str, state: str, detail: str = "") -> dict[str, Any]:
    return {"recipient": f"{who}@customer.example", "state": state, "detail": detail, "at": ago(hours=2)}


def _report(kind: str, who: str, detail: str = "") -> dict[str, Any]:
    return {"kind": kind, "recipient": f"{who}@customer.example", "detail": detail, "mail_id": "mail-3", "at": ago(hours=1)}


def ticket_settings() -> api.TicketSettings:
    return api.TicketSettings(
        status_names={"open": "Open", "in_progress": "In progress", "waiting": "Waiting for the customer", "closed": "Closed"},
        priorities=["low", "normal", "high", "urgent"],
        categories=["Orders", "Invoices"],
    )


def saved_views() -> list[api.SavedView]:
    mine, others = "user:otto@company.example", "user:bea@company.example"
    return [
        api.SavedView(
            id="v1", name="Angry ones", shared=False, owner=mine, filter=api.TicketFilter(priority="high", status=["in_progress"])
        ),
        api.SavedView(id="v2", name="Invoices", shared=True, owner=others, filter=api.TicketFilter(tag="invoice")),
    ]


def changes(number: int) -> list[api.TicketChange]:
    """Of ticket 128 one of each sort; of the others how they began."""
    bea = "user:bea@company.example"
    base = number * 100
    born = api.TicketChange(id=base, at=ago(days=1), actor="mail", type=TicketEventType.CREATED, mail_id="mail-1", message_id="m1")
    if number == 121:
        return [born.model_copy(update={"type": TicketEventType.LINKED, "other_ticket_id": 127})]
    if number == 120:
        into = api.FieldChange(field="merged_into", after="128")
        return [born, _entry(base + 1, bea, "merged", into, other=128)]
    if number != 128:
        return [born]
    return [
        born,
        _entry(base + 1, "user:otto@company.example", "updated", api.FieldChange(field="assignee", after="otto@company.example")),
        _entry(base + 2, bea, "updated", api.FieldChange(field="status", before="open", after="closed")),
        _entry(base + 3, bea, "updated", api.FieldChange(field="status", before="closed", after="open")),
        _entry(base + 4, bea, "merged", other=120),
    ]


def _entry(number: int, actor: str, kind: str, *fields: api.FieldChange, other: int | None = None) -> api.TicketChange:
    told = list(fields)
    return api.TicketChange(id=number, at=ago(minutes=3), actor=actor, type=TicketEventType(kind), changes=told, other_ticket_id=other)
