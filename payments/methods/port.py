"""What every way to pay can do. Opening has two halves, so that no transaction waits for the network."""

from datetime import datetime, timedelta
from typing import Any, Protocol

from payments.money import Money
from payments.payment import Method, Payment, Quote
from runtime.database import Transaction
from runtime.errors import LayoverError


class MethodUnavailable(LayoverError):
    """The provider behind the method does not answer. Nothing was decided: try again, or offer another method."""

    def __init__(self, method: Method, why: str) -> None:
        super().__init__(f"{method} is not available right now: {why}")
        self.method = method


class PaymentMethod(Protocol):
    kind: Method
    time_to_pay: timedelta

    def quote(self, price: Money, now: datetime) -> Quote:
        """What the price is in what is paid."""
        ...

    async def begin(self, tx: Transaction, payment: Payment) -> Payment:
        """Give the new payment what only the database can give (an address). No network."""
        ...

    async def ask(self, payment: Payment) -> Any:
        """Ask the outside what opening needs. Safe to repeat. Raises MethodUnavailable."""
        ...

    async def open(self, tx: Transaction, payment: Payment, answer: Any) -> Payment | None:
        """Write the answer of ``ask`` down: the payment as it can be paid now; None: ask once more."""
        ...

    async def rest(self, tx: Transaction, payment: Payment) -> None:
        """The payment has been over for a while: watch for late money with less zeal, but for ever."""
        ...

    async def knows_until(self, payment: Payment) -> datetime | None:
        """Up to which moment all evidence has been read; None: it is never behind."""
        ...
