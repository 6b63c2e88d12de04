"""What pages and API are given. `app.py` makes it once and puts it at `app.state.console`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from fastapi import Request

from console.accounts import Accounts
from console.adapters.audit import Audit
from console.backend import Backend
from console.live import Live
from console.settings import Settings


@dataclass(frozen=True)
class Dependencies:
    """The console's parts."""

    settings: Settings
    backend: Backend
    accounts: Accounts
    audit: Audit
    live: Live
    checks: Callable[[], Awaitable[dict[str, str]]]
    """The console's own readiness, as in `/health/ready`."""


def dependencies_of(request: Request) -> Dependencies:
    """The parts of the application that answers this request."""
    return cast("Dependencies", request.app.state.console)
