"""A scanner's parameters: name/value pairs, a closed list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.api import SCANNER_PARAMETERS

PASSWORD_WAYS = ("PLAIN", "LOGIN", "CRAM-MD5")
"""In the order they are tried."""
OAUTH_WAYS = ("OAUTHBEARER", "XOAUTH2")
TLS_VERSIONS = ("1.0", "1.1", "1.2", "1.3")

_RANGES = {"CONNECT_TIMEOUT": (1, 300), "READ_TIMEOUT": (1, 600), "BATCH_SIZE": (1, 500), "TLS_SECURITY_LEVEL": (0, 5)}


class ParameterError(ValueError):
    """A parameter is unknown or its value is not usable; `name` tells which."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True)
class Parameters:
    """Parameters as values; None where the service's own setting holds."""

    disabled: frozenset[str] = frozenset()
    connect_timeout: float | None = None
    read_timeout: float | None = None
    batch_size: int | None = None
    ca_file: str | None = None
    shared_mailbox: str | None = None
    tls_minimum: str = "1.2"
    tls_security_level: int | None = None


def read_parameters(values: Mapping[str, str], *, oauth: bool = False) -> Parameters:
    """Raises ParameterError that names the parameter and lists the known ones. `oauth`: whether the scanner signs in by tokens."""
    for name, value in values.items():
        if name not in SCANNER_PARAMETERS:
            raise ParameterError(name, f"{name} is unknown; known are {', '.join(SCANNER_PARAMETERS)}")
        if any(ord(char) < 32 for char in value) or not value.strip() or len(value) > 1000:
            raise ParameterError(name, f"{name} needs a value of at most 1000 characters: {SCANNER_PARAMETERS[name]}")
    numbers = {name: _number(name, values[name]) for name in _RANGES if name in values}
    return Parameters(
        disabled=_disabled(values.get("DISABLE_AUTHENTICATOR", ""), OAUTH_WAYS if oauth else PASSWORD_WAYS),
        connect_timeout=numbers.get("CONNECT_TIMEOUT"),
        read_timeout=numbers.get("READ_TIMEOUT"),
        batch_size=numbers.get("BATCH_SIZE"),
        ca_file=values.get("CA_FILE"),
        shared_mailbox=values.get("SHARED_MAILBOX"),
        tls_minimum=_tls_minimum(values.get("TLS_MINIMUM", "1.2")),
        tls_security_level=numbers.get("TLS_SECURITY_LEVEL"),
    )


def _number(name: str, value: str) -> int:
    low, high = _RANGES[name]
    if not value.strip().isdecimal() or not low <= int(value) <= high:
        raise ParameterError(name, f"{name} must be a whole number from {low} to {high}")
    return int(value)


def _tls_minimum(value: str) -> str:
    if value.strip() not in TLS_VERSIONS:
        raise ParameterError("TLS_MINIMUM", f"TLS_MINIMUM must be one of {', '.join(TLS_VERSIONS)}")
    return value.strip()


def _disabled(value: str, needed: Sequence[str]) -> frozenset[str]:
    names = frozenset(part.strip().upper() for part in value.split("|") if part.strip())
    known = (*PASSWORD_WAYS, *OAUTH_WAYS)
    unknown = sorted(names - set(known))
    if unknown:
        raise ParameterError("DISABLE_AUTHENTICATOR", f"{unknown[0]} is unknown; known are {', '.join(known)}")
    if names >= set(needed):
        raise ParameterError("DISABLE_AUTHENTICATOR", f"at least one of {', '.join(needed)} must be left")
    return names
