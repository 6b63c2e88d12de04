"""Secrets at rest: AES-256-GCM under a key ring that can be rotated.

A ring is `k2:<base64 of 32 bytes>,k1:<base64>`: the first key encrypts, every key decrypts. A stored secret starts with its key's
name, so an old key may be taken out once nothing carries its name.
"""

from __future__ import annotations

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
KEY_BYTES = 32


class SecretUnreadableError(Exception):
    """A stored secret does not open with the ring: its key is missing or the value was altered. Enter the secret anew."""


class KeyRing:
    """Encrypts and decrypts secrets bound to their place, so that one cannot be copied to another row."""

    def __init__(self, ring: str) -> None:
        """`ring` as in the module's head. Raises ValueError that says what is wrong, never the key."""
        self._keys: dict[str, AESGCM] = {}
        for entry in ring.split(","):
            name, _, encoded = entry.strip().partition(":")
            self._keys[name] = AESGCM(_key(name, encoded))
        self._current = next(iter(self._keys))

    def encrypt(self, secret: str, place: str) -> str:
        """`place` names the row and field the secret belongs to; the same must be given to decrypt."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._keys[self._current].encrypt(nonce, secret.encode(), place.encode())
        return f"{self._current}:{base64.b64encode(nonce + sealed).decode()}"

    def decrypt(self, stored: str, place: str) -> str:
        """Raises SecretUnreadableError."""
        name, _, encoded = stored.partition(":")
        key = self._keys.get(name)
        if key is None:
            raise SecretUnreadableError(f"the key ring has no key named {name!r}: add it to SECRET_KEYS or enter the secret anew")
        try:
            raw = base64.b64decode(encoded, validate=True)
            return key.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], place.encode()).decode()
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise SecretUnreadableError("a stored secret was altered or belongs elsewhere: enter it anew") from error


def _key(name: str, encoded: str) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError(f"key {name!r} of the ring is not base64") from error
    if not name or len(key) != KEY_BYTES:
        raise ValueError(f"a ring entry must be name:base64 of {KEY_BYTES} bytes; entry {name!r} is not")
    return key


def new_ring() -> str:
    """A ring with one fresh key, for a new installation."""
    return f"k1:{base64.b64encode(os.urandom(KEY_BYTES)).decode()}"
