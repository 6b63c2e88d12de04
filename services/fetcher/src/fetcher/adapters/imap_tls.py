"""The connection and its encryption, before anybody signs in."""

from __future__ import annotations

import ssl

from imapclient import SocketTimeout

from fetcher.adapters.imap_account import Account
from fetcher.adapters.imap_errors import no_starttls
from fetcher.adapters.imap_wire import Client, Wire
from shared.api import SslMethod, SslType


def tls_context(account: Account) -> ssl.SSLContext:
    """Validates unless switched off; raises OSError or ssl.SSLError where CA_FILE cannot be read."""
    context = ssl.create_default_context(cafile=account.parameters.ca_file)
    if account.ssl_method is SslMethod.NO_VALIDATE:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def open_client(account: Account, wire: Wire) -> Client:
    """Connected, with TLS from the first byte where SSL type is SSL. `wire`: to cut the connection by, at any time."""
    over_tls = account.ssl_type is SslType.SSL
    timeout = SocketTimeout(account.connect_timeout, account.read_timeout)
    context = tls_context(account) if over_tls else None
    client = Client(wire, account.server, account.port, context if over_tls else None, timeout)
    client.normalise_times = False
    return client


def start_tls(client: Client, account: Account) -> None:
    """STARTTLS (RFC 3501, 6.2.1). Raises MailboxError where the server does not offer it."""
    if not client.has_capability("STARTTLS"):
        raise no_starttls(account.server)
    client.starttls(tls_context(account))
