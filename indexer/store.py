"""What the indexer keeps, and how its readers see it. Writes go through ``writing()`` alone: one writer, in order."""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from indexer.model import Baseline, BlockRef, ChainEvent, ChainEventKind, Deposit, WatchTier
from indexer.tables import blocks, cursor, deposits, events, spends, watches
from indexer.writer import CHAIN, Cursor, Writer, cursor_of
from runtime.clock import Clock
from runtime.database import Database, Transaction
from runtime.errors import LayoverError

# Called in each of the indexer's transactions: the fencing token of the lease. Raises when it is held no longer.
Fence = Callable[[Transaction], Awaitable[int]]

_PAGE = 1_000  # watches


class StaleFence(LayoverError):
    def __init__(self, token: int, newest: int) -> None:
        super().__init__(
            f"this process indexed under lease {token}, but lease {newest} has written since: it must stop"
        )


class CursorMoved(LayoverError):
    def __init__(self, planned: BlockRef, found: BlockRef) -> None:
        super().__init__(f"the cursor is at block {found.number}, not at {planned.number}: somebody else wrote")


@dataclass(frozen=True, slots=True)
class KeptBlock:
    """A block of the kept window."""

    ref: BlockRef
    parent: str
    mined_at: datetime


@dataclass(frozen=True, slots=True)
class Watch:
    """An address we look at. ``news``: what the indexer has not taken in yet ("new", "tier" or "")."""

    baseline: Baseline
    tier: WatchTier
    news: str

    @property
    def address(self) -> str:
        return self.baseline.address


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A deposit that stands but has not been confirmed."""

    id: int
    address: str
    block_number: int


async def no_lease(_tx: Transaction) -> int:
    """The fence of a process that is alone."""
    return 0


class ChainStore:
    """The indexer's own view. ``on_events`` is called after a commit that added events."""

    def __init__(
        self, database: Database, clock: Clock, confirmations: int, fence: Fence, on_events: Callable[[], None]
    ) -> None:
        self._database = database
        self._clock = clock
        self._confirmations = confirmations
        self._fence = fence
        self._on_events = on_events

    async def cursor(self) -> Cursor | None:
        async with self._database.snapshot() as connection:
            row = (await connection.execute(sa.select(cursor))).one_or_none()
        return None if row is None else cursor_of(row)

    async def kept(self) -> dict[int, KeptBlock]:
        """The kept window by number, newest last."""
        async with self._database.snapshot() as connection:
            rows = await connection.execute(sa.select(blocks).order_by(blocks.c.number))
        return {row.number: KeptBlock(BlockRef(row.number, row.hash), row.parent, row.mined_at) for row in rows}

    async def watches(self, *, only_news: bool = False) -> list[Watch]:
        statement = sa.select(watches)
        if only_news:
            statement = statement.where(watches.c.news != "")
        async with self._database.snapshot() as connection:
            return [_watch(row) for row in await connection.execute(statement)]

    async def adopted(self) -> AsyncIterator[list[Watch]]:
        """The watches that have been taken in, some at a time: all at once they would be tens of megabytes."""
        last = ""
        while True:
            statement = (
                sa.select(watches)
                .where(watches.c.address > last, watches.c.news != "new")
                .order_by(watches.c.address)
                .limit(_PAGE)
            )
            async with self._database.snapshot() as connection:
                page = [_watch(row) for row in await connection.execute(statement)]
            if not page:
                return
            yield page
            last = page[-1].address

    async def net(self, after: int, upto: int) -> Mapping[str, int]:
        """Credits less spends of each address in the blocks (after, upto], in wei."""
        net: dict[str, int] = defaultdict(int)
        async with self._database.snapshot() as connection:
            for address, _, amount in await _movements(connection, after, upto):
                net[address] += amount
        return net

    async def nonces(self) -> Mapping[str, int]:
        """How many transactions each watched address has sent, by all that is stored."""
        sent = sa.select(spends.c.address, sa.func.count()).where(spends.c.path == "gas").group_by(spends.c.address)
        async with self._database.snapshot() as connection:
            rows = await connection.execute(sa.select(watches.c.address, watches.c.baseline_nonce))
            found = {row[0]: row[1] for row in rows}
            for address, count in await connection.execute(sent):
                found[address] = found.get(address, 0) + count
        return found

    async def account(self, address: str) -> tuple[Baseline, list[tuple[int, int]]]:
        """An address's baseline and its movements since: (block number, wei; negative for spends)."""
        async with self._database.snapshot() as connection:
            row = (await connection.execute(sa.select(watches).where(watches.c.address == address))).one()
            rows = await _movements(connection, -1, None, address)
        return _watch(row).baseline, [(number, amount) for _, number, amount in rows]

    async def origins(self, address: str, block: BlockRef) -> set[tuple[str | None, str]]:
        """(transaction, path) of the address's deposits in a block."""
        statement = sa.select(deposits.c.tx_hash, deposits.c.path).where(
            deposits.c.address == address, deposits.c.block_hash == block.hash, deposits.c.removed_at.is_(None)
        )
        async with self._database.snapshot() as connection:
            return {(row.tx_hash or None, row.path) for row in await connection.execute(statement)}

    async def unsettled(self, upto: int) -> list[Unsettled]:
        """Deposits in blocks up to that one which wait for their confirmation."""
        statement = sa.select(deposits.c.id, deposits.c.address, deposits.c.block_number).where(
            deposits.c.removed_at.is_(None), sa.not_(deposits.c.confirmed), deposits.c.block_number <= upto
        )
        async with self._database.snapshot() as connection:
            return [Unsettled(row.id, row.address, row.block_number) for row in await connection.execute(statement)]

    async def begin(self, chain_id: int, genesis: str, kept: Sequence[KeptBlock], counted: str | None) -> None:
        """The first start on a chain: the window below the head, and the cursor at its last block."""
        head = kept[-1]
        async with self._database.transaction() as tx:
            token = await self._fence(tx)
            values = {
                "id": CHAIN,
                "chain_id": chain_id,
                "genesis_hash": genesis,
                "token": counted or "",
                "number": head.ref.number,
                "hash": head.ref.hash,
                "mined_at": head.mined_at,
                "verified": head.ref.number,
                "swept": head.ref.number,
                "last_event": 0,
                "last_deposit": 0,
                "fence": token,
            }
            if await tx.insert_if_new(cursor, values, key=["id"]):
                await tx.execute(sa.insert(blocks), [_block_values(block) for block in kept])

    @asynccontextmanager
    async def writing(self, tip: BlockRef) -> AsyncIterator[Writer]:
        """One unit of work on top of ``tip``: all of it is stored, or none. Raises StaleFence, CursorMoved."""
        async with self._database.transaction() as tx:
            token = await self._fence(tx)
            row = (await tx.execute(sa.select(cursor).with_for_update())).one()
            at = cursor_of(row)
            if token < at.fence:
                raise StaleFence(token, at.fence)
            if at.tip != tip:
                raise CursorMoved(tip, at.tip)
            writer = Writer(tx, at, token, self._confirmations, self._clock.now())
            yield writer
            if await writer.finish():
                tx.after_commit(self._on_events)


async def deposits_of(connection: AsyncConnection, address: str) -> list[Deposit]:
    """The deposits that stand, oldest first."""
    head = sa.select(cursor.c.number).scalar_subquery()
    statement = (
        sa.select(deposits, head.label("head"))
        .where(deposits.c.address == address, deposits.c.removed_at.is_(None))
        .order_by(deposits.c.block_number, deposits.c.id)
    )
    return [
        Deposit(
            id=row.id,
            address=row.address,
            amount=row.amount,
            block=BlockRef(row.block_number, row.block_hash),
            tx_hash=row.tx_hash or None,
            sender=row.sender,
            confirmations=row.head - row.block_number,
            confirmed=row.confirmed,
            mined_at=row.mined_at,
            seen_at=row.seen_at,
        )
        for row in await connection.execute(statement)
    ]


async def events_after(connection: AsyncConnection, after: int, limit: int) -> list[ChainEvent]:
    statement = sa.select(events).where(events.c.seq > after).order_by(events.c.seq).limit(limit)
    return [
        ChainEvent(
            seq=row.seq,
            kind=ChainEventKind(row.kind),
            address=row.address,
            deposit_id=row.deposit_id,
            amount=row.amount,
            confirmations=row.confirmations,
            block=BlockRef(row.block_number, row.block_hash),
            tx_hash=row.tx_hash,
        )
        for row in await connection.execute(statement)
    ]


async def read_until(connection: AsyncConnection) -> datetime | None:
    return await connection.scalar(sa.select(cursor.c.mined_at))


async def count_watches(connection: AsyncConnection) -> dict[str, int]:
    """How many addresses there are of each tier."""
    rows = await connection.execute(sa.select(watches.c.tier, sa.func.count()).group_by(watches.c.tier))
    return {row[0]: row[1] for row in rows}


async def put_watch(tx: Transaction, baseline: Baseline) -> None:
    """Open. An address that is known keeps its first baseline: what came since is known or will be found."""
    values = {
        "address": baseline.address,
        "tier": WatchTier.OPEN,
        "news": "new",
        "baseline_number": baseline.block.number,
        "baseline_hash": baseline.block.hash,
        "baseline_balance": baseline.balance,
        "baseline_nonce": baseline.nonce,
    }
    if not await tx.insert_if_new(watches, values, key=["address"]):
        await put_tier(tx, baseline.address, WatchTier.OPEN)


async def put_tier(tx: Transaction, address: str, tier: WatchTier) -> None:
    news = sa.case((watches.c.news == "new", "new"), else_="tier")
    known = sa.update(watches).where(watches.c.address == address, watches.c.tier != tier)
    await tx.execute(known.values(tier=tier, news=news))


async def _movements(
    connection: AsyncConnection, after: int, upto: int | None, address: str | None = None
) -> list[tuple[str, int, int]]:
    """(address, block number, wei) of all credits (positive) and spends (negative) that stand."""
    found: list[tuple[str, int, int]] = []
    for table, sign, where in ((deposits, 1, [deposits.c.removed_at.is_(None)]), (spends, -1, [])):
        statement = sa.select(table.c.address, table.c.block_number, table.c.amount).where(
            table.c.block_number > after, *where
        )
        if upto is not None:
            statement = statement.where(table.c.block_number <= upto)
        if address is not None:
            statement = statement.where(table.c.address == address)
        found += [(row[0], row[1], sign * row[2]) for row in await connection.execute(statement)]
    return found


def _watch(row: sa.Row[Any]) -> Watch:
    block = BlockRef(row.baseline_number, row.baseline_hash)
    baseline = Baseline(row.address, block, row.baseline_balance, row.baseline_nonce)
    return Watch(baseline, WatchTier(row.tier), row.news)


def _block_values(block: KeptBlock) -> dict[str, Any]:
    return {
        "number": block.ref.number,
        "hash": block.ref.hash,
        "parent": block.parent,
        "mined_at": block.mined_at,
    }
