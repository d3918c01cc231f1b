"""What the tests of both channels stand on: a database with its tables, and ways to see what is in it."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from bot import tables as bot_tables
from bot.channels.codec import load_inbound
from bot.channels.delivery import deliver_by, post_message
from bot.channels.metrics import ChannelMetrics
from bot.channels.model import Inbound, Outbound
from runtime import tables as runtime_tables
from runtime.backoff import Backoff
from runtime.clock import SystemClock
from runtime.database import Database
from runtime.outbox import Courier, Outbox


class TurnableClock(SystemClock):
    """The machine's clock, and how far a test has turned it."""

    def __init__(self) -> None:
        self.turned = timedelta()

    def now(self) -> datetime:
        return super().now() + self.turned


class Stored:
    """What the database holds of the channels, seen from outside."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def inbound(self) -> list[Inbound]:
        """In the order in which they were written down."""
        table = runtime_tables.inbox
        async with self._database.snapshot() as connection:
            rows = await connection.execute(sa.select(table.c.payload).order_by(table.c.id))
            return [load_inbound(payload) for (payload,) in rows]

    async def letters(self) -> list[sa.RowMapping]:
        table = runtime_tables.outbox
        async with self._database.snapshot() as connection:
            return list((await connection.execute(sa.select(table).order_by(table.c.id))).mappings())

    async def waiting_letters(self) -> int:
        return sum(letter["sent_at"] is None and letter["dead_at"] is None for letter in await self.letters())


class Office:
    """An outbox with a courier: posts, and waits until nothing is left to send."""

    def __init__(self, database: Database, clock: SystemClock, stored: Stored) -> None:
        self.database = database
        self.outbox = Outbox(clock)
        self._clock = clock
        self._stored = stored

    async def post(self, *outbounds: Outbound) -> None:
        async with self.database.transaction() as tx:
            for outbound in outbounds:
                await post_message(self.outbox, tx, outbound)

    @asynccontextmanager
    async def open(self, channel: str, sender: object) -> AsyncIterator[None]:
        """Letters are sent for the time of the block."""
        courier = Courier(
            self.database,
            self._clock,
            self.outbox,
            channel=channel,
            deliver=deliver_by(sender),  # type: ignore[arg-type]
            backoff=Backoff(first=0.01, ceiling=0.05, attempts=4),
            poll_seconds=0.05,
            chance=random.Random(1),
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(courier.run())
            yield
            courier.stop()

    async def send(self, *outbounds: Outbound) -> None:
        """Post and wait until all has been sent or given up."""
        await self.post(*outbounds)
        await eventually(self.is_empty)

    async def is_empty(self) -> bool:
        return await self._stored.waiting_letters() == 0


async def eventually(condition: Callable[[], Awaitable[bool]], seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - a row in a database has no event
            await asyncio.sleep(0.01)


Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]


@pytest.fixture(name="eventually")
def eventually_fixture() -> Eventually:
    return eventually


@pytest.fixture
def clock() -> TurnableClock:
    return TurnableClock()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> ChannelMetrics:
    return ChannelMetrics(registry)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Opened, with the tables that the channels use."""
    async with Database.open(database_url) as opened:
        async with opened.engine.begin() as connection:
            await connection.run_sync(runtime_tables.metadata.create_all)
            await connection.run_sync(bot_tables.metadata.create_all)
        yield opened


@pytest.fixture
def stored(database: Database) -> Stored:
    return Stored(database)


@pytest.fixture
def office(database: Database, clock: TurnableClock, stored: Stored) -> Office:
    return Office(database, clock, stored)
