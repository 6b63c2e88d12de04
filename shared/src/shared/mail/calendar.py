"""An invitation (RFC 5545, 5546) in a few lines for people: what, when, where, by whom."""

from __future__ import annotations

import re
from typing import Final

_ENTRY: Final = re.compile(r"^BEGIN:(?:VEVENT|VTODO|VJOURNAL)\s*$", re.MULTILINE | re.IGNORECASE)
_FOLD: Final = re.compile(r"\n[ \t]")
_PROPERTY: Final = re.compile(r'^([A-Za-z-]{1,32})((?:;(?:[^":;\n]|"[^"\n]*+")*+)*+):([^\n]*+)$', re.MULTILINE)
_DATE: Final = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})\d{0,2}(Z?))?")
_PARAMETER: Final = {name: re.compile(rf';{name}=(?:"([^"]*)"|([^;:]*))', re.IGNORECASE) for name in ("CN", "TZID")}
_ESCAPED: Final = re.compile(r"\\(.)")
_METHODS: Final = {
    "REQUEST": "Invitation", "PUBLISH": "Event", "CANCEL": "Cancelled", "REPLY": "Answer to an invitation",
    "COUNTER": "Other time proposed", "DECLINECOUNTER": "Other time declined",
}  # fmt: skip
_SHOWN: Final = 500
"""Characters of one value."""


def summary(text: str) -> str:
    """The first entry of a clean iCalendar text; empty when there is none."""
    text = _FOLD.sub("", text)
    entry = _ENTRY.search(text)
    if entry is None:
        return ""
    method = _first(text[: entry.start()]).get("METHOD", ("", ""))[1].strip().upper()
    found = _first(text[entry.end() :])
    start, end = (_when(*found[name]) if name in found else "" for name in ("DTSTART", "DTEND"))
    lines = {
        _METHODS.get(method, "Event"): _value(found.get("SUMMARY", ("", ""))[1]) or "(no title)",
        "Start": start,
        "End": end,
        "Place": _value(found.get("LOCATION", ("", ""))[1]),
        "Organiser": _who(*found["ORGANIZER"]) if "ORGANIZER" in found else "",
    }
    return "\n".join(f"{name}: {value}" for name, value in lines.items() if value)


def _first(text: str) -> dict[str, tuple[str, str]]:
    """Parameters and value of each property at the top of an entry; what begins inside it, as alarms do, ends the reading."""
    found: dict[str, tuple[str, str]] = {}
    for match in _PROPERTY.finditer(text):
        name = match[1].upper()
        if name == "END" or (name == "BEGIN" and match[3].strip().upper() != "VCALENDAR"):
            break
        found.setdefault(name, (match[2], match[3]))
    return found


def _value(text: str) -> str:
    """Text without its escapes (RFC 5545, 3.3.11), in one line."""
    return " ".join(_ESCAPED.sub(lambda found: " " if found[1] in "nN" else found[1], text[: 2 * _SHOWN]).split())[:_SHOWN]


def _parameter(name: str, parameters: str) -> str:
    match = _PARAMETER[name].search(parameters)
    return _value((match[1] or match[2] or "").strip()) if match else ""


def _when(parameters: str, value: str) -> str:
    match = _DATE.match(value.strip())
    if match is None:
        return _value(value)
    year, month, day, hour, minute, utc = match.groups()
    zone = "UTC" if utc else _parameter("TZID", parameters)
    return f"{year}-{month}-{day}" + (f" {hour}:{minute}" + (f" {zone}" if zone else "") if hour else "")


def _who(parameters: str, value: str) -> str:
    address = re.sub(r"^mailto:", "", _value(value), flags=re.IGNORECASE)
    name = _parameter("CN", parameters)
    return f"{name} <{address}>" if name and name != address else address
