"""Answers with files and pictures, through the real notifier to a real SMTP server; a DKIM signature on them still holds there."""

from __future__ import annotations

import email
import smtplib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from uuid import uuid4

import pytest

from shared.archive import Archive
from shared.events import OutgoingMail, OutgoingPart, Quoted
from shared.mail.model import Address
from tests.integration.notifier.parts import LOOPBACK, Bus, Notifier, ScriptedServer, answer
from tests.kit.dkim_key import DkimKey
from tests.kit.eventually import eventually_async

pytestmark = pytest.mark.connected
Mailbox = Callable[..., Awaitable[str]]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 400
PDF = b"%PDF-1.7\n" + bytes(range(255, -1, -1)) * 1000
UPLOAD = "Größe;Länge\n1;2\n".encode()


async def received(bus: Bus, smtp: ScriptedServer, mail: OutgoingMail) -> bytes:
    await bus.outgoing(mail)

    async def told() -> bool:
        return [one.state.value for one in await bus.deliveries(mail.outgoing_id)][-1:] == ["sent"]

    await eventually_async(told, what="the answer is sent")
    return smtp.handler.accepted[-1].data


async def with_files(archive: Archive, scanner_id: str) -> OutgoingMail:
    """An uploaded file, a file of the customer's mail, and a picture of it."""
    uploaded, customers = f"uploads/2026-11/{uuid4()}", f"{scanner_id}/2026-11/{uuid4()}.eml.zst"
    mail = EmailMessage()
    mail["Subject"] = "Plan"
    mail.set_content("See the plan.")
    mail.add_attachment(PNG, maintype="image", subtype="png", filename="plan.png")
    mail.add_attachment(PDF, maintype="application", subtype="pdf", filename="contract.pdf")
    await archive.put(uploaded, UPLOAD)
    await archive.put(customers, mail.as_bytes(policy=policy.SMTP))
    own = "image1.abc@help.example"
    parts = [
        OutgoingPart(name="Maße 2026.csv", content_type="text/csv", size=len(UPLOAD), archive_key=uploaded),
        OutgoingPart(name="contract.pdf", content_type="application/pdf", size=len(PDF), archive_key=customers, part="3"),
        OutgoingPart(name="plan.png", content_type="image/png", size=len(PNG), archive_key=customers, part="2", content_id=own),
    ]
    html = f'<p>See the <b>plan</b>: <img src="cid:{own}"></p>'
    quoted = Quoted(sender="Anna Keller", at=datetime(2026, 11, 22, tzinfo=UTC), text="See the plan.", html=html)
    return answer(31, scanner_id, parts=parts, quoted=quoted, cc=[Address(address="boss@lakeside.example")])


async def test_files_of_both_kinds_and_a_picture_arrive_as_they_are(
    bus: Bus, smtp: ScriptedServer, mailbox: Mailbox, archive: Archive
) -> None:
    mail = await with_files(archive, await mailbox(smtp.port))
    message = email.message_from_bytes(await received(bus, smtp, mail), policy=policy.default)
    assert sorted(smtp.handler.accepted[-1].recipients) == ["anna@lakeside.example", "boss@lakeside.example"]
    leaves = [one for one in message.walk() if not one.is_multipart()]
    assert [one.get_content_type() for one in leaves] == ["text/plain", "text/html", "image/png", "text/csv", "application/pdf"]
    assert [one.get_payload(decode=True) for one in leaves[2:]] == [PNG, UPLOAD, PDF]
    assert [one.get_filename() for one in leaves[2:]] == ["plan.png", "Maße 2026.csv", "contract.pdf"]
    assert leaves[2]["Content-ID"] == "<image1.abc@help.example>"
    assert '<img src="cid:image1.abc@help.example">' in leaves[1].get_content()


async def test_an_answer_whose_file_is_gone_fails_and_names_it(
    notifier: Notifier, bus: Bus, smtp: ScriptedServer, mailbox: Mailbox
) -> None:
    part = OutgoingPart(name="lost.pdf", content_type="application/pdf", size=1, archive_key="uploads/2026-11/nowhere")
    mail = answer(32, await mailbox(smtp.port), parts=[part])
    await bus.outgoing(mail)

    async def failed() -> bool:
        return [one.state.value for one in await bus.deliveries(mail.outgoing_id)][-1:] == ["failed"]

    await eventually_async(failed, what="the answer has failed")
    assert "lost.pdf" in notifier.call("GET", f"/outgoing/{mail.outgoing_id}").json()["last_error"]


async def test_the_mailbox_s_template_is_used_and_one_that_fails_is_told_of(
    notifier: Notifier, bus: Bus, smtp: ScriptedServer, mailbox: Mailbox
) -> None:
    scanner_id = await mailbox(smtp.port)
    values = (str(uuid4()), scanner_id)
    insert = (
        "insert into templates (id, kind, scanner_id, text, name, subject, html) values (%s, 'answer', %s, %s, 'x', '', '') returning id"
    )
    notifier.rows(insert, *values, "Hello {{ customer.name }}!\n\n{{ answer }}")
    assert b"Hello Anna Keller!" in await received(bus, smtp, answer(33, scanner_id))
    notifier.rows("update templates set text = '{{ answer }} {{ wrong }}' where id = %s returning id", values[0])
    after = answer(33, scanner_id)
    data = await received(bus, smtp, after)
    assert b"A corrected invoice is attached." in data
    assert "without its template" in notifier.call("GET", f"/outgoing/{after.outgoing_id}").json()["last_error"]


async def test_a_personal_answer_leaves_from_its_author(bus: Bus, smtp: ScriptedServer, mailbox: Mailbox) -> None:
    author = Address(name="Otto Operator", address="otto@help.example")
    data = await received(bus, smtp, answer(34, await mailbox(smtp.port), mode="personal", author=author, operator="user:otto"))
    assert smtp.handler.accepted[-1].sender == "otto@help.example"
    assert b"From: Otto Operator <otto@help.example>" in data
    assert b"Ticket Id" not in data


async def test_a_signature_put_on_an_answer_holds_after_another_server(
    bus: Bus, smtp: ScriptedServer, mailbox: Mailbox, archive: Archive
) -> None:
    """As a company's relay does: it signs what the notifier gave it and passes it on."""
    data = await received(bus, smtp, await with_files(archive, await mailbox(smtp.port)))
    key = DkimKey()
    signature = key.sign(data, (b"simple", b"simple"))
    with smtplib.SMTP(LOOPBACK, smtp.port, timeout=30) as client:
        client.sendmail("help@help.example", ["anna@lakeside.example"], signature + data)
    passed_on = smtp.handler.accepted[-1].data
    assert key.holds(passed_on)
    assert not key.holds(passed_on.replace(b"Anna", b"Emma"))
