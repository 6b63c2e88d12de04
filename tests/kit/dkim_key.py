"""A DKIM key, and the DNS record that a receiving server would find of it."""

from __future__ import annotations

import dkim  # type: ignore[import-untyped]  # it has no types
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


class DkimKey:
    """Of `help.example`."""

    def __init__(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        kinds = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        self._private = key.private_bytes(*kinds)
        public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        self._record = b"v=DKIM1; k=rsa; p=" + b"".join(public.splitlines()[1:-1])

    def sign(self, mail: bytes, ways: tuple[bytes, bytes]) -> bytes:
        """The field to put before the mail; `ways` are the canonicalisations of header and body (RFC 6376, 3.4)."""
        return bytes(dkim.sign(mail, b"mail", b"help.example", self._private, canonicalize=ways))

    def holds(self, mail: bytes) -> bool:
        """Whether its signature is right."""
        return bool(dkim.verify(mail, dnsfunc=lambda *_, **__: self._record))
