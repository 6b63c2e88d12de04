"""The connection and its encryption, before anybody signs in."""

from __future__ import annotations

import ssl

from imapclient import IMAPClient, SocketTimeout

from fetcher.adapters.imap_account import Account
from fetcher.adapters.imap_errors import no_starttls
from shared.api import SslMethod, SslType


def tls_context(account: Account) -> ssl.SSLContext:
    """Validates unless switched off; raises OSError or ssl.SSLError where CA_FILE cannot be read."""
    context = ssl.create_default_context(cafile=account.parameters.ca_file)
    if account.ssl_method is SslMethod.NO_VALIDATE:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def open_client(account: Account) -> IMAPClient:
    """Connected, with TLS from the first byte where SSL type is SSL."""
    over_tls = account.ssl_type is SslType.SSL
    timeout = SocketTimeout(account.connect_timeout, account.read_timeout)
    context = tls_context(account) if over_tls else None
    client = IMAPClient(account.server, account.port, ssl=over_tls, ssl_context=context, timeout=timeout)
    # imapclient formats every line for a debug log; without it reading is five times faster, and no mail reaches a log.
    client._imap.debug = 0  # noqa: SLF001 -- there is no public way; pinned by a test
    client.normalise_times = False
    return client


def start_tls(client: IMAPClient, account: Account) -> None:
    """STARTTLS (RFC 3501, 6.2.1). Raises MailboxError where the server does not offer it."""
    if not client.has_capability("STARTTLS"):
        raise no_starttls(account.server)
    client.starttls(tls_context(account))
