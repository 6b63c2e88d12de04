"""How mails of ours are known again."""

from __future__ import annotations

from typing import Final

OWN_HEADER: Final = "X-Mail-Converter-Id"
"""Private field of every mail we send: one that comes back with it is ours (loops, copies to ourselves)."""
