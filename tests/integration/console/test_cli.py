"""The command line against a running console."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from fastapi import Response
from fastapi.responses import JSONResponse

from tests.integration.console.rig import NOBODY_LISTENS, SERVICE_TOKEN, Console, Seen, Upstream

pytestmark = [pytest.mark.connected, pytest.mark.asyncio(loop_scope="session")]


async def mailconverter(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("mailconverter"),
        *arguments,
        env={"PATH": os.environ["PATH"], **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, out.decode(), err.decode()


async def test_token_create_prints_a_token_and_nothing_else(console: Console, tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text(json.dumps({"service_token": SERVICE_TOKEN}))
    status, out, err = await mailconverter(
        "token", "create", "--role", "administrator", MAILCONVERTER_URL=console.url, MAILCONVERTER_HOME=str(tmp_path)
    )
    assert (status, err, out.count("\n")) == (0, "", 1)
    me = await console.http.get("/api/v1/me", headers={"Authorization": f"Bearer {out.strip()}"})
    assert me.json()["role"] == "administrator"


async def test_lists_for_people_and_for_programs_without_a_token_of_ones_own(console: Console, upstream: Upstream, tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text(json.dumps({"service_token": SERVICE_TOKEN}))
    where = {"MAILCONVERTER_URL": console.url, "MAILCONVERTER_HOME": str(tmp_path)}
    ticket = {"id": 7, "status": "open", "source": "mail", "sender": "a@b.example", "title": "No \x1b[31mcolours"}
    upstream.answer = lambda _: JSONResponse({"items": [ticket], "next": None})
    status, out, _ = await mailconverter("tickets", "--q", "colours", **where)
    assert status == 0
    assert out.splitlines()[1].split()[:4] == ["7", "open", "mail", "a@b.example"]
    assert "\x1b" not in out
    assert "q=colours" in upstream.last.query
    status, out, _ = await mailconverter("tickets", "--json", **where)
    assert json.loads(out) == [ticket]
    assert len(await console.sql("select * from tokens")) == 1
    await console.sql_do("delete from tokens")
    assert (await mailconverter("tickets", **where))[0] == 0


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"MAILCONVERTER_URL": f"http://{NOBODY_LISTENS}", "MAILCONVERTER_TOKEN": "x"}, "does not answer"),
        ({"MAILCONVERTER_TOKEN": "wrong"}, "the token is not valid"),
        ({"MAILCONVERTER_HOME": "/nonexistent"}, "no token: set MAILCONVERTER_TOKEN"),
    ],
)
async def test_what_goes_wrong_is_one_clear_line(console: Console, environment: dict[str, str], told: str) -> None:
    status, out, err = await mailconverter("tickets", **{"MAILCONVERTER_URL": console.url, **environment})
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert told in err


REPORT: dict[str, Any] = {
    "folders": [{"scanner_id": "s1", "folder": "INBOX", "in_mailbox": 3, "in_ledger": 2, "gone": 0}],
    "folder_count": 1,
    "findings": [],
    "finding_count": 0,
}
GAP = {"what": "gap", "scanner_id": "s1", "folder": "INBOX", "uid": 7, "mail_id": "m7", "detail": "Not\x1b[31m read.", "repaired": True}


class Fetcher:
    """Stands in for the service: two mailboxes, and a check that is found at work once before it has ended."""

    def __init__(self, end: dict[str, Any]) -> None:
        self.end = end
        self.asked: list[dict[str, Any]] = []
        self.looks = 0

    def __call__(self, seen: Seen) -> Response:
        if seen.path == "/scanners":
            return JSONResponse({"items": [{"id": "s1", "name": "Help"}, {"id": "s2", "name": "Sales"}], "next": None})
        if seen.method == "POST":
            self.asked.append(json.loads(seen.body))
            return JSONResponse({"id": "fetcher-j", "state": "queued", "done": 0, "total": None, "result": None}, 202)
        if seen.path == "/ledger":
            return JSONResponse({"items": [{"scanner_id": "s1", "mails": 2, "under_way": 0, "outcomes": {"ticket": 2}}], "gaps": []})
        self.looks += 1
        running = {"id": "fetcher-j", "state": "running", "done": 0, "total": 1, "result": None}
        return JSONResponse(running if self.looks == 1 else running | self.end)


async def ledger(console: Console, tmp_path: Path, *arguments: str) -> tuple[int, str, str]:
    (tmp_path / "secrets.json").write_text(json.dumps({"service_token": SERVICE_TOKEN}))
    return await mailconverter("ledger", *arguments, MAILCONVERTER_URL=console.url, MAILCONVERTER_HOME=str(tmp_path))


async def test_a_ledger_without_findings_is_counted_and_compared(console: Console, upstream: Upstream, tmp_path: Path) -> None:
    fetcher = upstream.answer = Fetcher({"state": "done", "result": REPORT})
    status, out, err = await ledger(console, tmp_path)
    assert (status, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert lines[1] == ["Help", "2", "0", "ticket", "2"]
    assert lines[4] == ["Help", "INBOX", "3", "2", "0", "0"]
    assert out.splitlines()[-1] == "Nothing is amiss."
    assert fetcher.asked == [{"scanner_id": None, "repair": False}]


async def test_findings_of_one_mailbox_are_a_line_each_and_an_exit_status(console: Console, upstream: Upstream, tmp_path: Path) -> None:
    report = REPORT | {"findings": [GAP], "finding_count": 2}
    fetcher = upstream.answer = Fetcher({"state": "done", "result": report})
    status, out, _ = await ledger(console, tmp_path, "--scanner", "help", "--repair")
    assert status == 1
    assert out.splitlines()[-2:] == [
        "gap, queued again: Help / INBOX / UID 7 (m7): Not [31m read.",
        "2 findings, 1 queued again, the first 1 are listed.",
    ]
    assert fetcher.asked == [{"scanner_id": "s1", "repair": True}]
    fetcher.looks = 0
    status, out, _ = await ledger(console, tmp_path, "--scanner", "s1", "--json")
    assert (status, json.loads(out)["report"]) == (1, report)


@pytest.mark.parametrize(
    ("arguments", "end", "told"),
    [
        (["--scanner", "nobody"], {}, "no mailbox nobody; there are: Help, Sales"),
        ([], {"state": "failed", "result": {"error": "The check was given up."}}, "The check was given up."),
    ],
)
async def test_a_ledger_that_could_not_be_checked_has_an_exit_status_of_its_own(
    console: Console, upstream: Upstream, tmp_path: Path, arguments: list[str], end: dict[str, Any], told: str
) -> None:
    upstream.answer = Fetcher(end)
    status, out, err = await ledger(console, tmp_path, *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert told in err
