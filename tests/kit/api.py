"""The public REST API, as a test's way in."""

from __future__ import annotations

import time
from typing import Any

import httpx

from tests.kit.mail import Mailbox

CONDITION_TICKET_ID = {"field": "subject", "operator": "regex", "value": r"Ticket Id: (?P<ticket>\d+)"}
UPDATE_RULE = {
    "name": "Answers by number",
    "conditions": [CONDITION_TICKET_ID],
    "action": {"type": "update_ticket", "lookup": "ticket_id"},
}
CREATE_RULE = {"name": "Everything else", "conditions": [], "action": {"type": "create_ticket"}}


class Api:
    """The public REST API as an administrator."""

    def __init__(self, console: str) -> None:
        self.console = console
        self._client = httpx.Client(base_url=f"{console}/api/v1", timeout=30)

    def sign_in(self, service_token: str) -> None:
        """Get a token the way the command line of an embedded installation does."""
        body = {"name": "tests", "role": "administrator"}
        answer = httpx.post(f"{self.console}/internal/tokens", json=body, headers={"X-Service-Token": service_token}, timeout=30)
        self.use_token(answer.raise_for_status().json()["token"])

    def use_token(self, token: str) -> None:
        """Call with this token from now on."""
        self._client.headers["Authorization"] = f"Bearer {token}"

    def close(self) -> None:
        self._client.close()

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """The answer whatever it is."""
        return self._client.request(method, path, **arguments)

    def get(self, path: str, **params: Any) -> Any:
        return self._checked("GET", path, params=params)

    def post(self, path: str, body: Any = None) -> Any:
        return self._checked("POST", path, json=body)

    def all(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """Every item of a paged list."""
        items: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = self.get(path, limit=200, **params, **({"cursor": cursor} if cursor else {}))
            items += page["items"]
            cursor = page["next"]
            if cursor is None:
                return items

    def job(self, path: str, body: Any = None, seconds: float = 30.0) -> dict[str, Any]:
        """POST something that answers 202 and wait for its job."""
        answer = self.request("POST", path, json=body)
        assert answer.status_code == 202, answer.text
        where = answer.headers["Location"].removeprefix("/api/v1")
        deadline = time.monotonic() + seconds
        while True:
            job: dict[str, Any] = self.get(where)
            if job["state"] in {"done", "failed"}:
                return job
            assert time.monotonic() < deadline, job
            time.sleep(0.1)

    def add_mailbox(self, mailbox: Mailbox, smtp_host: str, smtp_port: int, *, rules: bool = True, **settings: Any) -> str:
        """A scanner of `mailbox` whose answers leave by the SMTP server, with the two usual rules; returns its id."""
        sender = {"name": f"SMTP of {mailbox.user}", "server": smtp_host, "port": smtp_port, "ssl_type": "none", "auth": "none"}
        sender_id = self.post("/senders", sender)["id"]
        scanner = {
            "name": mailbox.user,
            "server": mailbox.host,
            "port": mailbox.port,
            "ssl_type": "none",
            "username": mailbox.user,
            "password": mailbox.password,
            "start_from": "everything",
            "after_scanning": "read",
            "interval_seconds": 1,
            "sender_id": sender_id,
        }
        scanner_id = str(self.post("/scanners", scanner | settings)["id"])
        for rule in (UPDATE_RULE, CREATE_RULE) if rules else ():
            self.post(f"/scanners/{scanner_id}/rules", rule)
        return scanner_id

    def _checked(self, method: str, path: str, **arguments: Any) -> Any:
        answer = self._client.request(method, path, **arguments)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None
