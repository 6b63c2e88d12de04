"""Any bytes give a mail, in bounded time and memory."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from shared.mail.envelope import envelope
from shared.mail.limits import MAX_PARTS
from shared.mail.parse import parse
from tests.unit.mail.bombs import BOMBS, MIB, MIXED, nested

SECONDS = 1.0
TRIES = 3
"""The fastest counts: a machine that is busy with other tests makes CPU time longer, too."""

MEMORY = r"""
import os, resource, sys
from shared.mail.parse import parse
from tests.unit.mail.bombs import BOMBS, MIB

parse(b"Content-Type: text/plain\r\n\r\n" + bytes(range(128, 256)) * 9)  # what is loaded but once, such as tables of charsets
page = resource.getpagesize()
for name, bomb in BOMBS.items():
    if os.fork() == 0:
        raw = bomb()
        used = int(open("/proc/self/statm").read().split()[0]) * page
        resource.setrlimit(resource.RLIMIT_AS, (used + max(20 * len(raw), 8 * MIB), -1))
        try:
            parse(raw)
        except MemoryError:
            print(name, len(raw), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0, name
"""


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_little_time(name: str) -> None:
    raw = BOMBS[name]()
    assert any(_seconds(raw) < SECONDS for _ in range(TRIES))
    assert len(parse(raw).model_dump_json()) < MIB


def _seconds(raw: bytes) -> float:
    """CPU time of reading the mail."""
    began = time.process_time()
    parse(raw)
    envelope(raw)
    return time.process_time() - began


@pytest.mark.timeout(400)
def test_a_bomb_costs_little_memory() -> None:
    """20 times its size, and 8 MiB for the small ones: a few arenas of the allocator, 1 MiB each, are taken for the smallest mail."""
    done = subprocess.run([sys.executable, "-c", MEMORY], check=True, timeout=300, capture_output=True, text=True)
    assert done.stdout == ""


def test_what_a_limit_cuts_is_said() -> None:
    mail = parse(BOMBS["20,000 parts"]())
    assert mail.text.startswith("x\n\nx")
    assert any(str(MAX_PARTS) in defect for defect in mail.defects)
    assert any("deep" in defect for defect in parse(nested(1_000)).defects)
    assert any("header" in defect for defect in parse(BOMBS["100,000 headers"]()).defects)


def test_a_body_is_found_behind_too_many_headers() -> None:
    assert parse(b"X-A: b\r\n" * 100_000 + b"\r\nthe body").text == "the body"


def test_a_mail_as_large_as_one_may_be() -> None:
    attached = b"--b\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"QUFB" * (20 * MIB // 4) + b"\r\n--b--"
    assert parse(MIXED + attached).attachments[0].size == 15 * MIB
    assert any(_seconds(MIXED + attached) < SECONDS for _ in range(TRIES))
