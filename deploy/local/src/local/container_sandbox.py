"""`python -m local.container_sandbox`: fills the sandbox of the containers, once. Runs in the console's image: standard library only.

SANDBOX_CONSOLE and SANDBOX_SERVICE_TOKEN say where the console is, SANDBOX_MAIL where the mail server is (host:imap:smtp:api),
SANDBOX_STATE is the folder that remembers what was made.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from local import http, jsonfile, seeding
from local.errors import StackError

MAIL_SECONDS = 60.0


class StateFolder:
    """Keeps the note and the token in one folder."""

    def __init__(self, folder: Path) -> None:
        self.seeded_file = folder / "sandbox.json"
        self._secrets = folder / "secrets.json"

    def secret(self, name: str, make: Callable[[], str]) -> str:
        known = jsonfile.read(self._secrets)
        if name not in known:
            known[name] = make()
            jsonfile.write(self._secrets, known)
        return str(known[name])

    def forget_secret(self, name: str) -> None:
        jsonfile.write(self._secrets, {key: value for key, value in jsonfile.read(self._secrets).items() if key != name})


def main() -> int:
    """Exit status 0, or 1 with one line that says what failed."""
    host, imap, smtp, api = os.environ["SANDBOX_MAIL"].split(":")
    keeper = StateFolder(Path(os.environ["SANDBOX_STATE"]))
    client = seeding.Client(os.environ["SANDBOX_CONSOLE"], keeper, os.environ["SANDBOX_SERVICE_TOKEN"])
    try:
        _wait_for_mail(f"http://{host}:{api}/api/service/readiness")
        if not seeding.is_wanted(client):
            sys.stdout.write("sandbox: a mailbox is configured, so it is left out\n")
            return 0
        sent = seeding.seed(client, seeding.MailServer(host, int(imap), int(smtp)))
    except StackError as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 1
    sys.stdout.write("sandbox: three mails are on their way\n" if sent else "sandbox: there already\n")
    return 0


def _wait_for_mail(url: str) -> None:
    """Its users exist only some time after its ports are open."""
    deadline = time.monotonic() + MAIL_SECONDS
    while True:
        try:
            http.call("GET", url, seconds=3.0)
        except (http.AnswerError, OSError) as error:
            if time.monotonic() > deadline:
                message = f"the mail server is not ready after {MAIL_SECONDS:.0f} s: {error}"
                raise StackError(message) from error
            time.sleep(0.5)
        else:
            return


if __name__ == "__main__":
    sys.exit(main())
