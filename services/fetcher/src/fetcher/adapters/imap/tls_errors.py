"""Why an encrypted connection did not come about, in plain words with what to do. OpenSSL tells it by code and reason."""

from __future__ import annotations

import ssl

CERTIFICATE = {
    2: "was signed by an authority that the server does not show: ask the provider, or name the authority in CA_FILE",
    9: "is not valid yet: check the clock of the fetcher's machine, or ask the provider",
    10: "has expired: the provider must renew it",
    18: "is signed by itself: put the certificate into a file and name it in the parameter CA_FILE, or let the provider get a proper one",
    19: "comes from an authority that this machine does not know: name a file with that authority in the parameter CA_FILE",
    20: "comes from an authority that this machine does not know: name a file with that authority in the parameter CA_FILE",
    21: "cannot be checked, as the server does not show its authority: ask the provider, or name the authority in CA_FILE",
    23: "was revoked: the provider must replace it",
    62: "is for another name: enter the server's name as the certificate has it",
    64: "is for another address: enter the server's name as the certificate has it, not its address",
    66: "has too short a key: ask the provider for a new one, or set TLS_SECURITY_LEVEL to 1 or 0",
    67: "has an authority with too short a key: ask the provider, or set TLS_SECURITY_LEVEL to 1 or 0",
    68: "is signed in a way that is no longer safe: ask the provider for a new one, or set TLS_SECURITY_LEVEL to 1 or 0",
}
"""By X509_V_ERR_* of OpenSSL's x509_vfy.h."""
TOO_OLD = {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_SSL_VERSION", "NO_PROTOCOLS_AVAILABLE"}
TOO_WEAK = {
    "BAD_KEY_SHARE",
    "CA_KEY_TOO_SMALL",
    "CA_MD_TOO_WEAK",
    "DH_KEY_TOO_SMALL",
    "EE_KEY_TOO_SMALL",
    "NO_SHARED_CIPHER",
    "SSLV3_ALERT_HANDSHAKE_FAILURE",
    "TLSV1_ALERT_INSUFFICIENT_SECURITY",
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED",
    "WRONG_SIGNATURE_TYPE",
}
NO_TLS = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "UNEXPECTED_MESSAGE"}


def tls_words(error: ssl.SSLError, server: str, port: int) -> str:
    """No password was sent: it never is before the encryption stands."""
    return _certificate(error, server) if isinstance(error, ssl.SSLCertVerificationError) else _handshake(error, server, port)


def _certificate(error: ssl.SSLCertVerificationError, server: str) -> str:
    code, message = getattr(error, "verify_code", 0), getattr(error, "verify_message", str(error))
    why = CERTIFICATE.get(code, "is not valid: check the server name, or name the provider's own authority in the parameter CA_FILE")
    return f"The certificate of {server} {why} ({message}). No password was sent."


def _handshake(error: ssl.SSLError, server: str, port: int) -> str:
    reason = _reason(error) or str(error)[:100]
    if reason in TOO_OLD:
        return too_old_words(server, "other versions of TLS than this scanner allows")
    if reason in TOO_WEAK:
        return (
            f"{server} and this scanner find no encryption that both accept ({reason}): ask the provider for a newer server, "
            "or set the parameter TLS_SECURITY_LEVEL to 1 or 0, or TLS_MINIMUM to 1.0."
        )
    if reason in NO_TLS:
        return f"{server} port {port} does not speak TLS from the first byte: choose SSL type STARTTLS, or the port for SSL (993)."
    return f"{server} port {port} does not speak TLS as expected ({reason}): check SSL type and port."


def too_old_words(server: str, spoken: str) -> str:
    """`spoken`: what the server offers."""
    return (
        f"{server} speaks {spoken}: ask the provider for a newer server; for an old one set the parameter TLS_MINIMUM to 1.0 or 1.1, "
        "knowing that these can be broken. No password was sent."
    )


def waits_for_somebody(error: ssl.SSLError) -> bool:
    """Whether nothing will change before somebody does something."""
    return isinstance(error, ssl.SSLCertVerificationError) or _reason(error) in TOO_OLD | TOO_WEAK


def _reason(error: ssl.SSLError) -> str:
    return getattr(error, "reason", None) or ""
