"""Every real mail of the corpus becomes exactly one ticket, a bounce none; none is lost, none stops the others."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.kit import dovecot
from tests.kit.api import CREATE_RULE
from tests.kit.dovecot import Dovecot
from tests.kit.eventually import eventually
from tests.kit.mail import Mailbox
from tests.kit.smtp_sink import SmtpSink
from tests.kit.system import System

BOUNCES = {"apache-james-mime4j__badbound.eml", "python-cpython__msg_05.eml"}
"""Delivery failures among the mails: they open no ticket."""
CORPUS = Path(os.environ.get("MAILCONVERTER_CORPUS", "../shared/corpus"))


@pytest.mark.timeout(180)
def test_each_real_mail_is_one_ticket(
    system: System, dovecot_server: Dovecot, smtp_sink: SmtpSink, capsys: pytest.CaptureFixture[str]
) -> None:
    if not (CORPUS / "mime").is_dir():
        pytest.skip(f"no corpus of real mails at {CORPUS / 'mime'}; MAILCONVERTER_CORPUS says where it is")
    files = sorted((CORPUS / "mime").glob("*.eml"))
    mails: list[dict[str, Any]] = []
    for number, group in enumerate(_apart(files)):
        mailbox = Mailbox("127.0.0.1", dovecot_server.port, f"corpus-{number}@desk.example", dovecot.PASSWORD)
        mailbox.append(file.read_bytes() for file in group)
        mails += _all_become_tickets(system, _scanner(system, mailbox, smtp_sink.port), group, capsys)
    assert len({mail["outcome"]["ticket_id"] for mail in mails} - {None}) == len(files) - len(BOUNCES), "two mails share a ticket"
    mail_ids = {mail["id"] for mail in mails}
    assert not [letter for letter in system.api.all("/dead-letters") if letter["mail_id"] in mail_ids]


def _apart(files: list[Path]) -> list[list[Path]]:
    """Files in groups without repetition, each for a mailbox of its own.

    IMAP knows lines that end in CRLF only, so mails that differ in nothing but their line ends are one mail within a mailbox, and
    rightly a duplicate there; in two mailboxes they are two mails.
    """
    groups: list[list[Path]] = []
    seen: Counter[bytes] = Counter()
    for file in files:
        content = file.read_bytes().replace(b"\r\n", b"\n")
        if seen[content] == len(groups):
            groups.append([])
        groups[seen[content]].append(file)
        seen[content] += 1
    return groups


def _scanner(system: System, mailbox: Mailbox, smtp_port: int) -> str:
    """With one rule that opens a ticket. Without the rule for known conversations: mails of a test suite refer to each other."""
    scanner_id = system.api.add_mailbox(mailbox, "127.0.0.1", smtp_port, rules=False, enabled=False)
    for rule in system.api.get(f"/scanners/{scanner_id}/rules")["items"]:
        system.api.request("PATCH", f"/rules/{rule['id']}", json={"enabled": False}).raise_for_status()
    system.api.post(f"/scanners/{scanner_id}/rules", CREATE_RULE)
    system.api.request("PATCH", f"/scanners/{scanner_id}", json={"enabled": True}).raise_for_status()
    return scanner_id


def _all_become_tickets(system: System, scanner_id: str, files: list[Path], capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    mails = eventually(lambda: _settled(system, scanner_id, len(files)), 120)
    with capsys.disabled():
        _show(files, mails)
    became = {file.name: mail["outcome"]["type"] for file, mail in zip(files, mails, strict=True)}
    assert became == {file.name: "bounce" if file.name in BOUNCES else "ticket" for file in files}
    tickets = {mail["outcome"]["ticket_id"] for mail in mails} - {None}
    assert {ticket["id"] for ticket in system.api.all("/tickets", scanner_id=scanner_id)} == tickets
    return mails


def _settled(system: System, scanner_id: str, count: int) -> list[dict[str, Any]]:
    mails = system.api.all("/mails", scanner_id=scanner_id)
    return sorted(mails, key=lambda mail: mail["uid"]) if len(mails) == count and all(mail["outcome"] for mail in mails) else []


def _show(files: list[Path], mails: list[dict[str, Any]]) -> None:
    """The outcome of each, as a list: mails were appended in the order of their names."""
    print()
    for file, mail in zip(files, mails, strict=True):
        outcome = mail["outcome"]
        print(f"{file.name:<75} {outcome['type']} {outcome['ticket_id'] or outcome['reason']}")
