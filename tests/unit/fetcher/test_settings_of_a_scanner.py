from __future__ import annotations

import imaplib
import re
import socket
import ssl
from pathlib import Path

import pytest

from fetcher.adapters.imap.errors import LoginRefusedError, explain
from fetcher.domain.backoff import pause
from fetcher.domain.parameters import ParameterError, read_parameters
from shared.api import SCANNER_PARAMETERS


def test_an_unknown_parameter_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ParameterError) as error:
        read_parameters({"TIMEOUT": "5"})
    assert error.value.name == "TIMEOUT"
    assert all(name in str(error.value) for name in SCANNER_PARAMETERS)


def test_known_parameters_become_values() -> None:
    values = {"DISABLE_AUTHENTICATOR": "plain|CRAM-MD5", "CONNECT_TIMEOUT": "5", "BATCH_SIZE": "10", "CA_FILE": "/etc/ca.pem"}
    found = read_parameters(values)
    assert (found.disabled, found.connect_timeout, found.batch_size) == (frozenset({"PLAIN", "CRAM-MD5"}), 5, 10)


@pytest.mark.parametrize("values", [{"READ_TIMEOUT": "0"}, {"CA_FILE": " "}, {"DISABLE_AUTHENTICATOR": "PLAIN|LOGIN|CRAM-MD5"}])
def test_a_value_of_no_use_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(ParameterError):
        read_parameters(values)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("TLS_MINIMUM", "0.9", "one of 1.0, 1.1, 1.2, 1.3"),
        ("TLS_SECURITY_LEVEL", "6", "whole number from 0 to 5"),
        ("DISABLE_AUTHENTICATOR", "NTLM", "OAUTHBEARER, XOAUTH2"),
    ],
)
def test_a_wrong_value_says_what_is_right(name: str, value: str, says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        read_parameters({name: value})


def test_a_way_must_be_left_of_the_kind_that_is_used() -> None:
    passwords, tokens = {"DISABLE_AUTHENTICATOR": "PLAIN|LOGIN|CRAM-MD5"}, {"DISABLE_AUTHENTICATOR": "XOAUTH2|OAUTHBEARER"}
    assert read_parameters(passwords, oauth=True).disabled == {"PLAIN", "LOGIN", "CRAM-MD5"}
    assert read_parameters(tokens).disabled == {"XOAUTH2", "OAUTHBEARER"}
    for values, oauth in ((passwords, False), (tokens, True)):
        with pytest.raises(ParameterError, match="must be left"):
            read_parameters(values, oauth=oauth)


def test_every_parameter_stands_in_the_guide_as_the_form_tells_it() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "operating.md").read_text()
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.*) \|$", guide, re.MULTILINE)
    told = {name: meaning.replace("\\|", "|") for name, meaning in rows}
    assert {name: told.get(name) for name in SCANNER_PARAMETERS} == dict(SCANNER_PARAMETERS)


def test_a_refused_login_is_left_alone_longer() -> None:
    assert [pause(n, login=False, jitter=0) for n in (1, 2, 3, 9, 99)] == [1, 2, 4, 256, 300]
    assert [pause(n, login=True, jitter=0) for n in (1, 2, 99)] == [300, 600, 3600]
    assert pause(1, login=False, jitter=1) == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (socket.gaierror(-2, "x"), "was not found"),
        (ConnectionRefusedError(), "check the port"),
        (TimeoutError(), "did not answer in time"),
        (ssl.SSLCertVerificationError(1, "x"), "CA_FILE"),
        (ssl.SSLError(1, "x"), "SSL type"),
        (LoginRefusedError("NO"), "user name or password"),
        (imaplib.IMAP4.abort("gone"), "broke"),
        (imaplib.IMAP4.error("odd"), "no good IMAP"),
    ],
)
def test_each_error_is_told_with_what_to_do(error: Exception, says: str) -> None:
    assert says in explain(error, "imap.company.example", 993)


def test_a_server_that_cannot_check_the_password_now_is_no_refusal() -> None:
    assert not LoginRefusedError("[UNAVAILABLE] Temporary authentication failure").login
    assert LoginRefusedError("[AUTHENTICATIONFAILED]").login
