"""A payments wing on a real database, with a chain that the test writes by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from indexer.addresses import AddressBook, account_xpub
from indexer.model import (
    Baseline,
    BlockRef,
    ChainEvent,
    ChainEventKind,
    ChainUnavailable,
    Deposit,
)
from payments import store
from payments.checkout import Checkout, PaymentTimer
from payments.evidence import Evidence
from payments.methods.clayer import ClayerConfig, ClayerMethod
from payments.methods.clayer_evidence import ChainEvidence
from payments.money import Coin, Money
from payments.payment import Method, Payment
from payments.tables import metadata
from runtime.clock import SystemIds
from runtime.database import Database, Transaction

XPUB = account_xpub("test test test test test test test test test test test junk")  # the public development mnemonic
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PRICE = Money(184260, "USD")
DUE = 10**18


@dataclass
class HandClock:
    """Time that moves when the test says so."""

    moment: datetime = NOON

    def now(self) -> datetime:
        return self.moment

    def forward(self, **by: float) -> None:
        self.moment += timedelta(**by)

    async def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@dataclass
class HandChain:
    """A ChainWatch whose chain is a list that the test edits."""

    clock: HandClock
    credits: list[Deposit] = field(default_factory=list)
    told: list[ChainEvent] = field(default_factory=list)
    watched: list[str] = field(default_factory=list)
    resting: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    is_down: bool = False
    known_until: datetime | None = None

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
        return None

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


@dataclass
class Told:
    """Keeps what the observer was told."""

    changes: list[tuple[Payment, Payment]] = field(default_factory=list)

    async def changed(self, tx: Transaction, before: Payment, after: Payment, reason: str) -> None:
        self.changes.append((before, after))


@dataclass
class Wing:
    """The payments wing, put together as the daemon does it."""

    database: Database
    clock: HandClock
    chain: HandChain
    told: Told
    checkout: Checkout
    timer: PaymentTimer
    reader: ChainEvidence
    evidence: Evidence

    async def start(self, booking: str = "bkg_1") -> Payment:
        """A payment that has been opened."""
        async with self.database.transaction() as tx:
            payment = await self.checkout.start(
                tx,
                booking_id=booking,
                chat="telegram:1",
                method=Method.CLAYER,
                price=PRICE,
                not_after=self.clock.now() + timedelta(days=1),
            )
        await self.timer.scan()
        return await self.payment(payment.id)

    async def payment(self, payment_id: str) -> Payment:
        async with self.database.snapshot() as connection:
            payment = await store.get(connection, payment_id)
        assert payment is not None
        return payment

    async def read(self, payment: Payment) -> Payment:
        """Have the chain's news read; the payment as it is then."""
        while await self.reader.read_batch():
            pass
        return await self.payment(payment.id)


@pytest.fixture
async def wing(database: Database) -> Wing:
    async with database.transaction() as tx:
        await tx.connection.run_sync(metadata.create_all)
    clock = HandClock()
    chain, told = HandChain(clock), Told()
    config = ClayerConfig(Coin("CLAYER", 18), 28525, XPUB, None, Decimal(1), timedelta(hours=1), timedelta(seconds=12))
    method = ClayerMethod(config, database, chain, AddressBook(XPUB).address, clock)
    methods = {Method.CLAYER: method}
    evidence = Evidence(clock, told)
    timer = PaymentTimer(database, methods, evidence, told, clock)
    checkout = Checkout(methods, evidence, clock, SystemIds(), timer.wake)
    return Wing(database, clock, chain, told, checkout, timer, ChainEvidence(database, chain, evidence), evidence)
