"""A stand-in for a service: it answers its health check and, as the console, as much as `up` asks of it.

What the console is asked to make is kept in a file beside its data folder's archive, so that it outlives a restart as in the real one.
"""

from __future__ import annotations

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


def main(name: str) -> None:
    prefix = f"MAILCONVERTER_{name.upper()}__"
    settings = {key.removeprefix(prefix): value for key, value in os.environ.items() if key.startswith(prefix)}
    if sys.argv[1:] == ["migrate"]:
        return
    if os.environ.get("SCRIPTED_FAILS") == name:
        sys.exit("setting FLAVOUR is wrong: choose another")
    memory = Path(settings["ARCHIVE_URL"].removeprefix("file://")).parent / "console-calls.json"
    server = ThreadingHTTPServer((settings["HOST"], int(settings["PORT"])), handler(name, settings, memory))
    server.serve_forever()


def handler(name: str, settings: dict[str, str], memory: Path) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made = recall(memory)
            answers: dict[str, Any] = {
                "/health/ready": {"status": "ok"},
                "/internal/setup-link": {"url": f"{settings.get('PUBLIC_URL')}/setup?token=once"},
                "/api/v1/scanners": {"items": [c for c in made if c[1] == "/api/v1/scanners"]},
            }
            rules = [body for _, path, body in made if path.endswith("/rules")]
            self.answer({"items": rules} if self.path.endswith("/rules") else answers.get(self.path))

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = json.loads(self.rfile.read(length))
            if name != "console" or not self.allowed():
                self.answer(None, 401)
                return
            if self.path == "/internal/tokens":
                self.answer({"token": "mc_test"})
                return
            made = [*recall(memory), [self.command, self.path, body]]
            memory.write_text(json.dumps(made))
            self.answer({"id": f"id-{len(made)}"}, 201)

        do_PUT = do_PATCH = do_POST  # noqa: N815 - names of http.server

        def allowed(self) -> bool:
            if self.path.startswith("/internal/"):
                return self.headers["X-Service-Token"] == settings["SERVICE_TOKEN"]
            return self.headers["Authorization"] == "Bearer mc_test"

        def answer(self, body: object, status: int = 200) -> None:
            self.send_response(status if body is not None else 404)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

    return Handler


def recall(memory: Path) -> list[list[Any]]:
    found: list[list[Any]] = json.loads(memory.read_text()) if memory.exists() else []
    return found
