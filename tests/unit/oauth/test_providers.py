"""Providers, scopes, and when a token is renewed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.api import OAuthFields
from shared.oauth.model import (
    IMAP,
    SMTP,
    Client,
    Purpose,
    Secrets,
    consent_request,
    due,
    known_endpoints,
    problems,
    safe_url,
    token_request,
)
from shared.oauth.refusals import refusal_words

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def client(purpose: Purpose = IMAP, *, refresh_token: str = "kept", username: str = "help@company.example", **fields: Any) -> Client:
    oauth = OAuthFields.model_validate({"provider": "oidc", "client_id": "x"} | fields)
    return Client(oauth, Secrets("secret", refresh_token), purpose, username)


def test_microsoft_is_asked_in_the_tenant_for_the_scopes_of_imap() -> None:
    person = client(provider="microsoft")
    application = client(provider="microsoft", tenant="company.example", grant="client_credentials")
    endpoints = known_endpoints(application.oauth)
    assert endpoints is not None
    assert endpoints.token == "https://login.microsoftonline.com/company.example/oauth2/v2.0/token"
    assert "common" in getattr(known_endpoints(person.oauth), "authorize", "")
    assert token_request(application) == {"grant_type": "client_credentials", "scope": "https://outlook.office365.com/.default"}
    assert token_request(person) == {
        "grant_type": "refresh_token",
        "refresh_token": "kept",
        "scope": "https://outlook.office.com/IMAP.AccessAsUser.All offline_access",
    }


def test_microsoft_is_asked_for_the_scopes_of_smtp() -> None:
    person = client(SMTP, provider="microsoft")
    assert token_request(person)["scope"] == "https://outlook.office.com/SMTP.Send offline_access"
    application = client(SMTP, provider="microsoft", tenant="company.example", grant="client_credentials")
    assert token_request(application)["scope"] == "https://outlook.office365.com/.default"


def test_a_scope_that_was_given_is_asked_for_as_it_is() -> None:
    own = client(SMTP, provider="oidc", issuer="https://login.company.example", grant="client_credentials", scope="smtp.send")
    assert token_request(own)["scope"] == "smtp.send"


def test_google_is_asked_for_a_refresh_token_and_refreshed_without_a_scope() -> None:
    google = client(provider="google")
    assert consent_request(google) == {"login_hint": "help@company.example", "access_type": "offline", "prompt": "consent"}
    assert token_request(google)["scope"] == ""
    assert consent_request(client(username="help")) == {}


@pytest.mark.parametrize(
    ("life", "left", "wanted"),
    [
        (timedelta(hours=1), timedelta(minutes=7), False),
        (timedelta(hours=1), timedelta(minutes=5, seconds=59), True),
        (timedelta(minutes=30), timedelta(minutes=4), True),
        (timedelta(minutes=30), timedelta(minutes=6), False),
        (timedelta(days=1), timedelta(hours=2), True),
        (timedelta(minutes=4), timedelta(minutes=3), False),
        (timedelta(minutes=4), timedelta(minutes=1), True),
        (timedelta(hours=1), timedelta(minutes=-1), True),
    ],
)
def test_a_token_is_renewed_five_minutes_or_a_tenth_of_its_life_ahead(life: timedelta, left: timedelta, wanted: bool) -> None:
    assert due(NOW, NOW + left - life, NOW + left) is wanted


def test_a_token_that_never_was_is_due() -> None:
    assert due(NOW, None, None)


@pytest.mark.parametrize(
    ("fields", "has_secret", "named"),
    [
        ({"issuer": "https://login.company.example/realm"}, False, []),
        ({}, False, ["oauth.issuer"]),
        ({"issuer": "https://"}, False, ["oauth.issuer"]),
        ({"provider": "microsoft", "grant": "client_credentials"}, True, ["oauth.tenant"]),
        ({"provider": "microsoft", "grant": "client_credentials", "tenant": "company.example"}, False, ["oauth.client_secret"]),
        ({"provider": "google", "grant": "client_credentials"}, True, ["oauth.grant"]),
        ({"provider": "google", "client_id": "a\nb"}, True, ["oauth.client_id"]),
    ],
)
def test_fields_that_do_not_fit_are_named(fields: dict[str, Any], has_secret: bool, named: list[str]) -> None:
    assert [field for field, _ in problems("oauth2", client(**fields).oauth, has_secret=has_secret)] == named


def test_oauth_is_needed_only_where_it_is_chosen() -> None:
    assert [field for field, _ in problems("oauth2", None, has_secret=False)] == ["oauth"]
    assert problems("password", None, has_secret=False) == []


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://login.company.example", True),
        ("http://127.0.0.1:8080/realm", True),
        ("http://localhost/x", True),
        ("http://[::1]/x", True),
        ("http://login.company.example", False),
        ("https://user@login.company.example", False),
        ("https://login.company.example:99999", False),
        ("ftp://localhost", False),
        ("login.company.example", False),
    ],
)
def test_secrets_go_by_https_or_stay_on_the_machine(url: str, safe: bool) -> None:
    assert safe_url(url) is safe


@pytest.mark.parametrize(
    ("code", "description", "says"),
    [
        ("invalid_grant", "Token has been expired or revoked.", "sign in again"),
        ("invalid_grant", "AADSTS50173: The provided grant has expired due to it being revoked.", "password was changed"),
        ("invalid_client", "", "enter client_id and client_secret anew"),
        ("invalid_client", "AADSTS7000222: The provided client secret keys are expired.", "make a new one at Microsoft Entra"),
        ("unauthorized_client", "AADSTS700016: Application not found", "does not know this client"),
        ("invalid_scope", "", "correct it, or leave it blank"),
        ("something_new", "", "The provider said: something_new"),
    ],
)
def test_a_refusal_of_the_provider_says_what_to_do(code: str, description: str, says: str) -> None:
    assert says in (refusal_words(code, description, IMAP) or "")


def test_a_refusal_names_what_the_token_is_for() -> None:
    assert "on the page of the SMTP identity" in (refusal_words("invalid_grant", "", SMTP) or "")
    assert "the permission for SMTP" in (refusal_words("consent_required", "", SMTP) or "")


def test_a_provider_that_is_busy_is_no_refusal() -> None:
    assert refusal_words("temporarily_unavailable", "", IMAP) is None
