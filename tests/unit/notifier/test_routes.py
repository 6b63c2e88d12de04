"""Every public route that the console passes on to the notifier is there, with the query it says it takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from console.api.routes import ROUTES, Route
from notifier.app import create_app
from notifier.settings import Settings

PASSED_ON = [route for route in ROUTES if route.service == "notifier"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """`verb path` of each route of the service, without the names of its parameters, and the names of its query."""
    url, archive = SecretStr("postgresql://nobody@localhost/none"), Path(tmp_path_factory.mktemp("archive")).as_uri()
    settings = Settings(database_url=url, service_token=SecretStr("t" * 32), secret_keys=SecretStr(f"k:{'A' * 43}="), archive_url=archive)
    return {
        _name(verb.upper(), path): {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
        for path, operations in create_app(settings).openapi()["paths"].items()
        for verb, operation in operations.items()
    }


def _name(verb: str, path: str) -> str:
    return f"{verb} {re.sub(r'{[^}]*}', '{}', path)}"


@pytest.mark.parametrize("route", PASSED_ON, ids=lambda route: str(route.name))
def test_the_service_has_it(served: dict[str, set[str]], route: Route) -> None:
    name = _name(route.verb, route.path)
    assert name in served
    assert set(route.query) <= served[name]
