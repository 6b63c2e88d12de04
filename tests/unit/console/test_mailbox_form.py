"""A mailbox between its form and its JSON, and its state in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from starlette.datastructures import FormData

from console.oauth import is_safe
from console.pages import mailbox_texts
from console.pages.mailbox_form import new_mailbox, sent, shown, typed
from console.pages.page import field_errors
from shared.api import Scanner, ScannerIn, ScannerPatch
from shared.http import ProblemError

FILLED = [
    ("name", "Help"),
    ("server", "imap.company.example"),
    ("port", "993"),
    ("protocol", "imap4"),
    ("username", "help@company.example"),
    ("auth", "password"),
    ("ssl_type", "ssl"),
    ("ssl_method", "validate"),
    ("find", "all"),
    ("after_scanning", "none"),
    ("interval_seconds", "60"),
    ("start_from", "days"),
    ("start_days", "7"),
    ("oauth.provider", "microsoft"),
    ("oauth.grant", "refresh_token"),
    ("oauth.client_id", "id"),
    ("oauth.tenant", "company.example"),
    ("oauth.issuer", "https://left.example"),
]


def form(*more: tuple[str, str]) -> FormData:
    """The fields given in place of those filled in."""
    given = {name for name, _ in more}
    return form_of([pair for pair in FILLED if pair[0] not in given], more)


def form_of(*fields: Iterable[tuple[str, str]]) -> FormData:
    return FormData([(name, value) for pairs in fields for name, value in pairs])


def test_a_filled_form_is_what_the_api_takes() -> None:
    filled = form(("password", "s3cret"), ("spam_folder", "Spam"), ("parameter_name", "BATCH_SIZE"), ("parameter_value", " 20 "))
    body = ScannerIn.model_validate(sent(typed(filled), filled))
    assert (body.password, body.spam_folder, body.start_from, body.parameters) == ("s3cret", "Spam", "P7D", {"BATCH_SIZE": "20"})
    assert (body.oauth, body.move_matched_to, body.enabled, body.push) == (None, None, False, False)


def test_a_secret_left_blank_is_not_sent() -> None:
    body = ScannerPatch.model_validate(sent(typed(form()), form()))
    assert "password" not in body.model_fields_set
    filled = form(("auth", "oauth2"), ("password", "forgotten in a hidden field"))
    oauth = ScannerPatch.model_validate(sent(typed(filled), filled))
    assert "password" not in oauth.model_fields_set
    assert oauth.oauth is not None
    assert "client_secret" not in oauth.oauth.model_fields_set


@pytest.mark.parametrize(
    ("provider", "tenant", "issuer"),
    [("google", "", ""), ("microsoft", "company.example", ""), ("oidc", "", "https://left.example")],
)
def test_what_belongs_to_another_provider_is_left_out(provider: str, tenant: str, issuer: str) -> None:
    filled = form(("auth", "oauth2"), ("oauth.provider", provider))
    oauth = sent(typed(filled), filled)["oauth"]
    assert (oauth["tenant"], oauth["issuer"]) == (tenant, issuer)


def test_parameters_that_cannot_be_told_apart_are_refused_at_their_rows() -> None:
    rows = [("CA_FILE", "/a"), ("CA_FILE", "/b"), ("", "x"), ("", "")]
    pairs = [pair for name, value in rows for pair in (("parameter_name", name), ("parameter_value", value))]
    filled = form_of(FILLED, pairs)
    assert typed(filled)["parameters"] == rows[:3]
    with pytest.raises(ProblemError) as refused:
        sent(typed(filled), filled)
    assert set(field_errors(refused.value)) == {"parameters.CA_FILE", "parameters."}


def test_a_new_form_and_a_saved_mailbox_are_shown_by_the_same_names() -> None:
    assert set(typed(form())) <= set(new_mailbox())
    assert shown(scanner(parameters={"CA_FILE": "/a"}))["parameters"] == [("CA_FILE", "/a")]


def scanner(state: dict[str, Any] | None = None, **values: Any) -> dict[str, Any]:
    known = {"id": "1", "version": 1, "name": "Help", "server": "a.example", "username": "u", "state": state or {}}
    times = dict.fromkeys(("created_at", "updated_at"), "2026-11-23T12:00:00Z")
    return Scanner.model_validate(known | times | values).model_dump(mode="json")


GONE = {"folder": "Orders", "message": "Orders is gone."}
SEEN = {"last_success_at": "2026-11-23T12:00:00Z"}


@pytest.mark.parametrize(
    ("state", "words", "error"),
    [
        ({}, "Not read yet", ""),
        (SEEN, "Reading", ""),
        ({"backlog": 1} | SEEN, "Catching up", ""),
        ({"last_error": "Orders is gone.", "problems": [GONE]}, "Read in part", ""),
        ({"last_error": "The login failed.", "problems": [GONE]}, "Cannot be read", "The login failed."),
    ],
)
def test_a_mailbox_is_in_trouble_as_a_whole_or_in_part(state: dict[str, Any], words: str, error: str) -> None:
    made = scanner(state)
    assert (mailbox_texts.headline(made).text, mailbox_texts.error(made)) == (words, error)


def test_a_trouble_with_the_tokens_is_told_once() -> None:
    state = {"last_error": "Sign in again.", "oauth": {"signed_in": True, "error": "Sign in again."}}
    made = scanner(state, auth="oauth2", oauth={"provider": "google", "client_id": "id"})
    assert (mailbox_texts.error(made), mailbox_texts.token_error(made)) == ("", "Sign in again.")
    assert mailbox_texts.needs_attention(made)
    assert not mailbox_texts.needs_attention(made | {"enabled": False})


def test_only_a_person_is_waited_for() -> None:
    for grant, waits in (("refresh_token", True), ("client_credentials", False)):
        oauth = {"provider": "oidc", "client_id": "id", "grant": grant}
        assert mailbox_texts.needs_person(scanner({"oauth": {"signed_in": False}}, auth="oauth2", oauth=oauth)) is waits


@pytest.mark.parametrize("url", ["https://login.example/authorize?a=b", "http://127.0.0.9:80/x", "http://[::1]/x", "http://localhost:1/x"])
def test_a_browser_is_sent_where_it_is_safe(url: str) -> None:
    assert is_safe(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://login.example/",
        "javascript:alert(1)",
        "https://",
        "//login.example/",
        "https://[broken/",
        "https://a.example/ b",
        "https://a.example/\n",
        "https://ä.example/",
        "data:text/html,x",
        "",
    ],
)
def test_a_browser_is_sent_nowhere_else(url: str) -> None:
    assert not is_safe(url)


@pytest.mark.parametrize(("seconds", "told"), [(0.42, "0.4 s"), (60.2, "60 s"), (212.0, "3 min 32 s")])
def test_how_long_a_scan_took_is_told_shortly(seconds: float, told: str) -> None:
    assert mailbox_texts.took(seconds) == told
