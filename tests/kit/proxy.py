"""A TCP proxy that misbehaves when a test says so: between a client of ours and a real server.

It runs in a thread of its own, so that whoever is tested may block; its controls may be used at any time.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

CHUNK = 65_536


@dataclass(frozen=True)
class Fault:
    """What becomes of the server's bytes of one connection, after `after` of them, counted from the first `mark`.

    cut: the connection is closed. stall: nothing comes any more. garbage: what follows is noise. slow: `rate` bytes a second.
    """

    then: Literal["pass", "cut", "stall", "garbage", "slow"] = "pass"
    after: int = 0
    mark: bytes = b""
    rate: int = 1


class FaultProxy:
    """Listens on `port` while it is entered. `faults`: of the next connections, one each; `fault`: of all others."""

    def __init__(self, server_port: int, edit: Callable[[bytes], bytes] | None = None) -> None:
        """`edit` changes each chunk of the server's, to hide a capability for example."""
        self.faults: list[Fault] = []
        self.fault = Fault()
        self.connections = 0
        """Accepted so far."""
        self._server_port = server_port
        self._edit = edit or bytes
        self._open: set[asyncio.Task[None]] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy", daemon=True)
        self._accepting: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.refuse()
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def refuse(self) -> None:
        """New connections are refused from now on; those that are open stay."""
        self._do(self._deafen())

    def accept(self) -> None:
        """New connections are taken again, on the same port."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._do(self._listen())

    def cut(self) -> None:
        """Close the connections that are open now."""
        self._do(self._cut())

    def stall(self) -> None:
        """Nothing of the server's passes any more, on connections that are open and on new ones."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def flow(self) -> None:
        """The end of `stall`: what was held back comes now."""
        self._loop.call_soon_threadsafe(self._flowing.set)

    def _do(self, what: object) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(10)  # type: ignore[arg-type]  # a coroutine

    async def _listen(self) -> None:
        self._accepting = await asyncio.start_server(self._serve, sock=self._listener)

    async def _deafen(self) -> None:
        if self._accepting is not None:
            self._accepting.close()
            self._accepting = None

    async def _cut(self) -> None:
        tasks = list(self._open)
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        fault = self.faults.pop(0) if self.faults else self.fault
        task = asyncio.ensure_future(self._relay(reader, writer, fault))
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        task.add_done_callback(lambda _: writer.transport.abort())  # also where it was cancelled before it began

    async def _relay(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter, fault: Fault) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port, limit=2**20)
        asking = asyncio.ensure_future(_pump(client, to_server))
        answering = asyncio.ensure_future(_Faulty(fault, self._edit, self._flowing).pump(server, to_client))
        try:
            await asyncio.wait({asking, answering}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Before anything is waited for: being cancelled once more must leave nothing open.
            for writer in (to_client, to_server):
                writer.transport.abort()
            for task in (asking, answering):
                task.cancel()
            await asyncio.gather(asking, answering, return_exceptions=True)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(CHUNK):
            sink.write(data)
            await sink.drain()


class _Faulty:
    """The server's bytes of one connection."""

    def __init__(self, fault: Fault, edit: Callable[[bytes], bytes], flowing: asyncio.Event) -> None:
        self._fault = fault
        self._flowing = flowing
        self._edit = edit
        self._marked = not fault.mark
        self._left = fault.after

    async def pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := self._edit(await source.read(CHUNK)):
                await self._flowing.wait()
                good, rest = self._split(data)
                sink.write(good)
                await sink.drain()
                if rest and not await self._fail(rest, sink):
                    return

    def _split(self, data: bytes) -> tuple[bytes, bytes]:
        """What passes, and what the fault is for. A mark that two chunks share is not seen: choose short ones."""
        if self._fault.then == "pass":
            return data, b""
        begin = 0
        if not self._marked:
            begin = data.find(self._fault.mark)
            if begin < 0:
                return data, b""
            self._marked = True
        at = min(begin + self._left, len(data))
        self._left -= at - begin
        return data[:at], data[at:]

    async def _fail(self, rest: bytes, sink: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        match self._fault.then:
            case "stall":
                await asyncio.Event().wait()
            case "garbage":
                sink.write(bytes(byte ^ 0x55 for byte in rest))
            case "slow":
                for at in range(0, len(rest), self._fault.rate):
                    sink.write(rest[at : at + self._fault.rate])
                    await sink.drain()
                    await asyncio.sleep(1)
        return self._fault.then != "cut"
