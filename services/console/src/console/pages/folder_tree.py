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
    "\\important": "Important",
}
"""RFC 6154 and RFC 8457 special uses, for people."""

NAMESPACES = ("personal", "other", "shared")
"""RFC 2342, in the order they are shown."""
MAX_DEPTH = 6


@dataclass(frozen=True)
class TreeFolder:
    """A folder with its depth (0 at the top) and the part of its name below its parent."""

    name: str
    label: str
    depth: int
    special: str
    selectable: bool
    selected: bool
    messages: int | None
    unread: int | None


@dataclass(frozen=True)
class FolderGroup:
    """The folders of one namespace."""

    namespace: str
    folders: list[TreeFolder]


def tree(folders: list[dict[str, Any]]) -> list[FolderGroup]:
    """By namespace; in each INBOX first, then by name, each folder below its parent where the server lists one."""
    groups = [(space, [folder for folder in folders if folder["namespace"] == space]) for space in NAMESPACES]
    names = {str(folder["name"]) for folder in folders}
    return [FolderGroup(space, [_shown(folder, names) for folder in sorted(inside, key=_order)]) for space, inside in groups if inside]


def _parts(folder: dict[str, Any]) -> list[str]:
    delimiter = folder["delimiter"]
    return str(folder["name"]).split(delimiter) if delimiter else [str(folder["name"])]


def _order(folder: dict[str, Any]) -> tuple[bool, list[str]]:
    parts = _parts(folder)
    return parts[0].upper() != "INBOX", [part.casefold() for part in parts]


def _shown(folder: dict[str, Any], names: set[str]) -> TreeFolder:
    parts, delimiter = _parts(folder), folder["delimiter"] or ""
    above = [length for length in range(1, len(parts)) if delimiter.join(parts[:length]) in names]
    special = folder["special_use"] or ""
    return TreeFolder(
        name=folder["name"],
        label=delimiter.join(parts[above[-1] :] if above else parts),
        depth=min(len(above), MAX_DEPTH),
        special=SPECIAL.get(special.lower(), special.lstrip("\\").capitalize()),
        selectable=folder["selectable"],
        selected=folder["selected"],
        messages=folder["messages"],
        unread=folder["unread"],
    )
