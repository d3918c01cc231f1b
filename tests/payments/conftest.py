"""A payments wing on a real database, with a chain that the test writes by hand."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from indexer.addresses import AddressBook, account_xpub
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
from tests.hand_chain import HandChain

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
