"""Message-IDs, the date, the folded subject: what a mail refers to."""

from __future__ import annotations

import re
from calendar import timegm
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_tz
from typing import Final

from shared.mail.limits import MAX_FIELD_BYTES, MAX_ID, MAX_IDS
from shared.mail.words import one_line

_BRACKETED: Final = re.compile(r"<([^<>]{1,2000}+)>")
_BREAKS: Final = re.compile(r"[\s<>,;()\"]+")
_MONTHS: Final = {
    "Jan": "01", "Feb": "02", "Mar": "03", "Apr": "04", "May": "05", "Jun": "06", "Jul": "07", "Aug": "08", "Sep": "09", "Oct": "10",
    "Nov": "11", "Dec": "12",
}  # fmt: skip
_ORDINARY_DATE: Final = re.compile(
    rf"(?:[A-Z][a-z]{{2}}, )?([0-9]{{1,2}}) ({'|'.join(_MONTHS)}) ([12][0-9]{{3}}) ([0-9]{{2}}:[0-9]{{2}}:[0-5][0-9]) "
    r"([+-](?:0[0-9]|1[0-9])[0-5][0-9])(?: \([A-Z]{1,5}\))?"
)
_PREFIXES: Final = (
    "re|rv|ref|rif|risp|r|fwd?|i|inoltro|inoltra|aw|antw|antwort|wg|weitergeleitet|tr|sv|vs|vl|vb|vd|res|enc|odp|pd|ynt|ilt|bls|doorst|"
    "ha|tl|ang|betr|si|fs|回复|回覆|答复|转发|轉寄|返信|転送|отв|ответ|пересл|fw"
)
_PREFIX: Final = re.compile(rf"(?:\s*+(?:{_PREFIXES})(?:\s?(?:\[\d{{1,4}}\]|\(\d{{1,4}}\)|\^\d{{1,4}}))?\s?[:：])++\s*", re.IGNORECASE)


def message_ids(value: str) -> list[str]:
    """The ids of an unfolded field, with angle brackets, each once. Of too many the first, which names the thread, and the last."""
    value = value[:MAX_FIELD_BYTES]
    found = [text if text.isprintable() and " " not in text else "".join(one_line(text).split()) for text in _BRACKETED.findall(value)] or [
        word for word in _BREAKS.split(value) if "@" in word
    ]
    ids = list(dict.fromkeys(f"<{text}>" for text in found if 0 < len(text) <= MAX_ID - 2))
    return ids if len(ids) <= MAX_IDS else [ids[0], *ids[1 - MAX_IDS :]]


def message_id(value: str) -> str | None:
    """A mail's own id. Some mailers leave out the brackets or the `@`."""
    ids = message_ids(value)
    if ids:
        return ids[0]
    bare = "".join(one_line(value[:MAX_ID]).strip("<>").split())
    return f"<{bare}>" if 0 < len(bare) <= MAX_ID - 2 else None


def date_of(value: str) -> datetime | None:
    """The date in UTC; one without a zone is taken as UTC (RFC 5322, 4.3). None when it cannot be read."""
    try:
        found = ordinary_date(value) or tolerant_date(value)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return found if found is not None and found.year >= 1970 - 30 else None


def ordinary_date(value: str) -> datetime | None:
    """A date as RFC 5322, 3.3 has it; None when it is written otherwise. Raises ValueError for a day there is not."""
    match = _ORDINARY_DATE.fullmatch(value.strip())
    if match is None:
        return None
    day, month, year, time, zone = match.groups()
    return datetime.fromisoformat(f"{year}-{_MONTHS[month]}-{day:0>2}T{time}{zone}").astimezone(UTC)


def tolerant_date(value: str) -> datetime | None:
    """A date as the standard library's parser takes it. Raises ValueError, OverflowError, TypeError or IndexError, as that does."""
    fields = parsedate_tz(one_line(value[:200]))
    if fields is None:
        return None
    datetime(*fields[:5], min(fields[5], 59), tzinfo=UTC)  # refuses the 99th of a month; a leap second is one (RFC 5322, 3.3)
    seconds = timegm((*fields[:6], 0, 1, 0)) - (fields[9] or 0)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def fold_subject(subject: str) -> str:
    """A subject for looking a ticket up by its title: without Re:, Fwd: and their like, blanks collapsed, case folded."""
    text = one_line(subject)
    match = _PREFIX.match(text)
    return (text[match.end() :] if match else text).casefold().strip()
