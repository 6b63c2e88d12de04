"""A CSV file of people or firms as lines to be imported (RFC 4180, and what spreadsheets make of it); what is stored is not looked at."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from shared.api import RecordType
from tickets.domain.csv_columns import Columns, columns_of
from tickets.domain.keys import record_key
from tickets.domain.registry import MAX_ADDRESSES, MAX_NOTE

DELIMITERS: Final = (",", ";", "\t")
MAX_CELL: Final = 200
MAX_ADDRESS: Final = 320
_SEPARATOR_LINE: Final = re.compile(r'\A"?sep=([,;\t])"?\r?\n', re.IGNORECASE)
"""A first line by which spreadsheets say how they separate."""
_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+")


class NoTableError(ValueError):
    """The text is no file to import: says why, and what to do."""


@dataclass(frozen=True)
class Line:
    """One line of the file: what is in its cells, empty ones left out; or why it cannot be taken."""

    line: int
    name: str = ""
    addresses: list[str] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    """phone, company, website, note."""
    account: str = ""
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Table:
    """A whole file."""

    lines: list[Line]
    ignored_columns: list[str]


def read_table(text: str, sort: RecordType, delimiter: str | None = None) -> Table:
    """All lines below the header. Raises NoTableError where there is no header, no column of addresses, or no line."""
    text = text.replace("\x00", "").removeprefix("\ufeff")
    told = _SEPARATOR_LINE.match(text)
    skipped = told.group(0) if told else ""
    delimiter = delimiter or (told.group(1) if told else None)
    rows = _rows(text[len(skipped) :], delimiter or _delimiter(text, sort), first=2 if told else 1)
    header = next(rows, None)
    if header is None or isinstance(header[1], str):
        raise NoTableError("There is nothing in it. Give a file whose first line names the columns, such as: name,address,phone")
    columns = columns_of(header[1], sort)
    if not columns.addresses:
        raise NoTableError(
            "The first line names no column of e-mail addresses. It has to name the columns, such as: name,address,phone; "
            f"it reads: {', '.join(header[1])[:200]}"
        )
    lines = list(_each_address_once(_line(number, cells, columns) for number, cells in rows))
    if not lines:
        raise NoTableError("There is no line below the one that names the columns.")
    return Table(lines, list(columns.ignored))


def _delimiter(text: str, sort: RecordType) -> str:
    """The one by which the header has the most columns we know."""
    header = next((line.rstrip("\r\n") for line in _lines_of(text) if line.strip(",;\t \r\n")), "")

    def known(delimiter: str) -> tuple[int, int]:
        cells = next(csv.reader([header], delimiter=delimiter), [])
        columns = columns_of(cells, sort)
        return len(columns.fields) + len(columns.addresses), len(cells)

    return max(DELIMITERS, key=known)


def _lines_of(text: str) -> Iterator[str]:
    """Lines with their ends: CRLF, LF or CR; the reader puts those within quotes together again."""
    return (found.group() for found in _LINE.finditer(text))


def _rows(text: str, delimiter: str, first: int) -> Iterator[tuple[int, list[str] | str]]:
    """Number and cells of each row that is not blank; in place of the cells what is wrong with its quotes."""
    reader = csv.reader(_lines_of(text), delimiter=delimiter, strict=True)
    while True:
        number = reader.line_num + first
        try:
            cells = next(reader, None)
        except csv.Error:
            lines = reader.line_num + first - number
            swallowed = f"The text from here to line {number + lines - 1} could not be read" if lines > 1 else "The line could not be read"
            yield number, f"{swallowed}: its quotes do not match. Put a text with quotes into quotes and write each quote inside twice."
            continue
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield number, cells


def _line(number: int, cells: list[str] | str, columns: Columns) -> Line:
    if isinstance(cells, str):
        return Line(number, problem=cells)
    if any(cell.strip() for cell in cells[columns.count :]):
        return Line(
            number, problem=f"It has {len(cells)} cells, the first line {columns.count}: put a text with the separator in it into quotes."
        )
    values = {name: cells[place].strip() for name, place in columns.fields.items() if place < len(cells) and cells[place].strip()}
    note = values.pop("note", "")
    values = {name: " ".join(value.split()) for name, value in values.items()}
    name = _name(values)
    addresses, wrong = _addresses([cells[place] for place in columns.addresses if place < len(cells)])
    account = values.pop("account", "")
    problem = _too_long({**values, "name": name, "account": account}, note) or wrong
    fields = values | ({"note": note} if note else {})
    return Line(number, name[:MAX_CELL], problem=problem) if problem else Line(number, name, addresses, fields, account)


def _name(values: dict[str, str]) -> str:
    """Name and surname may stand in columns of their own; takes them out of the values."""
    name, first, last = (values.pop(part, "") for part in ("name", "first_name", "last_name"))
    name = name or first
    return name if last in name else f"{name} {last}".strip()


def _addresses(cells: Sequence[str]) -> tuple[list[str], str]:
    """The addresses, each once, and what is wrong with them."""
    found: dict[str, str] = {}
    for one in _pieces(cells):
        if not _ADDRESS.fullmatch(one):
            return [], f"“{one[:80]}” is no e-mail address: correct it, or take it out."
        if len(one) > MAX_ADDRESS:
            return [], f"The address “{one[:40]}…” is longer than {MAX_ADDRESS} characters: correct it, or take it out."
        found.setdefault(record_key(one), one)
    if not found:
        return [], "It has no e-mail address: give one."
    if len(found) > MAX_ADDRESSES:
        return [], f"It has more than {MAX_ADDRESSES} addresses: leave some out."
    return list(found.values()), ""


def _pieces(cells: Sequence[str]) -> Iterator[str]:
    """`Anna <anna@x.example>; bo@y.example` as its addresses."""
    for cell in cells:
        if bracketed := re.findall(r"<([^<>\s]+@[^<>\s]+)>", cell):
            yield from bracketed
            continue
        for piece in re.split(r"[\s,;]+", cell):
            bare = piece.removeprefix("mailto:")
            if bare.strip(":|/-"):
                yield bare


def _too_long(values: dict[str, str], note: str) -> str:
    for name, value in values.items():
        if len(value) > MAX_CELL:
            return f"The {name} is longer than {MAX_CELL} characters: shorten it. A quote that is opened and not closed does this too."
    return f"The note is longer than {MAX_NOTE:,} characters: shorten it." if len(note) > MAX_NOTE else ""


def _each_address_once(lines: Iterator[Line]) -> Iterator[Line]:
    """A second line with an address is refused: which of the two is right nobody knows."""
    seen: dict[str, int] = {}
    for line in lines:
        keys = {record_key(address): address for address in line.addresses}
        twice = next((key for key in keys if key in seen), None)
        if twice is not None:
            problem = f"{keys[twice]} is in line {seen[twice]} already: put both lines into one, or take the address out of one."
            yield Line(line.line, line.name, problem=problem)
            continue
        seen |= dict.fromkeys(keys, line.line)
        yield line
