"""A server's flat list of folders, in the order and depth of a tree. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SPECIAL = {
    "\\inbox": "Inbox",
    "\\sent": "Sent mail",
    "\\drafts": "Drafts",
    "\\trash": "Deleted mail",
    "\\junk": "Spam",
    "\\archive": "Archive",
    "\\all": "All mail",
    "\\flagged": "Flagged",
}
"""RFC 6154 special uses, for people."""


@dataclass(frozen=True)
class TreeFolder:
    """A folder with its depth (0 at the top) and the last part of its name."""

    name: str
    label: str
    depth: int
    special: str
    selectable: bool
    selected: bool


def tree(folders: list[dict[str, Any]]) -> list[TreeFolder]:
    """INBOX first, then by name, each below its parent; equal depth is equal indentation."""
    return [_shown(folder) for folder in sorted(folders, key=_order)]


def _parts(folder: dict[str, Any]) -> list[str]:
    delimiter = folder.get("delimiter")
    return str(folder["name"]).split(delimiter) if delimiter else [str(folder["name"])]


def _order(folder: dict[str, Any]) -> tuple[bool, list[str]]:
    parts = _parts(folder)
    return parts[0].upper() != "INBOX", [part.casefold() for part in parts]


def _shown(folder: dict[str, Any]) -> TreeFolder:
    parts = _parts(folder)
    special = folder.get("special_use") or ""
    return TreeFolder(
        name=folder["name"],
        label=parts[-1],
        depth=min(len(parts) - 1, 6),
        special=SPECIAL.get(special.lower(), special.lstrip("\\").capitalize()),
        selectable=folder["selectable"],
        selected=folder["selected"],
    )
