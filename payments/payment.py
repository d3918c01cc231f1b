"""A payment: its values, its states, and the one table of how they may follow each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from payments.money import Coin, Money
from runtime.errors import LayoverError


class Method(StrEnum):
    """How a traveller pays."""

    CLAYER = "clayer"  # native coin (or one token) on the Circle Layer chain


class State(StrEnum):
    PENDING = "pending"  # asked for; nothing has come
    PROCESSING = "processing"  # money is seen, not yet certain
    UNDERPAID = "underpaid"  # certain, but less than is due; the clock still runs
    COMPLETE = "complete"  # certain, and what was due
    OVERPAID = "overpaid"  # certain, and more than was due: paid, with a rest that is the traveller's
    EXPIRED = "expired"  # the time ran out before what was due had come
    CANCELLED = "cancelled"  # the traveller took it back before any money came
    FAILED = "failed"  # it could not be opened, or the provider refused it
    LATE = "late"  # money came after the end: kept for the traveller
    REFUNDED = "refunded"  # all of it went back
    REVERSED = "reversed"  # taken back after it was complete (a reorg, a dispute): for the operator to see


# Every change a payment may make; anything else is a fault in our code and is refused.
# The way back from COMPLETE and LATE is the chain's reorg alone.
TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.PENDING: frozenset(
        {
            State.PROCESSING,
            State.UNDERPAID,
            State.COMPLETE,
            State.OVERPAID,
            State.EXPIRED,
            State.CANCELLED,
            State.FAILED,
        }
    ),
    State.PROCESSING: frozenset(
        {State.PENDING, State.UNDERPAID, State.COMPLETE, State.OVERPAID, State.EXPIRED, State.FAILED}
    ),
    State.UNDERPAID: frozenset(
        {State.PENDING, State.PROCESSING, State.COMPLETE, State.OVERPAID, State.EXPIRED, State.REFUNDED}
    ),
    State.COMPLETE: frozenset({State.OVERPAID, State.REVERSED, State.REFUNDED}),
    State.OVERPAID: frozenset({State.COMPLETE, State.REVERSED, State.REFUNDED}),
    State.REVERSED: frozenset({State.COMPLETE, State.OVERPAID, State.REFUNDED}),
    State.EXPIRED: frozenset({State.LATE, State.REFUNDED}),
    State.CANCELLED: frozenset({State.LATE}),
    State.FAILED: frozenset({State.LATE}),
    State.LATE: frozenset({State.EXPIRED, State.CANCELLED, State.FAILED, State.COMPLETE, State.REFUNDED}),
    State.REFUNDED: frozenset(),
}

PAID = frozenset({State.COMPLETE, State.OVERPAID})
WAITING = frozenset({State.PENDING, State.PROCESSING, State.UNDERPAID})
ENDED_UNPAID = frozenset({State.EXPIRED, State.CANCELLED, State.FAILED, State.LATE})


class ForbiddenTransition(LayoverError):
    def __init__(self, payment_id: str, before: State, after: State) -> None:
        super().__init__(f"payment {payment_id} cannot go from {before} to {after}")


@dataclass(frozen=True, slots=True)
class Quote:
    """What the price became in the coin that is paid, and by which rate. Kept with the payment."""

    price: Money
    coin: Coin
    units: int  # due, in the coin's smallest unit, rounded up
    rate: str  # in words: "1 CLAYER = USD 0.25" or "fixed test amount"
    quoted_at: datetime


@dataclass(frozen=True, slots=True)
class Payment:
    """One attempt to pay for one booking by one method."""

    id: str
    booking_id: str
    chat: str  # whom to tell: a lane such as "telegram:4711"
    method: Method
    state: State
    quote: Quote
    created_at: datetime
    opened_at: datetime | None  # when the traveller could be told where to pay; None: being opened
    expires_at: datetime
    version: int  # counts every change; news carry it
    address: str | None = None  # where to pay, once it is known
    received: int = 0  # units seen on the canonical chain, certain or not
    confirmed: int = 0  # units that are certain
    confirmations: int = 0  # of the youngest deposit that is needed
    tx_hashes: tuple[str, ...] = ()

    @property
    def due(self) -> int:
        return self.quote.units

    @property
    def missing(self) -> int:
        """Units still to come; 0 when enough has been seen."""
        return max(0, self.due - self.received)

    @property
    def is_paid(self) -> bool:
        return self.state in PAID

    @property
    def is_waiting(self) -> bool:
        return self.state in WAITING


def check_transition(payment: Payment, after: State) -> None:
    """Raise ForbiddenTransition unless the table allows it. Staying in a state is always allowed."""
    if after is not payment.state and after not in TRANSITIONS[payment.state]:
        raise ForbiddenTransition(payment.id, payment.state, after)
