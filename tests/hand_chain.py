"""A chain that the test writes by hand, in place of the indexer."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from indexer.model import Baseline, BlockRef, ChainEvent, ChainEventKind, ChainUnavailable, Deposit
from runtime.clock import Clock
from runtime.database import Transaction


@dataclass
class HandChain:
    """A ChainWatch whose chain is a list that the test edits."""

    clock: Clock
    credits: list[Deposit] = field(default_factory=list)
    told: list[ChainEvent] = field(default_factory=list)
    watched: list[str] = field(default_factory=list)
    resting: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    is_down: bool = False
    known_until: datetime | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def baseline(self, address: str) -> Baseline:
        if self.is_down:
            raise ChainUnavailable("no node answers")
        return Baseline(address, BlockRef(7, "0x07"), 0, 1 if address in self.used else 0)

    async def watch(self, tx: Transaction, baseline: Baseline) -> None:
        self.watched.append(baseline.address)

    async def demote(self, tx: Transaction, address: str) -> None:
        self.resting.append(address)

    async def deposits(self, connection: AsyncConnection, address: str) -> Sequence[Deposit]:
        return [credit for credit in self.credits if credit.address == address]

    async def events(self, connection: AsyncConnection, after: int, limit: int) -> Sequence[ChainEvent]:
        return [event for event in self.told if event.seq > after][:limit]

    async def read_until(self, connection: AsyncConnection) -> datetime | None:
        return self.known_until or self.clock.now()

    async def changed(self) -> None:
        await self._news.wait()

    def pays(self, address: str, amount: int, confirmations: int = 0) -> Deposit:
        """A deposit, as deep as said; at 3 it is confirmed."""
        number = len(self.credits) + 1
        deposit = Deposit(
            id=number,
            address=address,
            amount=amount,
            block=BlockRef(100 + number, f"0x{number:02x}"),
            tx_hash=f"0xaa{number:02x}",
            sender="0x01",
            confirmations=confirmations,
            confirmed=confirmations >= 3,
            mined_at=self.clock.now(),
            seen_at=self.clock.now(),
        )
        self.credits.append(deposit)
        self._tell(deposit, ChainEventKind.SEEN)
        return deposit

    def deepen(self, deposit: Deposit, confirmations: int) -> Deposit:
        deeper = replace(deposit, confirmations=confirmations, confirmed=confirmations >= 3)
        self.credits[self.credits.index(deposit)] = deeper
        self._tell(deeper, ChainEventKind.CONFIRMED if deeper.confirmed else ChainEventKind.DEEPER)
        return deeper

    def takes_back(self, deposit: Deposit) -> None:
        self.credits.remove(deposit)
        self._tell(deposit, ChainEventKind.REMOVED)

    def _tell(self, deposit: Deposit, kind: ChainEventKind) -> None:
        self.told.append(
            ChainEvent(
                len(self.told) + 1,
                kind,
                deposit.address,
                deposit.id,
                deposit.amount,
                deposit.confirmations,
                deposit.block,
                deposit.tx_hash,
            )
        )
        self._news.set()
        self._news = asyncio.Event()
