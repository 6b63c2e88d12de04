"""The connection and its encryption, before anybody signs in."""

from __future__ import annotations

import imaplib
import ssl
from functools import lru_cache
from pathlib import Path
from threading import Lock

from imapclient import SocketTimeout

from fetcher.adapters.imap.account import Account
from fetcher.adapters.imap.errors import CaFileError, no_starttls, starttls_refused, tls_too_old
from fetcher.adapters.imap.wire import Client, Wire
from shared.api import SslMethod, SslType

MINIMUM = {
    "1.0": ssl.TLSVersion.MINIMUM_SUPPORTED,
    "1.1": ssl.TLSVersion.MINIMUM_SUPPORTED,  # Python warns of its own constants for these; `secure` tells 1.0 from 1.1
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
_MAKING = Lock()


def tls_context(account: Account) -> ssl.SSLContext:
    """Validates unless switched off. Raises CaFileError.

    One for all connections with the same settings, made anew when the file of CAs changes: reading the system's takes 50 ms, in which
    no other thread runs.
    """
    parameters = account.parameters
    file = parameters.ca_file or ssl.get_default_verify_paths().cafile
    try:
        with _MAKING:
            changed = Path(file).stat().st_mtime_ns if file else 0
            return _context(parameters.ca_file, changed, account.ssl_method, parameters.tls_minimum, parameters.tls_security_level)
    except OSError as error:  # ssl.SSLError is one: a file without certificates
        raise CaFileError(getattr(error, "reason", None) or error.strerror or "no certificate in it") from None


@lru_cache(maxsize=256)
def _context(ca_file: str | None, _changed: int, method: SslMethod, minimum: str, security_level: int | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    if method is SslMethod.NO_VALIDATE:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.minimum_version = MINIMUM[minimum]
    old = minimum in {"1.0", "1.1"}
    level = 0 if old else security_level  # OpenSSL 3 has these versions at level 0 only
    if level is not None:
        context.set_ciphers(f"DEFAULT:@SECLEVEL={level}")
    if level == 0:
        context.options |= getattr(ssl, "OP_LEGACY_SERVER_CONNECT", 0x4)  # renegotiation as before RFC 5746; named since Python 3.12
    return context


def open_client(account: Account, wire: Wire) -> Client:
    """Connected, with TLS from the first byte where SSL type is SSL. `wire`: to cut the connection by, at any time."""
    over_tls = account.ssl_type is SslType.SSL
    timeout = SocketTimeout(account.connect_timeout, account.read_timeout)
    context = None if account.ssl_type is SslType.NONE else tls_context(account)
    client = Client(wire, account.server, account.port, context if over_tls else None, timeout)
    client.normalise_times = False
    return client


def secure(client: Client, account: Account) -> None:
    """Encrypted as the scanner asks for, before anything secret is sent. Raises MailboxError, OSError."""
    if account.ssl_type is SslType.STARTTLS:
        _start_tls(client, account)
    sock = client.socket()
    if account.parameters.tls_minimum == "1.1" and isinstance(sock, ssl.SSLSocket) and sock.version() == "TLSv1":
        raise tls_too_old(account.server, "TLS 1.0")


def _start_tls(client: Client, account: Account) -> None:
    """STARTTLS (RFC 3501, 6.2.1). Raises MailboxError where the server does not offer or refuses it: no password leaves then.

    Somebody on the way could add answers of his own in clear before the encryption begins (CVE-2011-0411 and its kin). imaplib begins a
    new buffer with the encrypted stream; what was kept of answers before it is forgotten here.
    """
    imap = client._imap  # noqa: SLF001 -- its state is in imaplib only
    if imap.state != "NONAUTH" or not client.has_capability("STARTTLS"):
        raise no_starttls(account.server)
    try:
        client.starttls(tls_context(account))
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error:
        raise starttls_refused(account.server) from None
    imap.untagged_responses.clear()
