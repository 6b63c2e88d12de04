"""Each service installs from its own lock alone, and its modules import: what its image does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SERVICES = ("fetcher", "rules", "tickets", "notifier", "console")
IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__") and ".migrations" not in module.name:
        importlib.import_module(module.name)
from importlib.metadata import distributions
print("\\n".join(sorted(one.metadata["Name"].lower() for one in distributions())))
"""
ONLY_ELSEWHERE = {
    "fetcher": {"aiosmtplib", "google-re2", "jinja2", "nh3"},
    "rules": {"imapclient", "aiosmtplib", "jinja2"},
    "tickets": {"imapclient", "aiosmtplib", "jinja2", "google-re2"},
    "notifier": {"imapclient", "google-re2", "nh3"},
    "console": {"imapclient", "aiosmtplib", "google-re2"},
}


@pytest.mark.install
@pytest.mark.timeout(600)
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_runs_from_its_own_lock(service: str, tmp_path: Path) -> None:
    home = tmp_path / "venv"
    _run([sys.executable, "-m", "venv", str(home)])
    pip = [str(home / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--require-hashes", "--requirement", f"services/{service}/requirements.lock"])
    _run([*pip, "--no-deps", "--no-build-isolation", "--no-index", "./shared", f"./services/{service}"])
    _run([str(home / "bin" / "pip"), "check", "--disable-pip-version-check"])
    installed = set(_run([str(home / "bin" / "python"), "-c", IMPORT_ALL, service]).split())
    assert {"mailconverter-shared", f"mailconverter-{service}"} <= installed
    assert not installed & ONLY_ELSEWHERE[service]
    assert not {name for name in installed if name.startswith("mailconverter-")} - {"mailconverter-shared", f"mailconverter-{service}"}


def _run(argv: list[str]) -> str:
    """Its output; the reason when it fails. The developer's environment does not help."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout
