"""Each service installs from its own lock alone and starts: what its image is built from is enough, and holds nothing of the others."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
UV = ROOT / ".tools" / "bin" / "uv"
SERVICES = ("fetcher", "rules", "tickets", "notifier", "console")
ONLY = {"fetcher": "imapclient", "rules": "re2", "tickets": "nh3", "notifier": "aiosmtplib", "console": "argon2"}
"""A library that one service alone depends on."""

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(not UV.exists(), reason="uv is not in .tools: `make install` puts it there"),
]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_installs_from_its_own_lock_alone(service: str, tmp_path: Path) -> None:
    for part in ("shared", f"services/{service}"):  # copies: a build leaves files behind
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    python = tmp_path / "venv" / "bin" / "python"
    _run(UV, "venv", "-q", "--python", sys.executable, tmp_path / "venv")
    _run(UV, "pip", "install", "-q", "--python", python, "--require-hashes", "-r", tmp_path / "services" / service / "requirements.lock")
    built = ("--no-sources", "--no-deps", "--no-build-isolation", tmp_path / "shared", tmp_path / "services" / service)
    _run(UV, "pip", "install", "-q", "--python", python, *built)

    foreign = [*(s for s in SERVICES if s != service), *(library for owner, library in ONLY.items() if owner != service), "pytest", "local"]
    program = (
        f"import importlib.util, {service}.app\n"
        f"assert '{tmp_path}' in {service}.__file__, {service}.__file__\n"
        f"print([name for name in {foreign!r} if importlib.util.find_spec(name)])"
    )
    assert _run(python, "-c", program).strip() == "[]"


def test_the_locks_are_what_the_packages_ask_for() -> None:
    assert _run(sys.executable, ROOT / ".ci" / "check_locks.py").strip() == "7 locks are current"


@pytest.mark.parametrize("folder", ["/", "services/fetcher"])
def test_a_stale_lock_is_found(folder: str, tmp_path: Path) -> None:
    for part in ("pyproject.toml", "requirements.lock", "uv-requirements.txt", ".ci", "shared", "services", "deploy/local"):
        source = ROOT / part
        copy = shutil.copytree if source.is_dir() else shutil.copy
        (tmp_path / part).parent.mkdir(parents=True, exist_ok=True)
        copy(source, tmp_path / part)
    lock = tmp_path / folder.strip("/") / "requirements.lock"
    lock.write_text(lock.read_text().replace("imapclient==4.1.0", "imapclient==4.0.0"))
    done = subprocess.run([sys.executable, tmp_path / ".ci" / "check_locks.py"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"{folder}/requirements.lock: imapclient 4.0.0 is not ==4.1.0".lstrip("/") in done.stderr


def _run(*argv: object) -> str:
    """Away from the checkout and its settings, so that nothing of it helps."""
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run([str(a) for a in argv], cwd="/", env=kept, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
