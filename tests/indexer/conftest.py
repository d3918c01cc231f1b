"""The indexer against a real node: an Anvil per test, and an indexer that can be run, stopped and run again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import aiohttp
import pytest
import sqlalchemy as sa

from indexer.config import ChainConfig
from indexer.indexer import Indexer
from indexer.model import Baseline, ChainEvent, ChainUnavailable, Deposit
from indexer.store import Fence, no_lease
from indexer.tables import metadata, watches
from runtime.clock import SystemClock
from runtime.database import Database
from sandbox.anvil import Anvil

PATIENCE = 10.0  # seconds that a condition may take


async def until(
    condition: Callable[[], Awaitable[Any]], what: str = "the condition", patience: float = PATIENCE
) -> Any:
    """Ask until the answer is true; that answer."""
    try:
        async with asyncio.timeout(patience):
            while not (answer := await condition()):  # noqa: ASYNC110 - it lies in the database, which tells nobody
                await asyncio.sleep(0.02)
            return answer
    except TimeoutError:
        raise AssertionError(f"not within {patience:.0f} s: {what}") from None


@asynccontextmanager
async def running(indexer: Indexer) -> AsyncIterator[None]:
    """The indexer at work; its error, if it ends with one, ends the test."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(indexer.run())
        try:
            yield
        finally:
            task.cancel()


@dataclass
class Chain:
    """A node, a database and an indexer's settings, with the few verbs of the tests."""

    node: Anvil
    database: Database
    session: aiohttp.ClientSession
    config: ChainConfig
    fence: Fence = no_lease
    _indexers: list[Indexer] = field(default_factory=list)

    def indexer(self, **changes: Any) -> Indexer:
        """A new one, as after a restart of the process."""
        made = Indexer(replace(self.config, **changes), self.database, self.session, SystemClock(), self.fence)
        self._indexers.append(made)
        return made

    @property
    def newest(self) -> Indexer:
        return self._indexers[-1]

    async def open(self, address: str, baseline: Baseline | None = None) -> Baseline:
        """Watch an address as a payment does."""
        while baseline is None:
            with suppress(ChainUnavailable):  # as the payment's opener, which tries again
                baseline = await self.newest.baseline(address)
        async with self.database.transaction() as tx:
            await self.newest.watch(tx, baseline)
        return baseline

    async def close(self, address: str) -> None:
        async with self.database.transaction() as tx:
            await self.newest.demote(tx, address)

    async def deposits(self, address: str) -> list[Deposit]:
        async with self.database.snapshot() as connection:
            return list(await self.newest.deposits(connection, address))

    async def events(self, after: int = 0) -> list[ChainEvent]:
        async with self.database.snapshot() as connection:
            return list(await self.newest.events(connection, after, 100_000))

    async def told(self, address: str) -> list[str]:
        """The address's events in short, as "seen 0" or "deeper 1"."""
        return [f"{event.kind} {event.confirmations}" for event in await self.events() if event.address == address]

    async def level(self, indexer: Indexer) -> None:
        """Until the indexer has read the node's newest block and taken in every watch."""

        async def at_head() -> bool:
            health = indexer.health()
            if health.cursor != await self.node.block_number() or health.error or health.halted:
                return False
            async with self.database.snapshot() as connection:
                return not (await connection.execute(sa.select(watches).where(watches.c.news != ""))).all()

        await until(at_head, "the indexer has read the newest block")

    async def checked(self, indexer: Indexer) -> None:
        """Until the balances at the block that is deep enough have been checked."""

        async def at_depth() -> bool:
            return indexer.health().verified == await self.node.block_number() - self.config.confirmations

        await until(at_depth, "the balances are checked")

    async def confirmed(self, address: str, count: int = 1) -> list[Deposit]:
        """Until that many deposits are confirmed."""

        async def enough() -> list[Deposit] | None:
            found = [deposit for deposit in await self.deposits(address) if deposit.confirmed]
            return found if len(found) >= count else None

        found: list[Deposit] = await until(enough, f"{count} confirmed deposits")
        return found

    async def seen(self, address: str, count: int = 1) -> list[Deposit]:
        async def enough() -> list[Deposit] | None:
            found = await self.deposits(address)
            return found if len(found) >= count else None

        found: list[Deposit] = await until(enough, f"{count} deposits seen")
        return found


class MakeChain(Protocol):
    def __call__(self, node: Anvil, database: Database, **config: Any) -> Chain: ...


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def make_chain(session: aiohttp.ClientSession) -> MakeChain:
    def make(node: Anvil, database: Database, **config: Any) -> Chain:
        settings: dict[str, Any] = {
            "rpc_urls": (node.http_url,),
            "ws_url": node.ws_url,
            "block_time": 0.2,
            "poll_interval": 0.05,
            "cool_down": 0.2,
            "rpc_timeout": 3.0,
        }
        return Chain(node, database, session, ChainConfig(**(settings | config)))

    return make


@pytest.fixture
async def sqlite(sqlite_url: str) -> AsyncIterator[Database]:
    """For what does not depend on the kind of database."""
    async with Database.open(sqlite_url) as opened:
        async with opened.engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        yield opened


@pytest.fixture
async def indexed(database: Database) -> Database:
    """A database of each kind with the indexer's tables."""
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    return database


@pytest.fixture
async def node() -> AsyncIterator[Anvil]:
    """Mines a block for each transaction."""
    async with Anvil.start() as anvil:
        yield anvil


@pytest.fixture
def address() -> str:
    """Of nobody, and fresh."""
    return "0x00000000000000000000000000000000C0FFEE01"
