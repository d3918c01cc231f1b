"""The indexer: follows the chain's head, and writes down what watched addresses received, in order, exactly once."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

import aiohttp
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from indexer import store as readers
from indexer.addresses import checksum_address
from indexer.announcements import Announcements
from indexer.config import ChainConfig
from indexer.follower import Follower
from indexer.heads import ReorgTooDeep
from indexer.model import Baseline, ChainEvent, ChainUnavailable, Deposit, WatchTier
from indexer.nodes import NodePool, WrongChain
from indexer.rescan import Rescanner
from indexer.rescans import Rescans
from indexer.rpc import BlockGone, CallRefused
from indexer.store import ChainStore, Fence, no_lease
from indexer.taking_in import read_baseline
from indexer.wire import Header
from runtime.clock import Clock
from runtime.database import Database, Transaction

log = structlog.get_logger()

SILENCE = 3  # block times
_BASELINE_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class ChainHealth:
    """The indexer's state, for /health and people."""

    head: int | None  # the node's newest block, as last heard of
    cursor: int | None  # the newest block that was read whole
    verified: int | None  # the newest block at which open addresses' balances were checked
    lag_seconds: float | None  # since cursor and head were last the same; None before that happened
    heads: str  # "websocket", "polling"
    halted: str | None  # why nothing is done, and what to do
    error: str | None  # why the last pass failed; it is tried again
    open_addresses: int
    dormant_addresses: int
    short_addresses: int  # hold less than their deposits say: look into it
    rescan: int | None  # the block that a rescan has come to; None: none is under way
    nodes: Sequence[Mapping[str, object]]

    @property
    def is_healthy(self) -> bool:
        return self.halted is None and self.error is None and not self.short_addresses and self.cursor is not None


class Indexer:
    """Implements ChainWatch. ``run`` indexes and belongs into one process at a time; the rest serves in all of them.

    ``fence`` is called in each of the indexer's transactions: it gives the lease's fencing token, and raises when the
    lease is lost; that error comes out of ``run``.
    """

    name = "indexer"

    def __init__(
        self,
        config: ChainConfig,
        database: Database,
        session: aiohttp.ClientSession,
        clock: Clock,
        fence: Fence = no_lease,
    ) -> None:
        self.config = config
        self.nodes = NodePool(config, session, clock)
        self._clock = clock
        self._store = ChainStore(database, clock, config.confirmations, fence, self._wake_readers)
        self._woken = asyncio.Event()  # a head was announced, or an address is to be watched
        self._announcements = (
            Announcements(config.ws_url, self._woken, open_timeout=max(1.0, SILENCE * config.block_time))
            if config.ws_url
            else None
        )
        self._rescanner = Rescanner(config, self._store, Rescans(database, clock))
        self._follower: Follower | None = None
        self._halted: str | None = None
        self._error: str | None = None
        self._level_at: datetime | None = None
        self._added = 0  # how often events were added
        self._added_event = asyncio.Event()
        self._told: WeakKeyDictionary[asyncio.Task[Any], int] = WeakKeyDictionary()

    async def run(self) -> None:
        """Index until cancelled. Raises only what a restart can help against (the database, the lease)."""
        self._follower = Follower(self.config, self._store, self.nodes, self._rescanner)
        async with asyncio.TaskGroup() as group:
            if self._announcements is not None:
                group.create_task(self._announcements.run())
            group.create_task(self.nodes.watch(self._woken.set))
            await self._follow(self._follower)

    async def baseline(self, address: str) -> Baseline:
        """Balance and nonce at the newest block, read at that block's hash. Raises ChainUnavailable."""
        known = await self._store.cursor()
        if known is not None:
            self.nodes.expect_asset(known.token)
            self.nodes.expect_genesis(known.genesis)
        checksummed = checksum_address(address)
        for _ in range(_BASELINE_ATTEMPTS - 1):
            try:
                return await self.nodes.use(lambda node: read_baseline(node, checksummed))
            except (BlockGone, CallRefused):  # the head moved on meanwhile
                continue
        return await self.nodes.use(lambda node: read_baseline(node, checksummed))

    async def watch(self, tx: Transaction, baseline: Baseline) -> None:
        """Look at the address from the block after its baseline on, whether that has been read already or not."""
        await readers.put_watch(tx, baseline)
        tx.after_commit(self._woken.set)

    async def demote(self, tx: Transaction, address: str) -> None:
        """Look at it slowly from now on, but for ever."""
        await readers.put_tier(tx, checksum_address(address), WatchTier.DORMANT)
        tx.after_commit(self._woken.set)

    async def deposits(self, connection: AsyncConnection, address: str) -> Sequence[Deposit]:
        """The credits that stand on the canonical chain, oldest first."""
        return await readers.deposits_of(connection, checksum_address(address))

    async def events(self, connection: AsyncConnection, after: int, limit: int) -> Sequence[ChainEvent]:
        """The changes with a seq above ``after``, in order."""
        return await readers.events_after(connection, after, limit)

    async def read_until(self, connection: AsyncConnection) -> datetime | None:
        """The time of the newest block that has been read whole; None before the first.

        Only blocks tell the time: a node that has stopped looks as a chain on which nothing happens. So on a chain that
        mines on demand nothing expires before its next block, and nobody's payment is given up for a node's silence.
        """
        return await readers.read_until(connection)

    async def changed(self) -> None:
        """Wait until events were added since this task last came back from here. At once on its first call."""
        task = asyncio.current_task()
        assert task is not None
        while self._told.get(task) == self._added:
            await self._added_event.wait()
        self._told[task] = self._added

    def health(self) -> ChainHealth:
        follower = self._follower
        lag = None if self._level_at is None else (self._clock.now() - self._level_at).total_seconds()
        is_level = follower is not None and follower.is_level
        return ChainHealth(
            head=follower.head if follower else None,
            cursor=follower.number if follower else None,
            verified=follower.verified if follower else None,
            lag_seconds=0.0 if is_level and self._halted is None and self._error is None else lag,
            heads="websocket" if self._announcements is not None and self._announcements.is_live else "polling",
            halted=self._halted,
            error=self._error,
            open_addresses=follower.count(WatchTier.OPEN) if follower else 0,
            dormant_addresses=follower.count(WatchTier.DORMANT) if follower else 0,
            short_addresses=len(follower.short) if follower else 0,
            rescan=self._rescanner.reached,
            nodes=self.nodes.report(),
        )

    @property
    def _announced(self) -> Header | None:
        return None if self._announcements is None else self._announcements.latest

    def _wake_readers(self) -> None:
        self._added += 1
        self._added_event.set()
        self._added_event = asyncio.Event()

    async def _follow(self, follower: Follower) -> None:
        """Pass after pass: at once while there is more to read, else when woken, or after a silence."""
        silent = False
        while True:
            self._woken.clear()
            before = follower.number
            pause: float | None = None
            try:
                more = await follower.advance(None if silent else self._announced)
                self._note(halted=None, error=None)
                if follower.is_level:
                    self._level_at = self._clock.now()
                if more:
                    continue
                if silent and follower.number != before:
                    self._distrust_announcements(follower)
            except (WrongChain, ReorgTooDeep) as reason:
                self._note(halted=str(reason), error=None)
            except ChainUnavailable as error:
                self._note(halted=self._halted, error=str(error))
                pause = min(1.0, self.config.block_time / 4)
            silent = not await self._wait(pause)

    async def _wait(self, pause: float | None) -> bool:
        """True: woken; False: nothing came in time."""
        config = self.config
        if pause is not None:
            seconds = pause
        elif self._announcements is None:
            seconds = config.poll_interval
        elif self._announcements.is_live:
            seconds = SILENCE * config.block_time
        else:  # it is being opened again; meanwhile we poll
            seconds = min(config.poll_interval, config.block_time)
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return False
        return True

    def _distrust_announcements(self, follower: Follower) -> None:
        """Blocks came that were not announced within three block times."""
        announced = self._announcements
        if announced is None or not announced.is_live or follower.number is None:
            return
        if announced.latest is None or announced.latest.height < follower.number:
            announced.distrust()

    def _note(self, *, halted: str | None, error: str | None) -> None:
        """Say what changed, once."""
        if halted != self._halted:
            if halted is not None:
                log.error("indexer_halted", reason=halted)
            else:
                log.info("indexer_resumed")
        if error != self._error and error is not None:
            log.warning("indexer_pass_failed", error=error)
        self._halted, self._error = halted, error
