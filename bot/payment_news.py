"""What follows from a payment's change: the traveller is told, and what is paid for is fulfilled."""

import structlog

from bot import booking_store
from bot.conversation.facts import ChatFacts
from bot.fulfilment import FULFIL
from bot.metrics import BusinessMetrics
from payments.payment import Payment, State
from payments.treasury import audit
from runtime.clock import Clock
from runtime.database import Transaction
from runtime.jobs import Jobs

log = structlog.get_logger()


class PaymentNews:
    """The payments' observer. All of it is in the transaction of the change."""

    def __init__(self, facts: ChatFacts, jobs: Jobs, clock: Clock, metrics: BusinessMetrics) -> None:
        self._facts = facts
        self._jobs = jobs
        self._clock = clock
        self._metrics = metrics

    async def changed(self, tx: Transaction, before: Payment, after: Payment, reason: str) -> None:
        if before.opened_at is None and after.opened_at is not None:
            await self._facts.payment_opened(tx, after)
            return
        await self._facts.payment_changed(tx, before, after)
        if after.state is not before.state:
            tx.after_commit(lambda: self._metrics.payments.labels(after.method, after.state).inc())
        if after.is_paid and not before.is_paid:
            await self._fulfil(tx, after)
        if after.state is State.REVERSED and before.state is not State.REVERSED:
            tx.after_commit(lambda: log.error("payment_reversed", payment_id=after.id, booking_id=after.booking_id))
        if after.is_paid and before.state is State.REVERSED:
            tx.after_commit(lambda: log.warning("payment_healed", payment_id=after.id, booking_id=after.booking_id))

    async def _fulfil(self, tx: Transaction, payment: Payment) -> None:
        """Once a booking, whatever its payments go through: the booking's state and the job's key both see to it."""
        if not await booking_store.mark_paid(tx, payment.booking_id, payment.id):
            return
        await audit.record(tx, self._clock.now(), "payments", "booking_paid", payment.booking_id, {"by": payment.id})
        payload = {"booking_id": payment.booking_id, "payment_id": payment.id}
        await self._jobs.enqueue(tx, name=FULFIL, key=payment.booking_id, payload=payload)
