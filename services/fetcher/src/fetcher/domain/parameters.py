"""A scanner's parameters: name/value pairs, a closed list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.api import SCANNER_PARAMETERS

AUTHENTICATORS = ("PLAIN", "LOGIN", "CRAM-MD5")

_RANGES = {"CONNECT_TIMEOUT": (1, 300), "READ_TIMEOUT": (1, 600), "BATCH_SIZE": (1, 500)}


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


def read_parameters(values: Mapping[str, str]) -> Parameters:
    """Raises ParameterError that names the parameter and lists the known ones."""
    for name, value in values.items():
        if name not in SCANNER_PARAMETERS:
            raise ParameterError(name, f"{name} is unknown; known are {', '.join(SCANNER_PARAMETERS)}")
        if any(ord(char) < 32 for char in value) or not value.strip() or len(value) > 1000:
            raise ParameterError(name, f"{name} needs a value of at most 1000 characters: {SCANNER_PARAMETERS[name]}")
    numbers = {name: _number(name, values[name]) for name in _RANGES if name in values}
    return Parameters(
        disabled=_disabled(values.get("DISABLE_AUTHENTICATOR", "")),
        connect_timeout=numbers.get("CONNECT_TIMEOUT"),
        read_timeout=numbers.get("READ_TIMEOUT"),
        batch_size=numbers.get("BATCH_SIZE"),
        ca_file=values.get("CA_FILE"),
        shared_mailbox=values.get("SHARED_MAILBOX"),
    )


def _number(name: str, value: str) -> int:
    low, high = _RANGES[name]
    if not value.strip().isdecimal() or not low <= int(value) <= high:
        raise ParameterError(name, f"{name} must be a whole number from {low} to {high}")
    return int(value)


def _disabled(value: str) -> frozenset[str]:
    names = frozenset(part.strip().upper() for part in value.split("|") if part.strip())
    unknown = sorted(names - set(AUTHENTICATORS))
    if unknown:
        raise ParameterError("DISABLE_AUTHENTICATOR", f"{unknown[0]} is unknown; known are {', '.join(AUTHENTICATORS)}")
    if names == set(AUTHENTICATORS):
        raise ParameterError("DISABLE_AUTHENTICATOR", "at least one way to sign in must be left")
    return names
