"""Certificates of a test's own authority, good and bad ones."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LOOPBACK = ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class Certificate:
    """Files in PEM; the certificate's one holds its chain."""

    cert: Path
    key: Path


class Authority:
    """Signs what a test asks for; `file` is what clients trust it by."""

    def __init__(self, folder: Path, name: str = "Authority of a test") -> None:
        self._folder = folder
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._root()
        self.file = folder / f"{name.replace(' ', '-').lower()}.pem"
        self.file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, names: Sequence[str] = LOOPBACK, *, days: int = 30) -> Certificate:
        """For these names and addresses; negative `days` make one that ended so many days ago."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(names[0], self._name, key, days).add_extension(_alternatives(names), critical=False)
        return _write(self._folder, key, builder.sign(self._key, hashes.SHA256()))

    def _root(self) -> x509.Certificate:
        builder = _builder(self._name, self._name, self._key, 30)
        return builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(self._key, hashes.SHA256())


def self_signed(folder: Path, names: Sequence[str] = LOOPBACK) -> Certificate:
    """One that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(names[0], names[0], key, 30).add_extension(_alternatives(names), critical=False)
    return _write(folder, key, builder.sign(key, hashes.SHA256()))


def _builder(subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _alternatives(names: Sequence[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([_alternative(name) for name in names])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write(folder: Path, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> Certificate:
    stem = f"{certificate.serial_number:x}"[:16]
    files = Certificate(folder / f"{stem}.crt", folder / f"{stem}.key")
    files.cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files.key.write_bytes(pem)
    return files
