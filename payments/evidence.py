"""The one place where evidence changes a payment, whatever the method and whoever found it.

Evidence is weighed elsewhere (a method's own module, the timer, the traveller's wish) into a ``Finding``. Here it
is held against the transition table, written with its reason, audited, and told, all in the caller's transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog

from payments import store
from payments.payment import Payment, State, check_transition
from payments.treasury import audit
from runtime.clock import Clock
from runtime.database import Transaction

log = structlog.get_logger()

# How long after its end a payment's address is still looked at on every head, before it becomes dormant.
ATTENTION_AFTER_END = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Amounts:
    """What the evidence says has come, in the payment's own units."""

    received: int
    confirmed: int
    confirmations: int
    tx_hashes: tuple[str, ...]

    @classmethod
    def of(cls, payment: Payment) -> "Amounts":
        return cls(payment.received, payment.confirmed, payment.confirmations, payment.tx_hashes)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a payment turns out to be, and why."""

    state: State
    reason: str  # for people: operators read it in the history
    amounts: Amounts
    evidence: Mapping[str, Any] = field(default_factory=dict)  # JSON: what it rests on


class PaymentObserver(Protocol):
    """Who follows from a change (tells the traveller, starts the fulfilment), in the same transaction."""

    async def changed(self, tx: Transaction, before: Payment, after: Payment, reason: str) -> None: ...


class Evidence:
    """Writes findings down. There is one for the whole process."""

    def __init__(self, clock: Clock, observer: PaymentObserver) -> None:
        self._clock = clock
        self._observer = observer

    async def apply(self, tx: Transaction, payment: Payment, finding: Finding, *, actor: str) -> Payment:
        """The payment as it is now. ``payment`` must be locked. A finding that changes nothing writes nothing.

        Raises ForbiddenTransition for a change that the table does not know.
        """
        check_transition(payment, finding.state)
        if finding.state is payment.state and finding.amounts == Amounts.of(payment):
            return payment
        after = replace(
            payment,
            state=finding.state,
            received=finding.amounts.received,
            confirmed=finding.amounts.confirmed,
            confirmations=finding.amounts.confirmations,
            tx_hashes=finding.amounts.tx_hashes,
            version=payment.version + 1,
        )
        now = self._clock.now()
        await store.update(tx, after, next_look(after, now))
        if after.state is not payment.state:
            await store.add_change(
                tx, payment.id, payment.state, after.state, finding.reason, dict(finding.evidence), now
            )
            details = {"before": payment.state, "after": after.state, "reason": finding.reason}
            await audit.record(tx, now, actor, "payment_changed", payment.id, details)
        await self._observer.changed(tx, payment, after, finding.reason)
        tx.after_commit(
            lambda: log.info(
                "payment_changed",
                payment_id=after.id,
                before=payment.state,
                after=after.state,
                received=str(after.received),
                confirmations=after.confirmations,
                reason=finding.reason,
            )
        )
        return after


def next_look(payment: Payment, now: datetime) -> datetime:
    """When the timer has to look at the payment next: at its end, or some time after it to let it rest."""
    return payment.expires_at if payment.is_waiting else now + ATTENTION_AFTER_END
