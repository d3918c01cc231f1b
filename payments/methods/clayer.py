"""Paying with CLAYER: an address of the payment's own below the merchant's account, watched by the indexer."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from indexer.model import Baseline, ChainUnavailable, ChainWatch
from payments import addresses
from payments.methods.port import MethodUnavailable
from payments.money import Coin, Money
from payments.payment import Method, Payment, Quote
from runtime.clock import Clock
from runtime.database import Database, Transaction
from runtime.errors import LayoverError


class NoRate(LayoverError):
    def __init__(self, currency: str) -> None:
        super().__init__(f"no rate from {currency}: prices must be in USD, or set CIRCLE_LAYER_FIXED_AMOUNT")


@dataclass(frozen=True, slots=True)
class ClayerConfig:
    coin: Coin
    chain_id: int
    account_xpub: str
    usd_rate: Decimal | None  # USD for one coin
    fixed_amount: Decimal | None  # coins, whatever the price: for tests
    time_to_pay: timedelta
    settling: timedelta  # until the indexer has surely seen what a block paid: confirmations × block time


class ClayerMethod:
    """Implements PaymentMethod. ``derive`` gives the checksummed address of an index."""

    kind = Method.CLAYER

    def __init__(
        self, config: ClayerConfig, database: Database, chain: ChainWatch, derive: Callable[[int], str], clock: Clock
    ) -> None:
        self._config = config
        self._database = database
        self._chain = chain
        self._derive = derive
        self._clock = clock
        self.time_to_pay = config.time_to_pay

    def quote(self, price: Money, now: datetime) -> Quote:
        """Due units round up. Raises NoRate for a price that is not in USD when there is no fixed amount."""
        coin = self._config.coin
        if self._config.fixed_amount is not None:
            return Quote(price, coin, coin.units(self._config.fixed_amount), "fixed test amount", now)
        rate = self._config.usd_rate
        if rate is None or price.currency != "USD":
            raise NoRate(price.currency)
        return Quote(price, coin, units_at_rate(price, coin, rate), f"1 {coin.symbol} = USD {rate}", now)

    async def begin(self, tx: Transaction, payment: Payment) -> Payment:
        given = await addresses.take_index(tx, self._config.account_xpub)
        address = self._derive(given.index)
        await addresses.give(tx, given, address, payment.id, self._clock.now())
        return replace(payment, address=address)

    async def ask(self, payment: Payment) -> Baseline:
        assert payment.address is not None
        try:
            return await self._chain.baseline(payment.address)
        except ChainUnavailable as error:
            raise MethodUnavailable(self.kind, str(error)) from error

    async def open(self, tx: Transaction, payment: Payment, answer: Any) -> Payment | None:
        """Watch the address from its baseline on. One that had a life before is skipped and another one given."""
        baseline: Baseline = answer
        evidence = baseline_json(baseline)
        if not baseline.is_fresh:
            await addresses.skip(tx, baseline.address, "it already had a balance or a transaction", evidence)
            return None
        await addresses.keep_baseline(tx, baseline.address, evidence)
        await self._chain.watch(tx, baseline)
        return replace(payment, opened_at=self._clock.now())

    async def rest(self, tx: Transaction, payment: Payment) -> None:
        assert payment.address is not None
        await self._chain.demote(tx, payment.address)

    async def knows_until(self, payment: Payment) -> datetime | None:
        async with self._database.snapshot() as connection:
            newest = await self._chain.read_until(connection)
        return payment.created_at if newest is None else newest - self._config.settling


def units_at_rate(price: Money, coin: Coin, usd_rate: Decimal) -> int:
    """Units for the price, rounded up, in whole-number arithmetic: never short, never off by a float."""
    numerator, denominator = usd_rate.as_integer_ratio()
    top = price.minor * int(10**coin.decimals) * denominator
    bottom = 100 * numerator
    return -(-top // bottom)


def payment_uri(payment: Payment, chain_id: int) -> str:
    """The EIP-681 link of what is still to pay. https://eips.ethereum.org/EIPS/eip-681"""
    token, units = payment.quote.coin.token_address, payment.missing or payment.due
    if token is not None:
        return f"ethereum:{token}@{chain_id}/transfer?address={payment.address}&uint256={units}"
    return f"ethereum:{payment.address}@{chain_id}?value={units}"


def baseline_json(baseline: Baseline) -> dict[str, Any]:
    return {
        "block": baseline.block.number,
        "hash": baseline.block.hash,
        "balance": str(baseline.balance),
        "nonce": baseline.nonce,
    }
