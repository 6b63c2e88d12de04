"""An answered ticket, and machines' mails about its answers."""

from __future__ import annotations

from typing import Any

from shared.events import CommandKind, DeliveryState, MailDelivery, TicketCommand
from shared.mail.model import Address, DeliveryReport, RecipientReport
from tests.integration.tickets.rig import CREATE, NOON, Rig, command, mail

ANNA, BEN = "anna@customer.example", "ben@customer.example"
OLGA = "olga@company.example"
UNKNOWN = "550 5.1.1 no such user"


async def answered(rig: Rig, *, assignee: str | None = OLGA, copy: bool = False) -> dict[str, Any]:
    """The message of an answer on ticket 1, given to Olga."""
    await rig.carry_out(command(mail(ANNA, cc=[Address(address=BEN)] if copy else []), [CREATE]))
    if assignee:
        assert (await rig.api.patch("/tickets/1", json={"assignee": assignee})).status_code == 200
    return await answer(rig)


async def answer(rig: Rig, text: str = "We come.") -> dict[str, Any]:
    made: dict[str, Any] = (await rig.api.post("/tickets/1/comments", json={"body": text})).json()
    return made


def bounce(about: str, recipient: str = ANNA, action: str = "failed", **fields: Any) -> TicketCommand:
    one = RecipientReport(recipient=recipient, action=action, status="5.1.1", reason=UNKNOWN)  # type: ignore[arg-type]  # one of its words
    kind = CommandKind.BOUNCE if action in {"failed", "delayed"} else CommandKind.RECEIPT
    report = DeliveryReport(recipients=[one], message_id=about)
    return command(mail("mailer-daemon@relay.example"), [], kind=kind, report=report, mail_kind=kind.value, **fields)


def news(message: dict[str, Any], recipient: str, state: DeliveryState, sequence: int = 2, **fields: Any) -> MailDelivery:
    return MailDelivery(
        outgoing_id=message["id"],
        ticket_id=1,
        message_id=message["message_id"],
        recipient=recipient,
        state=state,
        sequence=sequence,
        at=NOON,
        **fields,
    )


async def shown(rig: Rig, message: dict[str, Any]) -> dict[str, Any]:
    """The message as the API shows it now."""
    return next(one for one in await rig.messages(1) if one["id"] == message["id"])


async def states(rig: Rig, message: dict[str, Any]) -> dict[str, str]:
    return {one["recipient"]: one["state"] for one in (await shown(rig, message))["deliveries"]}


async def attention(rig: Rig) -> str | None:
    text: str | None = (await rig.get("/tickets/1"))["attention"]
    return text


async def sent(rig: Rig, mode: str) -> list[dict[str, Any]]:
    """Mails of this mode that went to the notifier."""
    return [event for event in await rig.emitted("mail.outgoing") if event["mode"] == mode]
