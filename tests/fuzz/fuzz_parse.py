"""Fuzzes the mail parser by hand: `python tests/fuzz/fuzz_parse.py [seconds] [seed]`. A finding is printed, and becomes a test.

With atheris installed it guides the mutations by coverage (`python tests/fuzz/fuzz_parse.py atheris [libFuzzer arguments]`). Without, a
mutant is kept when what the parser made of it has a shape not seen before: its defects, types, kinds of names.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from functools import partial
from operator import mul
from pathlib import Path
from typing import Final

from shared.mail.parse import parse
from tests.kit.corpus import paths
from tests.unit.mail.invariants import checked

MAX_BYTES: Final = 64 * 1024
SECONDS: Final = 1.0
TOKENS: Final = [
    b"\r\n", b"\r\n\r\n", b"\n--", b"--", b"=?utf-8?Q?=C3=BC?=", b"=?utf-8?B?w7w=?=", b"Content-Type: multipart/mixed; boundary=b\r\n",
    b"Content-Type: text/html\r\n", b"Content-Type: text/calendar\r\n", b"Content-Type: message/rfc822\r\n",
    b"Content-Type: application/ms-tnef\r\n",
    b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"Content-Transfer-Encoding: x-uuencode\r\n",
    b"filename*0*=utf-8''%C3", b'"', b"<", b">", b"(", b"&#", b"<!--", b"begin 644 x\n#86)C\n`\nend\n", b"\xff", b"\0", b"\xed\xa0\x80",
    b";",
    b"charset=utf-7", b"charset=utf-16", b"charset=iso-2022-jp",
]  # fmt: skip

Shape = tuple[object, ...]


def check(raw: bytes) -> Shape:
    """What must hold of any bytes; what the parser made of these."""
    began = time.process_time()
    parse(raw)
    spent = time.process_time() - began
    assert spent < SECONDS, f"{spent:.1f} s"
    mail = checked(raw, pec=len(raw) % 2 == 0)
    return (
        tuple(sorted({defect[:30] for defect in mail.defects})),
        tuple(sorted({a.type for a in mail.attachments}))[:4],
        min(len(mail.attachments), 5),
        mail.html is not None,
        bool(mail.text),
        min(len(mail.to), 3),
        mail.kind,
        tuple(fold.kind for fold in mail.folds[:3]),
        min(len(mail.report.recipients), 2) if mail.report else -1,
    )


def mutated(random_: random.Random, raw: bytes, other: bytes) -> bytes:
    data = bytearray(raw)
    for _ in range(random_.randint(1, 8)):
        at = random_.randint(0, len(data))
        end = min(len(data), at + random_.choice([0, 1, 2, 8, 64, 512]))
        here = bytes(data[at:end])
        steps: list[Callable[[], bytes]] = [
            partial(mul, here, random_.choice([0, 2, 3, 50])),
            lambda: random_.choice(TOKENS),
            lambda: random_.randbytes(random_.randint(0, 4)),
            lambda: other[(cut := random_.randint(0, len(other))) : cut + random_.choice([4, 64, 1024])],
        ]
        data[at:end] = random_.choice(steps)()
    return bytes(data[:MAX_BYTES])


def run(seconds: float, seed: int) -> int:
    random_ = random.Random(seed)
    pool = [raw for path in paths() if len(raw := path.read_bytes()) <= MAX_BYTES] or [b"From: a@b\r\n\r\nx"]
    shapes = {check(raw) for raw in pool}
    tried, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        raw = mutated(random_, random_.choice(pool), random_.choice(pool))
        tried += 1
        try:
            shape = check(raw)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            name = Path(f"finding-{seed}-{tried}.eml")
            name.write_bytes(raw)
            print(f"{name}: {type(error).__name__}: {error}")
            continue
        if shape not in shapes:
            shapes.add(shape)
            pool.append(raw)
    return tried


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["atheris"]:
        import atheris  # type: ignore[import-untyped] # no dependency: installed by whoever runs this

        atheris.instrument_all()
        atheris.Setup([sys.argv[0], *arguments[1:]], check)
        atheris.Fuzz()
    else:
        print(f"{run(float(arguments[0]) if arguments else 60, int(arguments[1]) if len(arguments) > 1 else 0)} mails tried")


if __name__ == "__main__":
    main(sys.argv[1:])
