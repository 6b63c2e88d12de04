"""The command line against a running console."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from fastapi.responses import JSONResponse

from tests.integration.console.rig import NOBODY_LISTENS, SERVICE_TOKEN, Console, Upstream

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
