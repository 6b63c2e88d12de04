"""Operators who write answers on a customer's ticket."""

from __future__ import annotations

from typing import Any

from shared.mail.model import Address
from tests.integration.tickets.rig import CREATE, Rig, command, mail

ANNA, BEN = "anna@customer.example", "ben@customer.example"
OLGA = {"X-Actor": "user:olga", "X-Actor-Name": "Olga%20Wei%C3%9F", "X-Actor-Address": "olga.weiss@company.example"}
PAUL = {"X-Actor": "user:paul", "X-Actor-Name": "Paul"}
PLAN = b"the plan"
PNG = b"\x89PNG picture"


async def ticket(rig: Rig, **fields: Any) -> int:
    """Number of a new ticket: a mail of Anna's, with a copy to Ben."""
    await rig.carry_out(command(mail(ANNA, cc=[Address(name="Ben", address=BEN)], **fields), [CREATE]))
    return int((await rig.tickets())[0]["id"])


async def reply(rig: Rig, number: int, body: str = "We come.", headers: dict[str, str] = OLGA, **fields: Any) -> dict[str, Any]:
    """The message of an answer."""
    answer = await rig.api.post(f"/tickets/{number}/replies", json={"body": body, **fields}, headers=headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def refused(rig: Rig, number: int, headers: dict[str, str] = OLGA, **fields: Any) -> tuple[int, str]:
    """Status and detail of an answer that could not leave."""
    answer = await rig.api.post(f"/tickets/{number}/replies", json={"body": "We come.", **fields}, headers=headers)
    return answer.status_code, answer.json()["detail"]


async def upload(rig: Rig, number: int, name: str = "plan.pdf", content: bytes = PLAN, headers: dict[str, str] = OLGA) -> dict[str, Any]:
    """The upload."""
    answer = await rig.api.post(f"/tickets/{number}/uploads", params={"name": name}, content=content, headers=headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def draft(rig: Rig, number: int, headers: dict[str, str] = OLGA) -> dict[str, Any] | None:
    answer = await rig.api.get(f"/tickets/{number}/draft", headers=headers)
    assert answer.status_code in {200, 404}, answer.text
    return answer.json() if answer.status_code == 200 else None


async def keep(rig: Rig, number: int, body: str, headers: dict[str, str] = OLGA, **fields: Any) -> dict[str, Any]:
    """The draft, put."""
    answer = await rig.api.put(f"/tickets/{number}/draft", json={"body": body, **fields}, headers=headers)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def undo_for(rig: Rig, seconds: int) -> None:
    assert (await rig.api.patch("/ticket-settings", json={"undo_seconds": seconds})).status_code == 200


async def mails(rig: Rig, kind: str = "send") -> list[dict[str, Any]]:
    """What went to the notifier."""
    return [event for event in await rig.emitted("mail.outgoing") if event["type"] == kind]
