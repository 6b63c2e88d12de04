"""`mailconverter up` as its user meets it: what it prints, what it starts again, what it leaves behind (nothing)."""

from __future__ import annotations

import imaplib
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.integration.stack.homes import Whole, alive, folder_for_nobody, free_port, stray_process
from tests.kit.eventually import eventually

pytestmark = [pytest.mark.connected, pytest.mark.alone, pytest.mark.timeout(240)]
NAMES = {"kafka", "postgres", "mail", "fetcher", "fetcher-2", "rules", "tickets", "notifier", "console"}


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with folder_for_nobody() as folder:
        yield folder / "home"


@pytest.fixture(scope="module")
def whole(home: Path) -> Iterator[Whole]:
    """Running; a test that ends it starts it again."""
    installation = Whole(home, free_port())
    installation.up("--fetchers", "2")
    yield installation
    installation.end()


def test_it_says_where_it_is_and_how_to_sign_in(whole: Whole) -> None:
    assert f"Mail Converter runs at http://127.0.0.1:{whole.port}" in whole.text()
    assert f"this link once: http://127.0.0.1:{whole.port}/setup?token=once" in whole.text()
    assert f"data folder {whole.folder}" in whole.text()


def test_status_names_every_part(whole: Whole) -> None:
    parts = whole.parts()
    assert set(parts) == NAMES
    assert {part["state"] for part in parts.values()} == {"running"}
    assert all(psutil.pid_exists(part["pid"]) for part in parts.values())
    assert parts["console"]["port"] == whole.port
    assert len({part["port"] for part in parts.values()}) == len(NAMES)


def test_three_mails_wait_in_the_sandbox_and_send_adds_one(whole: Whole) -> None:
    assert _count(whole) == 3
    done = whole.command(
        "send", "--from", "Dora <dora@garden.example>", "--to", "help@sandbox.example", "--subject", "Grüße", "--body", "Hi"
    )
    assert (done.returncode, done.stdout) == (0, "sent to help@sandbox.example\n")
    assert _count(whole) == 4


def test_send_gives_a_file_byte_for_byte(whole: Whole, tmp_path: Path) -> None:
    before = _count(whole)
    eml = tmp_path / "one.eml"
    eml.write_bytes(b"From: dora@garden.example\r\nTo: x@elsewhere.example\r\nSubject: From  a file\r\n\r\nbody\r\n")
    assert whole.command("send", "--eml", str(eml)).returncode == 0
    with imaplib.IMAP4("127.0.0.1", whole.parts()["mail"]["port"], timeout=10) as client:
        client.login("help@sandbox.example", "sandbox")
        client.select("INBOX", readonly=True)
        body = client.fetch(str(before + 1), "(BODY.PEEK[])")[1][0]
    assert isinstance(body, tuple)
    assert eml.read_bytes().strip() in body[1]


def test_a_second_up_says_where_the_first_is(whole: Whole) -> None:
    done = whole.command("up")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert re.search(rf"already running at http://127.0.0.1:{whole.port} \(pid \d+, data folder {whole.folder}\)", done.stderr)


@pytest.mark.parametrize("name", ["mail", "kafka", "postgres", "tickets", "fetcher-2"])
def test_a_killed_part_comes_back(whole: Whole, name: str) -> None:
    before = whole.parts()[name]
    os.kill(before["pid"], signal.SIGKILL)

    def back() -> dict[str, object]:
        part = whole.parts()[name]
        assert part["restarts"] > before["restarts"]
        assert part["state"] == "running"
        return part

    after = eventually(back, 80)
    assert after["pid"] != before["pid"]
    assert after["port"] == before["port"]
    assert after["last_exit"] == -signal.SIGKILL
    assert f"{name} ended (signal 9); starting it again" in whole.text()


def test_sigkill_of_the_supervisor_leaves_nothing_and_the_next_start_goes_on(whole: Whole) -> None:
    children = whole.processes()
    assert len(children) >= len(NAMES)
    secrets, port = (whole.folder / "secrets.json").read_text(), whole.parts()["rules"]["port"]
    whole.end(signal.SIGKILL)
    eventually(lambda: not alive(children), 20)
    assert "is not running" in whole.command("status").stdout
    assert {part["state"] for part in whole.parts().values()} == {"stopped"}

    with stray_process() as stray:  # as on systems without a death signal: a child outlived its supervisor
        (whole.folder / "processes.json").write_text(json.dumps({"rules": {"pid": stray.pid, "started": stray.create_time()}}))
        begin = time.monotonic()
        whole.up("--fetchers", "2")
        assert time.monotonic() - begin < 20
        assert not alive([stray])
    assert "ended what an earlier run left behind: rules" in whole.text()
    assert (whole.folder / "secrets.json").read_text() == secrets
    assert whole.parts()["rules"]["port"] == port
    assert _count(whole) == 0, "the sandbox was seeded before: its mails must not come again"


def test_sigterm_stops_all_cleanly(whole: Whole) -> None:
    children = whole.processes()
    assert whole.end(signal.SIGTERM) == 0
    assert not alive(children)
    assert "stopping" in whole.text()
    assert "Traceback" not in whole.text()
    assert "had to be killed" not in whole.text()


def test_ctrl_c_while_it_starts_leaves_nothing(whole: Whole) -> None:
    whole.begin()
    eventually(lambda: "kafka " in whole.text())
    children = whole.processes()
    assert whole.end(signal.SIGINT) == 0
    assert not alive(children)
    assert "Traceback" not in whole.text()


def test_a_service_that_does_not_start_is_one_clear_line(whole: Whole) -> None:
    broken = Whole(whole.folder, whole.port, SCRIPTED_FAILS="notifier")
    done = broken.command("up")
    assert done.returncode == 1
    assert re.search(
        r"^mailconverter: notifier ended while it started \(exit status 1\): setting FLAVOUR is wrong.*notifier.log$", done.stderr
    )
    assert done.stderr.count("\n") == 1
    assert {part["state"] for part in broken.parts().values()} == {"stopped"}
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(whole.folder) in " ".join(p.info["cmdline"] or [])]


def test_a_taken_console_port_is_one_clear_line(tmp_path: Path, hold: Callable[[int], None]) -> None:
    port = free_port()
    hold(port)
    done = Whole(tmp_path / "home", port).command("up")
    assert done.returncode == 1
    assert done.stderr.startswith(f"mailconverter: port {port} is taken")
    assert done.stderr.endswith(f"MAILCONVERTER_PORT={port + 1}\n")
    assert done.stderr.count("\n") == 1


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")  # root may write everywhere, but not below a file
    done = Whole(tmp_path / "file" / "home", free_port()).command("up")
    assert done.returncode == 1
    assert re.fullmatch(r"mailconverter: the data folder \S+ cannot be written \(.+\): choose another with .*\n", done.stderr)


@pytest.mark.parametrize("port", ["http", "0", "70000"])
def test_a_wrong_port_is_one_clear_line(tmp_path: Path, port: str) -> None:
    done = Whole(tmp_path / "home", 1, MAILCONVERTER_PORT=port).command("up")
    assert (done.returncode, done.stderr) == (1, f"mailconverter: MAILCONVERTER_PORT={port} is no port: give a number from 1 to 65535\n")


def test_send_without_an_installation_is_one_clear_line(tmp_path: Path) -> None:
    done = Whole(tmp_path / "home", 1).command("send", "--from", "a@b.example", "--subject", "Hello")
    assert done.returncode == 1
    assert re.fullmatch(r"mailconverter: nothing runs in \S+: `mailconverter up` starts it .*\n", done.stderr)


def _count(whole: Whole) -> int:
    """Mails in the sandbox's INBOX."""
    with imaplib.IMAP4("127.0.0.1", whole.parts()["mail"]["port"], timeout=10) as client:
        client.login("help@sandbox.example", "sandbox")
        return int(client.select("INBOX", readonly=True)[1][0] or 0)
