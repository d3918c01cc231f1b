"""An indexer with a database of its own, as the daemon composes it, and ways to wait for what it does."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import sqlalchemy as sa

from indexer.bulk import insert_rows
from indexer.config import ChainConfig
from indexer.indexer import Indexer
from indexer.model import Baseline, BlockRef, WatchTier
from indexer.tables import deposits, metadata, watches
from runtime.clock import SystemClock
from runtime.database import Database

_LOOK = 0.004  # seconds between two looks at the indexer's own state
_CONNECTIONS = 4


class NotIndexed(Exception):
    """The indexer did not get where it should: the benchmark is void."""


def own_node(http_url: str, ws_url: str | None) -> ChainConfig:
    """The settings for a node of one's own, whose operator allows large batches."""
    return ChainConfig(
        rpc_urls=(http_url,),
        ws_url=ws_url,
        poll_interval=0.05,
        batch_size=250,
        connections=_CONNECTIONS,
    )


@asynccontextmanager
async def indexing(config: ChainConfig, database: Database) -> AsyncIterator[Indexer]:
    """At work for as long as the block lasts."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session, asyncio.TaskGroup() as group:
        indexer = Indexer(config, database, session, SystemClock())
        task = group.create_task(indexer.run())
        try:
            yield indexer
        finally:
            task.cancel()


async def reached(indexer: Indexer, block: int, *, verified: bool = False) -> None:
    """Until that block is stored (``verified``: and the balances there are checked)."""
    while True:
        health = indexer.health()
        if health.halted:
            raise NotIndexed(health.halted)
        at = health.verified if verified else health.cursor
        if at is not None and at >= block:
            return
        await asyncio.sleep(_LOOK)


async def database_watching(file: Path, config: ChainConfig, addresses: Sequence[str], genesis: BlockRef) -> None:
    """Make a database in which the addresses are watched since that block, and everything up to it is read."""
    async with Database.open(f"sqlite:///{file}") as database:
        async with database.engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        async with indexing(config, database) as indexer:
            await reached(indexer, genesis.number)
            async with database.transaction() as tx:
                for address in addresses:
                    await indexer.watch(tx, Baseline(address, genesis, 0, 0))
            while indexer.health().open_addresses < len(addresses):  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(_LOOK)


async def insert_open(database: Database, addresses: Sequence[str], since: BlockRef) -> None:
    """Open watches that count as taken in, straight into the table: tens of thousands in a second."""
    names = ("address", "tier", "baseline_number", "baseline_hash", "baseline_balance", "baseline_nonce", "news")
    rows = [(address, WatchTier.OPEN.value, since.number, since.hash, 0, 0, "") for address in addresses]
    async with database.transaction() as tx:
        await insert_rows(tx, watches, names, rows)


@asynccontextmanager
async def new_database(file: Path) -> AsyncIterator[Database]:
    """With the indexer's tables; gone afterwards."""
    try:
        async with Database.open(f"sqlite:///{file}") as database:
            async with database.engine.begin() as connection:
                await connection.run_sync(metadata.create_all)
            yield database
    finally:
        for left in file.parent.glob(f"{file.name}*"):
            left.unlink()


@asynccontextmanager
async def copy_of(file: Path, name: str) -> AsyncIterator[Database]:
    """A fresh copy of a database that is closed; gone afterwards."""
    copy = file.with_name(name)
    shutil.copyfile(file, copy)
    try:
        async with Database.open(f"sqlite:///{copy}") as database:
            yield database
    finally:
        for left in file.parent.glob(f"{name}*"):
            left.unlink()


async def stored(database: Database) -> list[tuple[str, int]]:
    """(address, wei) of every deposit, in order."""
    async with database.snapshot() as connection:
        rows = await connection.execute(sa.select(deposits.c.address, deposits.c.amount))
        return sorted((row.address, row.amount) for row in rows)
