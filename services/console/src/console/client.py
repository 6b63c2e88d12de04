"""The REST API as the command line sees it: where it is, by which token, and errors in one line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import click
import httpx

TIMEOUT_S = 60.0
DEFAULT_PORT = "8080"
PAGE_ITEMS = 100


class CommandError(click.ClickException):
    """One clear line for whoever typed the command; exit status 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        print(f"mailconverter: {self.message}", file=file or sys.stderr)


def base_url() -> str:
    """`MAILCONVERTER_URL`, else the console on this machine, at its port."""
    given = os.environ.get("MAILCONVERTER_URL")
    return given.rstrip("/") if given else f"http://127.0.0.1:{os.environ.get('MAILCONVERTER_PORT') or DEFAULT_PORT}"


def data_folder() -> Path:
    """Where the embedded stack keeps its data; the same places, in the same order, as `mailconverter up` looks at."""
    if chosen := os.environ.get("MAILCONVERTER_HOME"):
        return Path(chosen).expanduser().absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/mailconverter")
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "mailconverter"


def create_token(name: str, role: str) -> str:
    """A new API token: by the caller's own where there is one, else by the embedded stack's service token."""
    body = {"name": name, "role": role}
    if os.environ.get("MAILCONVERTER_TOKEN"):
        return str(Api().call("POST", "/tokens", json=body)["token"])
    headers = {"X-Service-Token": _service_token()}
    return str(_body(_response("POST", f"{base_url()}/internal/tokens", headers=headers, json=body))["token"])


class Api:
    """Raises CommandError for whatever goes wrong."""

    def __init__(self) -> None:
        self._given = os.environ.get("MAILCONVERTER_TOKEN", "").strip()
        self._token = self._given or _kept_token()

    def call(self, method: str, path: str, *, json: Any = None, params: dict[str, Any] | None = None) -> Any:
        """The answer's body; `path` is without `/api/v1`."""
        present = {name: value for name, value in (params or {}).items() if value is not None}
        url = f"{base_url()}/api/v1{path}"
        response = _response(method, url, headers=self._headers(), json=json, params=present)
        if response.status_code == 401 and not self._given:
            _forget_token()  # somebody revoked it in the console
            self._token = _kept_token()
            response = _response(method, url, headers=self._headers(), json=json, params=present)
        return _body(response)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    def items(self, path: str, limit: int, **params: Any) -> Iterator[dict[str, Any]]:
        """The first `limit` items of a list, page by page."""
        cursor: str | None = None
        while limit > 0:
            page = self.call("GET", path, params={**params, "limit": min(limit, PAGE_ITEMS), "cursor": cursor})
            yield from page["items"][:limit]
            limit -= len(page["items"])
            cursor = page["next"]
            if cursor is None:
                return


def _kept_token() -> str:
    """Without a token of one's own: one that is made once for this data folder's owner and kept there."""
    file = _token_file()
    try:
        return file.read_text().strip()
    except OSError:
        pass
    token = create_token("command line", "administrator")
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError:
        return token  # another command was quicker, or the folder is read-only: this one works all the same
    with os.fdopen(handle, "w") as out:
        out.write(token)
    return token


def _forget_token() -> None:
    with suppress(OSError):
        _token_file().unlink()


def _token_file() -> Path:
    return data_folder() / "cli-token"


def _service_token() -> str:
    """Of the console's own container, else of the embedded installation on this machine."""
    if given := os.environ.get("MAILCONVERTER_CONSOLE__SERVICE_TOKEN"):
        return given
    file = data_folder() / "secrets.json"
    try:
        return str(json.loads(file.read_text())["service_token"])
    except (OSError, ValueError, KeyError) as error:
        message = (
            f"no token: set MAILCONVERTER_TOKEN, or MAILCONVERTER_HOME to the data folder of `mailconverter up` (not in {file.parent})"
        )
        raise CommandError(message) from error


def _response(method: str, url: str, **options: Any) -> httpx.Response:
    try:
        return httpx.request(method, url, timeout=TIMEOUT_S, trust_env=False, **options)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        message = f"{base_url()} does not answer ({type(error).__name__}): is it running? MAILCONVERTER_URL says where it is"
        raise CommandError(message) from error


def _body(response: httpx.Response) -> Any:
    if response.status_code >= 400:
        raise CommandError(_reason(response))
    try:
        return response.json() if response.content else None
    except ValueError as error:
        message = f"{base_url()} is no Mail Converter: it answered something that is no JSON"
        raise CommandError(message) from error


def _reason(response: httpx.Response) -> str:
    if response.status_code == 401:
        return "the token is not valid (any more): set MAILCONVERTER_TOKEN to another; `mailconverter token create` makes one"
    try:
        problem = response.json()
        return f"{problem['title']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"{response.request.url} answered {response.status_code}"
