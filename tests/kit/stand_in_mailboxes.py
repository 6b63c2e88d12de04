"""Mailboxes of the stand-in's world: one in each state worth seeing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from shared import api

NOW = datetime.now(UTC)


def ago(**span: float) -> datetime:
    """A moment before the stand-in's start."""
    return NOW - timedelta(**span)


def new_scanner(scanner_id: str, name: str, **values: Any) -> api.Scanner:
    """A healthy one, but for what is given."""
    fields: dict[str, Any] = {"server": "imap.company.example", "username": "help@company.example", "sender_id": "smtp-1"}
    fields |= {"state": healthy()} | values
    return api.Scanner(id=scanner_id, name=name, version=3, created_at=ago(days=30), updated_at=ago(days=2), **fields)


def healthy(**values: Any) -> api.ScannerState:
    """Read a moment ago, watched by push."""
    known = {
        "last_scan_at": ago(seconds=20),
        "last_success_at": ago(seconds=20),
        "next_scan_at": NOW + timedelta(seconds=40),
        "read_last_hour": 38,
        "watching": "push",
        "fetcher": "fetcher-1",
    }
    return api.ScannerState.model_validate(known | values)


def mailboxes() -> list[api.Scanner]:
    """By name, as the fetcher lists them."""
    made = [
        new_scanner("support", "Support", move_matched_to="Done/2026", spam_folder="Spam", start_from="P7D"),
        _refused(),
        _expired(),
        _disabled(),
        _renamed(),
        _ending(),
        _not_renewed(),
        _catching_up(),
        _nobody_signed_in(),
        _unencrypted(),
    ]
    return sorted(made, key=lambda scanner: scanner.name)


def _refused() -> api.Scanner:
    error = "The server refused the login of billing@company.example. Check user name and password; the next try is in 5 min."
    state = healthy(last_success_at=ago(hours=5), last_error=error, watching=None, fetcher=None, read_last_hour=0)
    return new_scanner("billing", "Billing", state=state, username="billing@company.example", sender_id=None)


def _expired() -> api.Scanner:
    error = (
        "The server's certificate ended on 20 November 2026. Renew it on the server; nothing is read until then, "
        "because somebody on the way could pretend to be it."
    )
    state = healthy(last_success_at=ago(days=3), last_error=error, watching=None, read_last_hour=0)
    return new_scanner("expired", "Certified orders (PEC)", state=state, pec=True, server="imaps.pec.example")


def _disabled() -> api.Scanner:
    warnings = ["The server's certificate is not validated: somebody on the way could pretend to be it and read password and mails."]
    parameters = {"READ_TIMEOUT": "30", "DISABLE_AUTHENTICATOR": "PLAIN|LOGIN"}
    fields: dict[str, Any] = {"enabled": False, "ssl_method": "no_validate", "warnings": warnings, "parameters": parameters}
    return new_scanner("old", "Old server in the cellar", state=api.ScannerState(), **fields)


def _renamed() -> api.Scanner:
    gone = "The folder “Bestellungen” is no longer on the server; it seems to be “Aufträge” now. Choose that one."
    lost = "The folder “Archive/2019” is no longer on the server. Choose others, or have it made again there."
    problems = [
        {"folder": "Bestellungen", "message": gone, "renamed_to": "Aufträge"},
        {"folder": "Archive/2019", "message": lost},
    ]
    state = healthy(last_error=f"{gone} {lost}", problems=problems, watching="poll")
    return new_scanner("renamed", "Shop", state=state, interval_seconds=300)


def _ending() -> api.Scanner:
    tokens = {"signed_in": True, "expires_at": NOW + timedelta(minutes=4), "renewed_at": ago(minutes=56)}
    oauth = {"provider": "google", "client_id": "1234.apps.googleusercontent.example"}
    return new_scanner("ending", "Info (Google)", auth="oauth2", oauth=oauth, state=healthy(oauth=tokens), server="imap.gmail.com")


def _not_renewed() -> api.Scanner:
    error = "Microsoft 365 refused to renew the access: the password was changed or the consent withdrawn. Sign in again."
    tokens = {"signed_in": True, "expires_at": ago(minutes=20), "renewed_at": ago(hours=3), "error": error}
    oauth = {"provider": "microsoft", "client_id": "0b7e6a1c-5f7d", "tenant": "company.onmicrosoft.com"}
    state = healthy(last_success_at=ago(hours=2), last_error=error, oauth=tokens, watching=None)
    return new_scanner("lapsed", "Contracts (Microsoft 365)", auth="oauth2", oauth=oauth, state=state, server="outlook.office365.com")


def _catching_up() -> api.Scanner:
    state = healthy(backlog=48_211, read_last_hour=131_902, watching=None, last_success_at=ago(hours=1))
    return new_scanner("busy", "All of last year", state=state, start_from="everything")


def _nobody_signed_in() -> api.Scanner:
    oauth = {"provider": "oidc", "client_id": "mailconverter", "issuer": "https://login.company.example"}
    state = api.ScannerState(oauth=api.OAuthState(signed_in=False))
    return new_scanner("fresh", "Press", auth="oauth2", oauth=oauth, state=state, username="press@company.example")


def _unencrypted() -> api.Scanner:
    warnings = ["The connection is not encrypted: passwords and mails can be read on the way."]
    return new_scanner("plain", "Plain old server", ssl_type="none", port=143, warnings=warnings, state=healthy(watching="poll"))


def recent_scans() -> list[api.ScanRecord]:
    """The newest first."""
    rows = [
        {"started_at": ago(minutes=2), "seconds": 0.42, "found": 3, "read": 3},
        {"started_at": ago(minutes=31), "seconds": 212.0, "found": 4_180, "read": 4_180},
        {
            "started_at": ago(hours=2),
            "seconds": 60.2,
            "found": 12,
            "read": 5,
            "error": "The server cut the connection in the middle of a mail.",
        },
    ]
    return [api.ScanRecord.model_validate(row) for row in rows]


def folders() -> list[api.Folder]:
    """As a server lists them, with a folder that is no longer there."""
    rows: list[dict[str, Any]] = [
        {"name": "INBOX", "messages": 1204, "unread": 12},
        {"name": "INBOX/Orders", "messages": 88, "unread": 0},
        {"name": "INBOX/Orders/2026", "messages": 1, "unread": 1},
        {"name": "Sent", "special_use": "\\Sent", "messages": 930},
        {"name": "Spam", "special_use": "\\Junk", "messages": 51_022, "unread": 51_000},
        {"name": "Aufträge", "messages": 17, "unread": 2},
        {"name": "Bestellungen", "delimiter": None, "selectable": False, "missing": True, "renamed_to": "Aufträge", "selected": True},
        {"name": "user/anna/INBOX", "namespace": "other", "messages": 40, "unread": 3},
        {"name": "Public", "namespace": "shared", "selectable": False},
        {"name": "Public/Übersicht", "namespace": "shared"},
    ]
    return [api.Folder.model_validate({"delimiter": "/"} | row) for row in rows]
