"""Content transfer encodings (RFC 2045, 6, and the older uuencode). What is damaged is decoded as far as it goes. Never raises."""

from __future__ import annotations

import binascii
from typing import Final

from pydantic_core import SchemaValidator, ValidationError, core_schema

from shared.mail.uuencode import take_out

_NOT_BASE64: Final = bytes(b for b in range(256) if not (chr(b).isascii() and (chr(b).isalnum() or chr(b) in "+/=")))
_MAX_BASE64_RUNS: Final = 10_000
# Reads a JSON string of base64 several times as fast as binascii does; it would also take escapes and the URL-safe alphabet.
_JSON_BASE64: Final = SchemaValidator(core_schema.bytes_schema(), config=core_schema.CoreConfig(val_json_bytes="base64"))

_UUENCODED: Final = {"x-uuencode", "uuencode", "x-uue", "uue"}


def decoded(data: bytes, encoding: str) -> bytes:
    """The bytes behind an encoding, told by how its name begins; as they are when it is an unknown one."""
    if encoding.startswith("base64"):
        return from_base64(data)
    if encoding.startswith("quoted"):
        return binascii.a2b_qp(data)
    if encoding in _UUENCODED:
        files = take_out(data)[1]
        return files[0][1] if files else data
    return data


def from_base64(data: bytes) -> bytes:
    """Base64 with foreign characters, missing padding or several padded runs one after the other."""
    found = well_formed_base64(data)
    return tolerant_base64(data) if found is None else found


def well_formed_base64(data: bytes) -> bytes | None:
    """The bytes when there is nothing but base64 and line ends; else None."""
    if b"\\" in data or b"-" in data or b"_" in data:
        return None
    try:
        found: bytes = _JSON_BASE64.validate_json(b'"%b"' % data.replace(b"\n", b"").replace(b"\r", b""))
    except ValidationError:
        return None
    return found


def tolerant_base64(data: bytes) -> bytes:
    clean = data.translate(None, _NOT_BASE64)
    runs = [clean] if clean.find(b"=") in {-1, len(clean) - 1, len(clean) - 2} else clean.split(b"=", _MAX_BASE64_RUNS)
    return b"".join(_run(run.replace(b"=", b"")) for run in runs if run)


def _run(data: bytes) -> bytes:
    rest = len(data) % 4
    if rest == 1:
        data = data[:-1]  # six bits make no byte
    return binascii.a2b_base64(data + b"=" * (-len(data) % 4))
