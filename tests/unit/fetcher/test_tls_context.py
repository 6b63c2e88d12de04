"""A context is made once for all connections that want the same: with thousands of mailboxes its making would be most of the work."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest

from fetcher.adapters.imap.account import Account
from fetcher.adapters.imap.errors import CaFileError
from fetcher.adapters.imap.tls import tls_context
from fetcher.domain.parameters import Parameters
from shared.api import SslMethod

SYSTEM = ssl.get_default_verify_paths().cafile


def _account(user: str = "anna", method: SslMethod = SslMethod.VALIDATE, ca_file: str | None = None) -> Account:
    return Account("imap.example", 993, user, "secret", ssl_method=method, parameters=Parameters(ca_file=ca_file))


def test_mailboxes_with_the_same_settings_share_one() -> None:
    assert tls_context(_account("anna")) is tls_context(_account("paul"))


def test_one_that_does_not_validate_is_another() -> None:
    lax, strict = tls_context(_account(method=SslMethod.NO_VALIDATE)), tls_context(_account())
    assert (lax.verify_mode, strict.verify_mode) == (ssl.CERT_NONE, ssl.CERT_REQUIRED)
    assert strict.check_hostname


@pytest.mark.skipif(SYSTEM is None, reason="this system has no bundle of CAs to copy")
def test_a_changed_file_of_cas_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(Path(str(SYSTEM)).read_bytes())
    first = tls_context(_account(ca_file=str(file)))
    assert tls_context(_account(ca_file=str(file))) is first
    file.write_text("no certificate")
    os.utime(file, (1, 1))
    with pytest.raises(CaFileError):
        tls_context(_account(ca_file=str(file)))
