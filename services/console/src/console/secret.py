"""Random secrets and the only form in which they are kept."""

from __future__ import annotations

import hashlib
import secrets

SECRET_BYTES = 32


def new_secret() -> str:
    """256 random bits, base64url (43 characters)."""
    return secrets.token_urlsafe(SECRET_BYTES)


def secret_hash(secret: str) -> str:
    """SHA-256, hexadecimal. Without salt or work factor: the input has 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()
