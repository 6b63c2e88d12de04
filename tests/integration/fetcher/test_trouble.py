"""Servers that misbehave, by scripts; and what the scanner's state then says."""

from __future__ import annotations

import logging
import socket

import pytest
from sqlalchemy import text

from fetcher.adapters.imap.account import Account
from fetcher.adapters.imap.connection import Connection
from fetcher.scan import Held
from shared.api import SslType
from tests.integration.fetcher.imap_script import Folder, ScriptedImap, ok
from tests.integration.fetcher.rig import Rig, append, mail
from tests.kit.dovecot import PASSWORD, Dovecot

pytestmark = pytest.mark.connected
SECRET = "do-not-tell-anybody-42"


async def test_without_starttls_no_password_is_sent(rig: Rig) -> None:
    with ScriptedImap(ok) as server:
        scanner_id = await rig.add_scanner(server.port, "anna", SECRET, ssl_type="starttls")
        assert not await rig.scan(scanner_id)
        tested = (await rig.api.post(f"/scanners/{scanner_id}/test")).json()
    assert not any("LOGIN" in line or "AUTHENTICATE" in line or SECRET in line for line in server.received)
    assert "STARTTLS" in (await rig.state(scanner_id))["last_error"]
    assert not tested["ok"]
    assert "STARTTLS" in tested["message"]


async def test_a_refused_login_waits_five_minutes_and_other_failures_a_second(rig: Rig, dovecot: Dovecot, user: str) -> None:
    refused = await rig.add_scanner(dovecot.port, user, "wrong")
    assert not await rig.scan(refused)
    assert 300 <= await _pause(rig, refused) <= 360
    assert "user name or password" in (await rig.state(refused))["last_error"]

    away = await rig.add_scanner(_closed_port(), user, "any")
    assert not await rig.scan(away)
    assert 1 <= await _pause(rig, away) <= 1.3
    assert "refused the connection" in (await rig.state(away))["last_error"]


async def test_a_server_that_never_answers_costs_only_the_connect_timeout(rig: Rig) -> None:
    with ScriptedImap(ok, greeting=None) as server:
        scanner_id = await rig.add_scanner(server.port, "anna", SECRET, parameters={"CONNECT_TIMEOUT": "1", "READ_TIMEOUT": "1"})
        assert not await rig.scan(scanner_id)
    assert "did not answer in time" in (await rig.state(scanner_id))["last_error"]


async def test_a_mail_that_cannot_be_fetched_stops_no_other_and_fails_after_five_tries(rig: Rig) -> None:
    good = {1: mail("First", "<1@x>"), 3: mail("Third", "<3@x>")}
    with ScriptedImap(Folder({**good, 2: None})) as server:
        scanner_id = await rig.add_scanner(server.port, "anna", SECRET)
        assert await rig.scan(scanner_id)
        assert {line.uid: line.state for line in await rig.lines(scanner_id)} == {1: "published", 2: "seen", 3: "published"}
        for _ in range(4):
            assert await rig.scan(scanner_id)
    lines = {line.uid: line for line in await rig.lines(scanner_id)}
    assert (lines[2].outcome_type, lines[2].fetch_failures) == ("failed", 5)
    assert "could not be fetched" in lines[2].outcome_reason
    assert len(await rig.raw_mails(scanner_id)) == 2


async def test_a_missing_folder_is_told_and_the_others_are_read(rig: Rig, dovecot: Dovecot, user: str) -> None:
    append(dovecot.port, user, PASSWORD, [mail("One", "<one@x>")])
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    await rig.api.put(f"/scanners/{scanner_id}/folders", json={"selected": ["Gone", "INBOX"]})
    assert await rig.scan(scanner_id)
    state = await rig.state(scanner_id)
    assert "folder Gone" in state["last_error"]
    assert [one["folder"] for one in state["problems"]] == ["Gone"]
    assert state["last_success_at"] is None, "a mailbox that is read in part only is no success"
    assert [line.state for line in await rig.lines(scanner_id)] == ["published"]


async def test_a_connection_kept_open_that_died_is_made_anew(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fetcher.mailbox.FRESH_S", 0.0)
    alive = {"cut": False}
    folder = Folder({1: mail("First", "<1@x>")})

    def answer(tag: str, command: str, arguments: str) -> list[bytes] | None:
        if command == "NOOP" and alive.pop("cut", False):
            return None
        return folder(tag, command, arguments)

    with ScriptedImap(answer) as server:
        scanner_id = await rig.add_scanner(server.port, "anna", SECRET)
        held = Held()
        assert await rig.scan(scanner_id, held=held)
        alive["cut"] = True
        folder.mails[2] = mail("Second", "<2@x>")
        assert await rig.scan(scanner_id, held=held)
        await held.close()
    assert [line.subject for line in await rig.lines(scanner_id)] == ["First", "Second"]
    assert sum("LOGIN" in line for line in server.received) == 2


async def test_the_password_is_nowhere_in_clear(
    rig: Rig, dovecot: Dovecot, user: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    append(dovecot.port, user, PASSWORD, [mail("One", "<one@x>")])
    good = await rig.add_scanner(dovecot.port, user, PASSWORD)
    bad = await rig.add_scanner(dovecot.port, user, SECRET)
    await rig.scan(good)
    await rig.scan(bad)
    answers = [(await rig.api.get(path)).text for path in ("/scanners", f"/scanners/{good}", f"/scanners/{bad}")]
    answers += [(await rig.api.post(f"/scanners/{one}/test")).text for one in (good, bad)]
    async with rig.engine.connect() as conn:
        for table in ("scanners", "outbox", "jobs", "ledger"):
            answers += [str(row) for row in await conn.execute(text(f"select t::text from {table} t"))]  # noqa: S608 -- fixed names
    output = capsys.readouterr()
    everything = "\n".join([*answers, caplog.text, output.out, output.err])
    assert good in everything
    assert not any(secret in everything for secret in (PASSWORD, SECRET))


async def test_imapclients_debug_formatting_stays_off(dovecot: Dovecot, user: str) -> None:
    connection = Connection(Account("127.0.0.1", dovecot.port, user, PASSWORD, SslType.NONE))
    connection.connect()
    try:
        assert connection.client._imap.debug == 0
    finally:
        connection.close()


async def _pause(rig: Rig, scanner_id: str) -> float:
    async with rig.engine.connect() as conn:
        query = text("select extract(epoch from next_scan_at - last_scan_at) from scanners where id = :id")
        return float(await conn.scalar(query, {"id": scanner_id}) or 0)


def _closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
