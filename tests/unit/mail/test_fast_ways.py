"""What is written as nearly always is read by a fast way. Wherever that answers, the tolerant one behind it answers the same."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.mail.addresses import ordinary_addresses, tolerant_addresses
from shared.mail.dates import ordinary_date, tolerant_date
from shared.mail.fields import Fields, ordinary_fields, tolerant_fields
from shared.mail.parts import Structure
from shared.mail.transfer import tolerant_base64, well_formed_base64
from tests.kit.corpus import needs_corpus, paths

LINES = st.lists(
    st.one_of(
        st.sampled_from([
            b"Subject: Gr\xc3\xbc\xc3\x9fe\r\n", b"Subject: Gr\xfc\xdfe\n", b"To: a@b\r\n", b" folded\r\n",
            b"\tfolded\n", b"A:\r\n", b"A :b\n",
            b"Content-Type: text/plain; charset=koi8-r\r\n", b"--b\r\n", b"--b: c\n", b"From x\n",
             b"no field\r\n", b"\r\n", b"\n", b" \r\n",
            b"a\rb: c\n", b"A: b\rc\r\n", b"\0: \x00\n", b"x" * 600 + b": y\n",
        ]),
        st.binary(max_size=12),
    ),
    max_size=12,
).map(b"".join)  # fmt: skip


PHRASES = [
    '"Rossi, A" ', "Anna ", "=?utf-8?Q?=C3=BC?= ", "<a@b.example>", "a@b", "'a@b'", "O'Neil", ", ", ",", " ", ":", ";", "(", "\t", "@",
    "<", ">",
    '"', "\\", "ü", "mailto:",
]  # fmt: skip


def same_fields(raw: bytes, start: int) -> bool:
    """Whether the fast way answers; if so, it is compared."""
    fast = ordinary_fields(raw, start)
    if fast is not None:
        slow = tolerant_fields(raw, start, lambda line: line.startswith(b"--") or None)
        assert read(fast) == read(slow)
    return fast is not None


def read(fields: Fields) -> tuple[list[tuple[str, str]], int, list[str]]:
    return fields.pairs, fields.body, fields.defects


@settings(max_examples=150, deadline=None)
@given(LINES, st.sampled_from([b"\r\n\r\nbody", b"\n\nbody", b"", b"\n\r\n"]))
def test_header_blocks(lines: bytes, end: bytes) -> None:
    same_fields(lines + end, 0)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PHRASES), max_size=9).map("".join))
def test_addresses(value: str) -> None:
    fast = ordinary_addresses(value)
    assert fast is None or fast == tolerant_addresses(value)


@settings(max_examples=150, deadline=None)
@given(st.from_regex(r"(Mon, )?[0-9]{1,2} (Feb|Nov) [0-9]{4} [0-9]{2}:[0-9]{2}:[0-6][0-9] [+-][0-9]{4}( \([A-Z]{1,4}\))?", fullmatch=True))
def test_dates(value: str) -> None:
    try:
        fast = ordinary_date(value)
    except ValueError:
        with pytest.raises(ValueError, match=r"must be in|out of range"):
            tolerant_date(value)
    else:
        assert fast is None or fast == tolerant_date(value)


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=90), st.integers(1, 80), st.lists(st.tuples(st.integers(0, 130), st.sampled_from(list(b'=-_\\"!\r\n\x00\xff A'))))
)
def test_base64(data: bytes, width: int, faults: list[tuple[int, int]]) -> None:
    coded = bytearray(base64.b64encode(data))
    for at, byte in faults:
        coded.insert(at, byte)
    lines = b"\r\n".join(bytes(coded[at : at + width]) for at in range(0, len(coded), width))
    fast = well_formed_base64(lines)
    assert fast is None or fast == tolerant_base64(lines)
    assert faults or fast == data


@needs_corpus
def test_the_corpus() -> None:
    blocks = fast = 0
    for path in paths():
        structure = Structure(path.read_bytes())
        starts = [0, *(line.end() for line in re.finditer(rb"^--\S.*\n", structure.raw, re.MULTILINE))]
        fast += sum(same_fields(structure.raw, start) for start in starts)
        blocks += len(starts)
        for value in (value for part in structure.parts for name in ("From", "To", "Cc") for value in part.fields.all(name)):
            found = ordinary_addresses(value)
            assert found is None or found == tolerant_addresses(value)
    assert fast > blocks / 2
