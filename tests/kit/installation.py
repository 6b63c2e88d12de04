"""`mailconverter up` as its users run it: a process of its own, in a data folder of its own, on free ports."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.kit.api import Api
from tests.kit.eventually import eventually
from tests.kit.ports import free_port

COMMAND = [str(Path(sys.executable).with_name("mailconverter"))]
START_S = 120
STOP_S = 40


class Installation:
    """Start, look at and stop an installation. `environment` is added to ours."""

    def __init__(self, **environment: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="mailconverter-up-"))
        self.port = free_port()
        ours = {name: value for name, value in os.environ.items() if not name.startswith("MAILCONVERTER_") or name.endswith("_CACHE")}
        self.environment = ours | {"MAILCONVERTER_HOME": str(self.path), "MAILCONVERTER_PORT": str(self.port)} | environment
        self.output = self.path.with_name(f"{self.path.name}.log")
        self._process: subprocess.Popen[bytes] | None = None
        self._apis: list[Api] = []

    def start(self, *arguments: str) -> None:
        """`up`, with these arguments; returns when it shows the console's address. RuntimeError with what it printed if it ends before."""
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                [*COMMAND, "up", *arguments], env=self.environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        eventually(self._running, START_S)

    def stop(self) -> int:
        """SIGTERM as a service manager sends it; returns the exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_S)
        finally:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()

    def remove(self) -> None:
        """Stop if it runs, and take the data away."""
        for api in self._apis:
            api.close()
        if self._process is not None and self._process.poll() is None:
            self.stop()
        shutil.rmtree(self.path, ignore_errors=True)
        self.output.unlink(missing_ok=True)

    def status(self) -> dict[str, Any]:
        """What `mailconverter status --json` prints."""
        answer: dict[str, Any] = json.loads(self.command("status", "--json"))
        return answer

    def part(self, name: str) -> dict[str, Any]:
        """One part of the status."""
        return next(part for part in self.status()["parts"] if part["name"] == name)

    def kill(self, name: str) -> None:
        """SIGKILL to a part; the supervisor starts it again."""
        os.kill(int(self.part(name)["pid"]), signal.SIGKILL)

    def command(self, *arguments: str) -> str:
        """Run the command line; AssertionError with what it said when it fails."""
        done = subprocess.run([*COMMAND, *arguments], env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"mailconverter {' '.join(arguments)}: {done.stderr or done.stdout}"
        return done.stdout

    def api(self) -> Api:
        """The REST API with a token made as the README says."""
        api = Api(f"http://127.0.0.1:{self.port}")
        self._apis.append(api)
        api.use_token(self.command("token", "create", "--role", "administrator").strip())
        return api

    def printed(self) -> str:
        """Everything `up` printed so far."""
        return self.output.read_text(errors="replace")

    def _running(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"`mailconverter up` ended with {self._process.returncode}:\n{self.printed()[-2000:]}")
        return "Ctrl-C stops everything" in self.printed()
