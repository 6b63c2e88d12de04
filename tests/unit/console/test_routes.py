import re
from collections import Counter
from typing import Any

import pytest
from fastapi.openapi.models import OpenAPI
from pydantic import SecretStr, ValidationError

from console.api.openapi import document
from console.api.own import HANDLERS
from console.api.routes import PREFIX, ROUTES
from console.backend import quoted
from console.settings import Settings
from shared.http import ProblemError


def references(node: Any) -> set[str]:
    if isinstance(node, dict):
        found = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return found.union(*(references(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(references(value) for value in node))
    return set()


def test_every_route_is_there_once() -> None:
    assert [name for name, count in Counter(route.name for route in ROUTES).items() if count > 1] == []


def test_every_own_route_has_its_handler_and_no_other() -> None:
    assert set(HANDLERS) == {route.name for route in ROUTES if route.service == "console"}


def test_the_description_is_valid_openapi() -> None:
    described = OpenAPI.model_validate(document())
    assert described.openapi == "3.1.0"


def test_the_description_holds_every_route_of_the_table_and_no_other() -> None:
    described = {(verb.upper(), path) for path, verbs in document()["paths"].items() for verb in verbs}
    assert described == {(route.verb, PREFIX + route.path) for route in ROUTES}


def test_every_reference_of_the_description_leads_somewhere() -> None:
    whole = document()
    schemas = {f"#/components/schemas/{name}" for name in whole["components"]["schemas"]}
    assert references(whole) - schemas == set()
    assert "#/components/schemas/Ticket" in schemas


def test_operations_are_told_apart_and_declare_their_path_parameters() -> None:
    operations = [(path, operation) for path, verbs in document()["paths"].items() for operation in verbs.values()]
    assert max(Counter(operation["operationId"] for _, operation in operations).values()) == 1
    for path, operation in operations:
        declared = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
        assert declared == set(re.findall(r"\{(\w+)\}", path)), path


def test_a_refusal_is_described_as_a_problem_document() -> None:
    operation = document()["paths"]["/api/v1/tickets/{id}"]["get"]
    assert list(operation["responses"]["404"]["content"]) == ["application/problem+json"]


@pytest.mark.parametrize(("part", "segment"), [("a b", "a%20b"), ("x%2Fy", "x%252Fy"), ("v1.2", "v1.2"), ("ü?#", "%C3%BC%3F%23"), (7, "7")])
def test_a_part_of_a_path_stays_one_segment(part: object, segment: str) -> None:
    assert quoted(part) == segment


@pytest.mark.parametrize("part", ["", ".", "..", "...", "a/b", "a\\b", "a\x00", "a\nb"])
def test_what_could_lead_elsewhere_is_no_part_of_a_path(part: str) -> None:
    with pytest.raises(ProblemError) as refused:
        quoted(part)
    assert refused.value.status == 404


@pytest.mark.parametrize("url", ["ftp://x", "http://host/path", "host:80", "http://", "http://h?q=1"])
def test_an_address_with_more_than_host_and_port_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="must be http"):
        Settings(database_url=SecretStr("x"), service_token=SecretStr("x" * 16), public_url=url)
