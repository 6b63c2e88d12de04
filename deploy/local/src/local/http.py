"""A small JSON client for servers on loopback, which are never reached through a proxy."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class AnswerError(Exception):
    """The server answered with an error status."""

    def __init__(self, method: str, url: str, status: int, detail: str) -> None:
        super().__init__(f"{method} {url}: HTTP {status} {detail}".strip())
        self.status = status


def call(method: str, url: str, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None, *, seconds: float = 10.0) -> Any:
    """The JSON of the answer, None without one. Raises AnswerError, or OSError when nobody answers in time."""
    data = None if body is None else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", "Accept": "application/json", **(headers or {})}
    request = urllib.request.Request(url, data, sent, method=method)  # noqa: S310 - http to loopback
    try:
        with _opener.open(request, timeout=seconds) as response:
            text = response.read()
    except urllib.error.HTTPError as error:
        with error:
            raise AnswerError(method, url, error.code, error.read(2000).decode(errors="replace")) from error
    try:
        return json.loads(text)
    except ValueError:
        return None
