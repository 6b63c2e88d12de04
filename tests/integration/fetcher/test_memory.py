"""Large mailboxes in little memory: each is read by a fetcher process whose memory is limited."""

from __future__ import annotations

import hashlib
import os
import random
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cramjam
import psycopg
import pytest

from tests.integration.fetcher.rig import mail
from tests.kit.dovecot import PASSWORD, Dovecot
from tests.kit.eventually import eventually
from tests.kit.fetcher_process import FetcherProcess, Place, fetcher_process
from tests.kit.maildir import Maildir
from tests.kit.stack import TestStack

pytestmark = [pytest.mark.connected, pytest.mark.slow, pytest.mark.timeout(900)]

LIMIT = 300 * 1024 * 1024
CGROUPS = (Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup"))
"""Of the first version and of the second."""


@contextmanager
def memory_group() -> Iterator[Path | None]:
    """A control group whose processes the kernel ends above LIMIT; None where this machine lets us make none."""
    for root in CGROUPS:
        group = root / f"mailconverter-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        for name in ("memory.limit_in_bytes", "memory.max"):
            if (group / name).exists():
                (group / name).write_text(str(LIMIT))
                yield group
                group.rmdir()
                return
        group.rmdir()
    yield None


@contextmanager
def limited(place: Place, log: Path) -> Iterator[FetcherProcess]:
    """A fetcher with a hard limit of memory."""
    with memory_group() as group:
        print("limit by control group" if group else "limit by RLIMIT_DATA")

        def prepare() -> None:
            if group is None:
                resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
            else:
                (group / "cgroup.procs").write_text(str(os.getpid()))

        with fetcher_process(place, log, prepare) as fetcher:
            yield fetcher


@pytest.fixture
def place(stack: TestStack, database: str, namespace: str, tmp_path: Path) -> Place:
    return Place.new(database, stack.kafka_bootstrap, namespace, tmp_path / "archive")


def published(place: Place) -> tuple[int, int]:
    """Lines, and those that are published."""
    with psycopg.connect(place.database_url.replace("+psycopg", "")) as conn:
        row = conn.execute("select count(*), count(published_at) from ledger").fetchone()
    assert row is not None
    return row[0], row[1]


def test_a_mail_of_50_mib_is_archived_unchanged_within_the_limit(place: Place, dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    head = mail("Large", "<large@x>")
    line = random.Random(1).randbytes(38).hex().encode() + b"\r\n"
    raw = head + line * ((50 * 1024 * 1024 - len(head)) // len(line))
    Maildir(dovecot, user).add([raw])
    with limited(place, tmp_path / "fetcher.log") as fetcher:
        scanner_id = fetcher.add_scanner(dovecot.port, user, PASSWORD)
        eventually(lambda: published(place) == (1, 1), 300, what="the large mail in the ledger")
        [line_of_it] = fetcher.api.get("/mails", params={"scanner_id": scanner_id}).json()["items"]
        peak = fetcher.peak_bytes()
    [stored] = (place.archive / scanner_id).rglob(f"{line_of_it['id']}.eml.zst")
    assert hashlib.sha256(cramjam.zstd.decompress(stored.read_bytes())).digest() == hashlib.sha256(raw).digest()
    assert (line_of_it["subject"], line_of_it["size"]) == ("Large", len(raw))
    print(f"peak {peak / 1024 / 1024:.0f} MiB")
    assert peak < LIMIT


def test_a_folder_of_100_000_mails_is_read_within_the_limit(place: Place, dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    count = int(os.environ.get("MAILCONVERTER_TEST_MAILS", "100000"))
    Maildir(dovecot, user).add(mail(f"Small {number}", f"<{number}@x>", "Hello. " * 40) for number in range(count))
    with limited(place, tmp_path / "fetcher.log") as fetcher:
        fetcher.add_scanner(dovecot.port, user, PASSWORD)
        eventually(lambda: published(place) == (count, count), 800, every=1, what="all mails in the ledger")
        peak = fetcher.peak_bytes()
    print(f"peak {peak / 1024 / 1024:.0f} MiB")
    assert peak < LIMIT
