"""A link with a delay, as a process of its own: `python -m tests.kit.delay_proxy <port> <server port> <seconds>`.

Every byte arrives that much later, in each direction; the rate is not limited, and there is no slow start.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator

from tests.kit.eventually import eventually
from tests.kit.ports import free_port, listens

CHUNK = 256 * 1024
UNDER_WAY = 256
"""Chunks on the link at once, in one direction of one connection."""


@contextlib.contextmanager
def delayed(port: int, seconds: float) -> Iterator[int]:
    """The port of a proxy before `port` on loopback; `seconds` each way."""
    own = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.kit.delay_proxy", str(own), str(port), str(seconds)])
    try:
        eventually(lambda: listens(own), 15)
        yield own
    finally:
        process.terminate()
        process.wait(10)


async def _read(reader: asyncio.StreamReader, link: asyncio.Queue[tuple[float, bytes]], seconds: float) -> None:
    clock = asyncio.get_running_loop().time
    data = b"begin"
    while data:
        data = await reader.read(CHUNK)
        await link.put((clock() + seconds, data))


async def _write(writer: asyncio.StreamWriter, link: asyncio.Queue[tuple[float, bytes]]) -> None:
    clock = asyncio.get_running_loop().time
    while True:
        due, data = await link.get()
        await asyncio.sleep(max(0.0, due - clock()))
        if not data:
            break
        writer.write(data)
        await writer.drain()
    writer.write_eof()


async def _direction(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    link: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(UNDER_WAY)
    await asyncio.gather(_read(reader, link, seconds), _write(writer, link))


async def _serve(port: int, server: int, seconds: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", server, limit=CHUNK)
            await asyncio.gather(_direction(reader, far_writer, seconds), _direction(far_reader, writer, seconds))
            far_writer.close()
        writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", port, limit=CHUNK)
    await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
