"""The frame every service runs in: settings in, FastAPI application out.

It starts and stops, in order: engine, Kafka producer and subscribers, the outbox relay, the service's own loops. HTTP answers from
the first moment, also while Kafka is away; `/health/ready` then says what is missing.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from aiokafka.errors import KafkaError
from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import JSONResponse
from faststream.kafka import KafkaBroker
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text

from shared.archive import Archive, ArchiveMissingError
from shared.database import make_engine, migrate
from shared.http import install_problems, require_service_token
from shared.messaging.broker import make_broker
from shared.messaging.consumer import Consumer
from shared.messaging.dead_letters_api import dead_letters_router
from shared.messaging.outbox import Outbox, Source
from shared.messaging.producer import make_producer
from shared.messaging.relay import Relay
from shared.messaging.tables import MessagingTables
from shared.observability import REGISTRY, configure_logging, get_logger
from shared.settings import ServiceSettings, load_settings

log = get_logger("service")
S = TypeVar("S", bound=ServiceSettings)
Loop = Callable[[], Awaitable[None]]

CONNECT_PAUSE_S = 1.0
MAX_CONNECT_PAUSE_S = 10.0
GRACEFUL_SHUTDOWN_S = 5


class Service:
    """One service's running parts. Handlers and APIs are given what they need from here by `app.py`; nothing connects before start."""

    def __init__(self, name: str, settings: ServiceSettings, tables: MessagingTables, *, archive: bool = False) -> None:
        self.name = name
        self.settings = settings
        self.tables = tables
        self.engine = make_engine(settings.database_url, application=f"{name}-{settings.instance or 'one'}")
        self.outbox = Outbox(self.engine, Source(name, settings.namespace))
        self.producer = make_producer(settings.kafka_bootstrap, f"{name}-{settings.instance or 'one'}")
        self.archive = Archive(settings.archive_url)
        self._needs_archive = archive
        self._broker = make_broker(settings, name)
        self._consumers: list[Consumer[Any]] = []
        self._loops: list[Loop] = []
        self._connected = asyncio.Event()

    def consume(self, consumer: Consumer[Any]) -> None:
        """Subscribe a consumer once Kafka is there."""
        consumer.subscribe(self._broker)
        self._consumers.append(consumer)

    @property
    def consumers(self) -> Sequence[Consumer[Any]]:
        """The consumers in the order they were subscribed."""
        return self._consumers

    @property
    def broker(self) -> KafkaBroker:
        """The broker they are subscribed on."""
        return self._broker

    def loop(self, run: Loop) -> None:
        """Run a background loop while the service lives; it is cancelled at stop. One that ends by an error stops the service."""
        self._loops.append(run)

    def app(self, routers: Sequence[APIRouter] = (), *, public: Sequence[APIRouter] = ()) -> FastAPI:
        """The application. `routers` are for other services only (service token); `public` ones look after themselves."""
        app = FastAPI(title=f"Mail Converter: {self.name}", lifespan=self._lifespan, docs_url=None, redoc_url=None, openapi_url=None)
        app.state.service = self
        install_problems(app)
        app.include_router(self._health())
        guard = require_service_token(self.settings.service_token)
        for router in [*routers, dead_letters_router(self._consumers, self.engine, self.tables)]:
            app.include_router(router, dependencies=[guard])
        for router in public:
            app.include_router(router)
        return app

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        if self._needs_archive:
            await self.archive.check()
        relay = Relay(self.engine, self.tables, self.producer, self._holder())
        connecting = asyncio.create_task(self._connect(), name="kafka")
        running = [asyncio.create_task(self._after_connect(run), name="loop") for run in [relay.run, *self._loops]]
        for task in running:
            task.add_done_callback(_stop_on_failure)
        try:
            yield
        finally:
            for task in [*running, connecting]:
                task.cancel()
            await asyncio.gather(*running, connecting, return_exceptions=True)
            await self._broker.stop()
            await self.producer.stop()
            await self.engine.dispose()

    def _holder(self) -> str:
        """Who holds the relay's lease: a named instance has it back at once after a crash, others wait until it expires."""
        return f"{self.name}-{self.settings.instance or time.time_ns()}"

    async def _after_connect(self, run: Loop) -> None:
        await self._connected.wait()
        await run()

    async def _connect(self) -> None:
        """Start producer and subscribers, waiting for Kafka as long as it takes."""
        pause = CONNECT_PAUSE_S
        for start in (self.producer.start, self._broker.start):
            while True:
                try:
                    await start()
                    break
                except (KafkaError, OSError) as error:
                    log.warning("waiting for Kafka", bootstrap=self.settings.kafka_bootstrap, error=str(error)[:200], seconds=pause)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, MAX_CONNECT_PAUSE_S)
        self._connected.set()
        log.info("connected", service=self.name, namespace=self.settings.namespace)

    def _health(self) -> APIRouter:
        router = APIRouter()

        @router.get("/health/live")
        async def live() -> dict[str, str]:
            return {"status": "ok"}

        @router.get("/health/ready")
        async def ready() -> Response:
            checks = await self.checks()
            healthy = all(value == "ok" for value in checks.values())
            return JSONResponse({"status": "ok" if healthy else "not ready", "checks": checks}, 200 if healthy else 503)

        @router.get("/metrics")
        async def metrics() -> Response:
            return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

        return router

    async def checks(self) -> dict[str, str]:
        """`ok`, or what is wrong, for each thing this service depends on."""
        braked = [consumer.name for consumer in self._consumers if consumer.braked]
        return {
            "database": await self._check(self._ping_database()),
            "kafka": "ok" if self._connected.is_set() and await self._broker.ping(timeout=3.0) else "not connected",
            "consumers": f"braked after too many dead letters: {', '.join(braked)}" if braked else "ok",
        }

    async def _ping_database(self) -> None:
        async with asyncio.timeout(5), self.engine.connect() as conn:
            await conn.execute(text("select 1"))

    @staticmethod
    async def _check(probe: Awaitable[None]) -> str:
        try:
            await probe
        except Exception as error:  # noqa: BLE001 -- whatever is wrong is the answer
            return f"{type(error).__name__}: {str(error)[:200]}"
        return "ok"


def _stop_on_failure(task: asyncio.Task[None]) -> None:
    """A background loop never ends by itself; when one dies the process must be restarted rather than look alive."""
    if task.cancelled() or task.exception() is None:
        return
    log.critical("a background loop died; stopping", exc_info=task.exception())
    os.kill(os.getpid(), signal.SIGTERM)


def migrations_folder(package: str) -> Path:
    """The service's Alembic folder: inside the installed package (image), or beside `src` (checkout)."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(package)
    inside = Path(spec.origin).parent / "migrations"
    return inside if inside.is_dir() else Path(spec.origin).parents[2] / "migrations"


def run(name: str, settings_model: type[S], create_app: Callable[[S], FastAPI]) -> int:
    """`python -m <service>` serves; `python -m <service> migrate` brings its database to the newest schema. Returns the exit status."""
    settings = load_settings(settings_model, name)
    configure_logging(name, settings.log_level)
    if sys.argv[1:] == ["migrate"]:
        migrate(migrations_folder(name), settings.database_url)
        print(f"{name}: the database has the newest schema")
        return 0
    if sys.argv[1:]:
        print(f"usage: python -m {name} [migrate]", file=sys.stderr)
        return 2
    log.info("starting", settings=settings.model_dump(mode="json"))
    app = create_app(settings)
    try:
        uvicorn.run(app, host=settings.host, port=settings.port, log_config=None, timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_S)
    except ArchiveMissingError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    return 0
