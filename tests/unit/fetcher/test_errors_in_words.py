"""What goes wrong is told in plain words with what to do; what only a person can mend is left alone for five minutes."""

from __future__ import annotations

import errno
import imaplib
import ssl

import pytest

from fetcher.adapters.imap.errors import LoginRefusedError, TokenRefusedError, explain, needs_somebody

SERVER = "imap.company.example"


@pytest.mark.parametrize(
    ("answer", "says", "person"),
    [
        ("[AUTHENTICATIONFAILED] Authentication failed.", "enter them anew", True),  # Dovecot
        ("LOGIN failed.", "enter them anew", True),  # Exchange
        ("Login failed.", "enter them anew", True),  # Courier
        ("Login failed: authentication failure", "enter them anew", True),  # Cyrus
        ("[AUTHENTICATIONFAILED] Invalid credentials (Failure)", "enter them anew", True),  # Gmail
        ("[ALERT] Application-specific password required: https://support.google.com/accounts/answer/185833", "app password", True),
        ("[ALERT] Please log in via your web browser: https://support.google.com/mail/accounts/answer/78754", "in the browser first", True),
        ("[WEBALERT https://accounts.google.com/signin] Web login required.", "in the browser first", True),
        ("[ALERT] Your account is not enabled for IMAP use. Please visit your Gmail settings page", "IMAP is switched off", True),
        ("[ALERT] IMAP access is disabled for your domain.", "IMAP is switched off", True),
        ("[ALERT] Too many simultaneous connections. (Failure)", "Too many connections", False),  # Gmail
        ("[ALERT] Maximum number of connections from user+IP exceeded (mail_max_userip_connections)", "Too many connections", False),
        ("[LIMIT] no more sessions", "Too many connections", False),
        ("[OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)", "used up its allowance", True),
        ("BasicAuthBlocked", "choose OAuth 2.0", True),  # Microsoft 365
        ("User is authenticated but not connected.", "no mailbox to open", True),  # Exchange
        ("[PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.", "STARTTLS or SSL", True),
        ("cleartext logins disabled", "STARTTLS or SSL", True),  # Zimbra
        ("[EXPIRED] Password expired", "password has expired", True),
        ("account is locked", "account is locked", True),  # Zimbra
        ("Too many failed attempts, try again in an hour", "account is locked", True),
        ("[AUTHENTICATIONFAILED] Your account has been suspended", "account is disabled", True),
        ("[CONTACTADMIN] no", "barred this account", True),
        ("[AUTHORIZATIONFAILED] no", "may not open this mailbox", True),
        ("[UNAVAILABLE] Temporary authentication failure. [mail:2026-11-23]", "tried again by itself", False),  # Dovecot
        ("[INUSE] mailbox is in maintenance", "tried again by itself", False),
    ],
)
def test_a_refused_password_by_response_code_and_by_the_usual_texts(answer: str, says: str, person: bool) -> None:
    error = LoginRefusedError(answer, SERVER)
    assert says in str(error)
    assert str(error).endswith(f"The server said: {answer}")
    assert needs_somebody(error) is person


@pytest.mark.parametrize(
    ("server", "says"), [("outlook.office365.com", "choose OAuth 2.0"), ("imap.gmail.com", "app password"), (SERVER, "enter them anew")]
)
def test_providers_that_take_no_passwords_are_known_by_name(server: str, says: str) -> None:
    assert says in str(LoginRefusedError("LOGIN failed.", server))


def test_a_refused_token_says_whether_another_would_help() -> None:
    refused = TokenRefusedError("invalid_token", "[AUTHENTICATIONFAILED] Authentication failed.")
    assert (refused.token, needs_somebody(refused), "sign in again" in str(refused)) == (True, True, True)
    assert "status invalid_token, [AUTHENTICATIONFAILED]" in str(refused)
    away = TokenRefusedError("", "[UNAVAILABLE] Temporary authentication failure")
    assert (away.token, needs_somebody(away), "by itself" in str(away)) == (False, False, True)
    no_mailbox = TokenRefusedError("", "User is authenticated but not connected.")
    assert (no_mailbox.token, needs_somebody(no_mailbox)) == (False, True)


def certificate(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "as OpenSSL says"
    return error


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (9, "not valid yet"),
        (10, "has expired"),
        (18, "signed by itself"),
        (19, "this machine does not know"),
        (20, "this machine does not know"),
        (21, "does not show its authority"),
        (23, "revoked"),
        (62, "for another name"),
        (64, "for another address"),
        (66, "too short a key"),
        (68, "no longer safe"),
        (999, "is not valid: check the server name"),
    ],
)
def test_a_bad_certificate_is_told_by_what_is_wrong_with_it(code: int, says: str) -> None:
    error = certificate(code)
    words = explain(error, SERVER, 993)
    assert f"The certificate of {SERVER} " in words
    assert says in words
    assert "No password was sent" in words
    assert needs_somebody(error)


@pytest.mark.parametrize(
    ("reason", "says", "person"),
    [
        ("UNSUPPORTED_PROTOCOL", "TLS_MINIMUM", True),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "TLS_MINIMUM", True),
        ("DH_KEY_TOO_SMALL", "TLS_SECURITY_LEVEL", True),
        ("UNSAFE_LEGACY_RENEGOTIATION_DISABLED", "TLS_SECURITY_LEVEL", True),
        ("WRONG_VERSION_NUMBER", "choose SSL type STARTTLS", False),
        ("BAD_RECORD_MAC", "check SSL type and port", False),
    ],
)
def test_tls_that_does_not_come_about(reason: str, says: str, person: bool) -> None:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    assert says in explain(error, SERVER, 993)
    assert needs_somebody(error) is person


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.EHOSTUNREACH, "No route to host"), "cannot be reached"),
        (PermissionError(errno.EPERM, "Operation not permitted"), "firewall"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "broke"),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "broke"),
        (imaplib.IMAP4.abort("command: LOGIN => BYE [UNAVAILABLE] try again later"), "at the moment"),
        (imaplib.IMAP4.abort("BYE Too many connections from your address"), "Too many connections"),
        (imaplib.IMAP4.error("b'* BYE Internal error occurred'"), "ended the connection by itself"),
        (imaplib.IMAP4.abort("socket error: EOF"), "broke"),
    ],
)
def test_what_mends_itself_is_tried_again_soon(error: Exception, says: str) -> None:
    assert says in explain(error, SERVER, 993)
    assert not needs_somebody(error)
