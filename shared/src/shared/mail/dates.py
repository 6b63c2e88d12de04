"""The date of a mail as programs write it (RFC 5322, 3.3 and 4.3), and as the less careful ones do."""

from __future__ import annotations

import re
from calendar import timegm
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_tz
from typing import Final

from shared.mail.words import decode_words

_NAMES: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS: Final = {name: f"{number:02}" for number, name in enumerate(_NAMES, 1)}
_ORDINARY: Final = re.compile(
    rf"(?:[A-Z][a-z]{{2}}, )?([0-9]{{1,2}}) ({'|'.join(_NAMES)}) ([12][0-9]{{3}}) ([0-9]{{2}}:[0-9]{{2}}:[0-5][0-9]) "
    r"([+-](?:0[0-9]|1[0-9])[0-5][0-9])(?: \([A-Z]{1,5}\))?"
)
_COMMENT: Final = re.compile(r"\([^()]{0,200}\)")
_ISO: Final = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2})?)(?:[.,]\d{1,9})? ?(.*)")
_WRITTEN: Final = re.compile(
    r"(?<!\d)(\d{1,2})[ .-]{1,3}([^\W\d_]{3,12})\.?,?[ -]{1,3}(\d{2,4})\b[^\d+]{0,8}"
    r"(\d{1,2}) {0,3}[:.] {0,3}(\d{1,2})(?: {0,3}[:.] {0,3}(\d{1,2}))?(?!\d)(.*)"
)
_ZONE: Final = re.compile(r"([+-]) ?(\d{1,2}):?(\d{2})(?!\d)|([A-Za-z]{1,5})\b")
_AFTERNOON: Final = re.compile(r"\s*([AP])\.?M\b\.?", re.IGNORECASE)
# As the languages of Europe shorten them, beside English; by the first letters, accents and all.
_LOCAL_MONTHS: Final = {
    "jan": 1, "gen": 1, "ene": 1, "janv": 1, "jän": 1, "feb": 2, "fév": 2, "fev": 2, "mar": 3, "mär": 3, "mrz": 3, "maa": 3, "apr": 4,
    "avr": 4, "abr": 4, "may": 5, "mai": 5, "mag": 5, "mei": 5, "maj": 5, "jun": 6, "giu": 6, "juin": 6, "jul": 7, "lug": 7, "juil": 7,
    "aug": 8, "ago": 8, "aoû": 8, "sep": 9, "set": 9, "oct": 10, "okt": 10, "ott": 10, "out": 10, "nov": 11, "dec": 12, "dez": 12,
    "déc": 12, "dic": 12,
}  # fmt: skip
# RFC 5322 knows no zones but the American ones; these have one meaning in mails all the same.
_ZONES: Final = {
    "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "CET": 1, "MET": 1, "MEZ": 1, "CEST": 2,
    "MEST": 2, "MESZ": 2, "EET": 2, "EEST": 3, "WEST": 1, "BST": 1, "MSK": 3, "JST": 9, "KST": 9, "HKT": 8, "SGT": 8, "AEST": 10,
    "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip
_OLDEST: Final = 1940
_MAX_ZONE_HOURS: Final = 20


def date_of(value: str) -> datetime | None:
    """The date in UTC; one without a zone is taken as UTC (RFC 5322, 4.3). None when it cannot be read."""
    try:
        found = ordinary_date(value) or tolerant_date(value)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return found if found is not None and found.year >= _OLDEST else None


def ordinary_date(value: str) -> datetime | None:
    """A date as RFC 5322, 3.3 has it; None when it is written otherwise. Raises ValueError for a day there is not."""
    match = _ORDINARY.fullmatch(value.strip())
    if match is None:
        return None
    day, month, year, time, zone = match.groups()
    return datetime.fromisoformat(f"{year}-{_MONTHS[month]}-{day:0>2}T{time}{zone}").astimezone(UTC)


def tolerant_date(value: str) -> datetime | None:
    """A date however it is written. Raises ValueError, OverflowError, TypeError or IndexError, as the standard library's parser does."""
    text = _COMMENT.sub(" ", decode_words(value[:200])).strip()
    if iso := _ISO.fullmatch(text):
        return datetime.fromisoformat(f"{iso[1]}T{iso[2]}+00:00") - _zone(iso[3])
    written = _WRITTEN.search(text)
    month = _month(written[2]) if written else None
    if written is None or month is None:
        return _by_library(text)
    afternoon = _AFTERNOON.match(written[7])
    hour = int(written[4])
    if afternoon and 1 <= hour <= 12:
        hour = hour % 12 + (12 if afternoon[1] in "pP" else 0)
    rest = written[7][afternoon.end() :] if afternoon else written[7]
    second = int(written[6] or 0)
    whole = datetime(_year(written[3]), month, int(written[1]), hour, int(written[5]), min(second, 59), tzinfo=UTC)
    return whole + timedelta(seconds=1 if second == 60 else 0) - _zone(rest)


def _month(name: str) -> int | None:
    name = name.lower()
    return _LOCAL_MONTHS.get(name[:4]) or _LOCAL_MONTHS.get(name[:3])


def _year(digits: str) -> int:
    """RFC 5322, 4.3: two digits below 50 are of this century, other two or three of the last."""
    year = int(digits)
    if len(digits) == 4:
        return year
    return year + (2000 if year < 50 and len(digits) == 2 else 1900)


def _zone(text: str) -> timedelta:
    """What lies between that zone and UTC; none for a zone there is not. `GMT+0100` is +0100."""
    for sign, hours, minutes, name in _ZONE.findall(text[:64]):
        if sign and int(hours) < _MAX_ZONE_HOURS:
            ahead = timedelta(hours=int(hours), minutes=int(minutes))
            return ahead if sign == "+" else -ahead
        if name.upper() in _ZONES:
            return timedelta(hours=_ZONES[name.upper()])
    return timedelta()


def _by_library(text: str) -> datetime | None:
    fields = parsedate_tz(text)
    if fields is None:
        return None
    datetime(*fields[:5], min(fields[5], 59), tzinfo=UTC)  # refuses the 99th of a month; a leap second is one (RFC 5322, 3.3)
    seconds = timegm((*fields[:6], 0, 1, 0)) - (fields[9] or 0)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
