"""The test button where a server goes silent: it answers before those who wait for it give up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.notifier.parts import LOOPBACK, SERVICE_TOKEN, Notifier, sender_body
from tests.kit.smtp_script import SILENT, SmtpScript

pytestmark = [pytest.mark.connected, pytest.mark.timeout(180)]

CONSOLE_WAITS_S = 60.0
PATIENT = {"CONNECT_TIMEOUT_SECONDS": "30", "COMMAND_TIMEOUT_SECONDS": "90", "DATA_TIMEOUT_SECONDS": "300", "INSTANCE": "patient"}
"""As mails have it in use."""


@pytest.fixture
def patient(notifier: Notifier, settings: dict[str, str], tmp_path: Path) -> Iterator[Notifier]:
    """Beside the folder's own, with the time-outs of a notifier in use."""
    assert notifier.port
    process = Notifier(settings | PATIENT, tmp_path / "patient.log")
    try:
        process.start()
        yield process
    finally:
        process.stop()


@pytest.mark.parametrize(("point", "said"), [("end", "S: 354"), ("mail", "C: MAIL")])
def test_a_server_that_goes_silent_is_told_with_the_dialogues_last_lines(
    patient: Notifier, script: SmtpScript, point: str, said: str
) -> None:
    script.answers[point] = [SILENT]
    sender = patient.call("POST", "/senders", sender_body(script.port, address="help@help.example")).json()
    began = time.monotonic()
    url = f"http://{LOOPBACK}:{patient.port}/senders/{sender['id']}/test"
    headers = {"X-Service-Token": SERVICE_TOKEN, "X-Actor": "user:test"}
    result = httpx.post(url, json={"to": "otto@company.example"}, headers=headers, timeout=CONSOLE_WAITS_S).json()
    assert time.monotonic() - began < CONSOLE_WAITS_S - 10
    assert (result["ok"], "no answer in time" in result["message"]) == (False, True)
    assert any(step.startswith(said) for step in result["steps"]), result["steps"]
