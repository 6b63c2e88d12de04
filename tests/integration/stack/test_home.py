"""The data folder, its ports and the download cache: what is remembered, what is refused."""

from __future__ import annotations

import io
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from local import jars, jsonfile
from local.child import LOG_BYTES, rotate
from local.errors import StackError
from local.home import Home, default_home
from local.ports import Ports
from local.progress import Progress


def test_a_port_is_remembered(tmp_path: Path) -> None:
    first = Ports(tmp_path / "ports.json").get("kafka")
    assert Ports(tmp_path / "ports.json").get("kafka") == first


def test_a_port_somebody_took_meanwhile_is_replaced(tmp_path: Path, hold: Callable[[int], None]) -> None:
    first = Ports(tmp_path / "ports.json").get("kafka")
    hold(first)
    again = Ports(tmp_path / "ports.json").get("kafka")
    assert again != first
    assert Ports(tmp_path / "ports.json").get("kafka") == again


def test_no_port_is_given_twice(tmp_path: Path) -> None:
    ports = Ports(tmp_path / "ports.json")
    assert len({ports.get(f"part-{number}") for number in range(50)}) == 50


def test_too_little_disk_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"^too little disk: .* GB free at .*MAILCONVERTER_HOME=/a/folder$"):
        Home(tmp_path / "home").prepare(needed_bytes=10**18)


def test_secrets_are_kept_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    secret = home.secret("service_token")
    assert len(secret) > 30
    assert Home(tmp_path / "home").secret("service_token") == secret
    assert stat.S_IMODE((tmp_path / "home" / "secrets.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.archive.stat().st_mode) == 0o700


def test_a_folder_belongs_to_one_process(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    home.lock()
    with pytest.raises(StackError, match="already running"):
        Home(tmp_path / "home").lock()
    home.unlock()
    again = Home(tmp_path / "home")
    again.lock()
    again.unlock()


def test_half_a_file_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"pid": 1')
    assert jsonfile.read(tmp_path / "state.json") == {}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"MAILCONVERTER_HOME": "/srv/mail"}, "/srv/mail"),
        ({"XDG_DATA_HOME": "/data"}, "/var/lib/mailconverter" if os.geteuid() == 0 else "/data/mailconverter"),
        ({"HOME": "/home/anna"}, "/var/lib/mailconverter" if os.geteuid() == 0 else "/home/anna/.local/share/mailconverter"),
    ],
)
def test_where_data_lies(environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAILCONVERTER_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert default_home() == Path(expected)


def test_a_changed_jar_is_caught_before_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Path(jars.class_path("greenmail"))
    monkeypatch.setenv("MAILCONVERTER_CACHE", str(tmp_path))
    (tmp_path / "jars").mkdir()
    changed = Path(shutil.copy(original, tmp_path / "jars"))
    assert jars.class_path("greenmail") == str(changed)

    data = bytearray(changed.read_bytes())
    data[len(data) // 2] ^= 1
    changed.write_bytes(data)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # nobody there: the good one cannot be downloaded either
    told = io.StringIO()
    with pytest.raises(StackError, match=r"^greenmail cannot be downloaded .*: check network and proxy settings"):
        jars.class_path("greenmail", Progress(told))
    assert not changed.exists()
    assert f"{changed.name} in the cache is not what the lock says" in told.getvalue()


def test_a_cache_that_cannot_be_written_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MAILCONVERTER_CACHE", str(tmp_path / "file"))
    with pytest.raises(StackError, match=r"^the download cache .* cannot be written .*MAILCONVERTER_CACHE=/a/folder$"):
        jars.class_path("greenmail")


def test_a_log_stays_bounded_while_it_is_written(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * LOG_BYTES + b"\nlast\n")
        rotate(log)
        writer.write(b"next\n")
    assert log.read_bytes() == b"next\n"
    assert (tmp_path / "part.log.1").read_bytes().endswith(b"last\n")
