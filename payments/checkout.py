"""Starting and ending a payment by any method, and the timer that opens, expires and rests them."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import structlog

from payments import store
from payments.evidence import Amounts, Evidence, Finding, PaymentObserver, next_look
from payments.methods.port import MethodUnavailable, PaymentMethod
from payments.money import Money
from payments.payment import Method, Payment, Quote, State
from payments.treasury import audit
from runtime.clock import Clock, Ids
from runtime.database import Database, Transaction
from runtime.errors import LayoverError

log = structlog.get_logger()

OPEN_ATTEMPTS = 5  # then the traveller is offered something else
AT_ONCE = 50  # payments looked at side by side
OPEN_RETRY = timedelta(seconds=2)
LOOK_AGAIN = timedelta(seconds=5)
EXPIRY_GRACE = timedelta(minutes=10)  # how long a chain that is behind may delay the end of a payment


class MethodNotOffered(LayoverError):
    def __init__(self, method: Method) -> None:
        super().__init__(f"paying by {method} is not configured")


class Checkout:
    """What the conversation may ask for. Each call writes in the caller's transaction."""

    def __init__(
        self,
        methods: Mapping[Method, PaymentMethod],
        evidence: Evidence,
        clock: Clock,
        ids: Ids,
        wake_timer: Callable[[], None],
    ) -> None:
        self._methods = methods
        self._evidence = evidence
        self._clock = clock
        self._ids = ids
        self._wake_timer = wake_timer

    @property
    def offered(self) -> tuple[Method, ...]:
        return tuple(self._methods)

    def quote(self, method: Method, price: Money) -> Quote:
        return self._method(method).quote(price, self._clock.now())

    async def start(
        self, tx: Transaction, *, booking_id: str, chat: str, method: Method, price: Money, not_after: datetime
    ) -> Payment:
        """A new payment. It is opened by the timer right after the commit; the observer is told when it is.

        Its time runs out with the method's or at ``not_after`` (the fare's end), whichever comes first.
        """
        way = self._method(method)
        now = self._clock.now()
        payment = Payment(
            id=self._ids.new("pay"),
            booking_id=booking_id,
            chat=chat,
            method=method,
            state=State.PENDING,
            quote=way.quote(price, now),
            created_at=now,
            opened_at=None,
            expires_at=min(now + way.time_to_pay, not_after),
            version=1,
        )
        payment = await way.begin(tx, payment)
        await store.insert(tx, payment, due_at=now)
        await store.add_change(tx, payment.id, None, payment.state, "the traveller chose to pay", {}, now)
        details = {"booking": booking_id, "method": method, "due": str(payment.due)}
        await audit.record(tx, now, "traveller", "payment_started", payment.id, details)
        tx.after_commit(self._wake_timer)
        return payment

    async def cancel(self, tx: Transaction, payment_id: str) -> Payment:
        """End it by the traveller's wish, unless money has come: then it stays as it is. Returns what it is now."""
        payment = await store.lock(tx, payment_id)
        assert payment is not None, f"payment {payment_id} does not exist"
        if payment.state is not State.PENDING:
            return payment
        finding = Finding(State.CANCELLED, "the traveller cancelled", Amounts.of(payment))
        return await self._evidence.apply(tx, payment, finding, actor="traveller")

    def _method(self, method: Method) -> PaymentMethod:
        if method not in self._methods:
            raise MethodNotOffered(method)
        return self._methods[method]


class PaymentTimer:
    """One scanner over ``due_at``: opens what is new, expires what is over, rests what has long ended."""

    name = "payment_timer"

    def __init__(
        self,
        database: Database,
        methods: Mapping[Method, PaymentMethod],
        evidence: Evidence,
        observer: PaymentObserver,
        clock: Clock,
        *,
        every: float = 1.0,
    ) -> None:
        self._database = database
        self._methods = methods
        self._evidence = evidence
        self._observer = observer
        self._clock = clock
        self._every = every
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something is due now."""
        self._woken.set()

    async def run(self) -> None:
        while True:
            self._woken.clear()
            if await self.scan() == 0:
                await self._wait()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._every):
                await self._woken.wait()
        except TimeoutError:
            return

    async def scan(self) -> int:
        """Look at what is due; how many payments that were."""
        async with self._database.snapshot() as connection:
            ids = await store.due(connection, self._clock.now(), AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for payment_id in ids:
                group.create_task(self._look_guarded(payment_id))
        return len(ids)

    async def _look_guarded(self, payment_id: str) -> None:
        """One payment that cannot be looked at holds up no other: it is logged and looked at again later."""
        try:
            await self._look(payment_id)
        except Exception:
            log.exception("payment_look_failed", payment_id=payment_id)
            async with self._database.transaction() as tx:
                await store.postpone(tx, payment_id, self._clock.now() + LOOK_AGAIN)

    async def _look(self, payment_id: str) -> None:
        async with self._database.snapshot() as connection:
            payment = await store.get(connection, payment_id)
        assert payment is not None
        unopened = payment.state is State.PENDING and payment.opened_at is None
        if unopened and self._clock.now() < payment.expires_at:
            await self._open(payment)
        elif payment.is_waiting:
            await self._expire(payment)
        else:
            await self._rest(payment)

    async def _open(self, payment: Payment) -> None:
        way = self._methods[payment.method]
        try:
            answer = await way.ask(payment)
        except MethodUnavailable as error:
            await self._open_later(payment, error)
            return
        async with self._database.transaction() as tx:
            current = await store.lock(tx, payment.id)
            if current != payment:  # cancelled, or opened by another process, meanwhile
                return
            if self._clock.now() >= payment.expires_at:  # the answer took too long; still due, so it ends next
                return
            opened = await way.open(tx, payment, answer)
            if opened is None:
                await store.update(tx, await way.begin(tx, payment), due_at=self._clock.now())
                return
            await self._announce_open(tx, payment, opened)

    async def _announce_open(self, tx: Transaction, before: Payment, opened: Payment) -> None:
        now = self._clock.now()
        await store.update(tx, opened, next_look(opened, now))
        await store.add_change(tx, opened.id, opened.state, opened.state, "opened", {"address": opened.address}, now)
        await audit.record(tx, now, "checkout", "payment_opened", opened.id, {"address": opened.address})
        await self._observer.changed(tx, before, opened, "opened")
        tx.after_commit(lambda: log.info("payment_opened", payment_id=opened.id, address=opened.address))

    async def _open_later(self, payment: Payment, error: MethodUnavailable) -> None:
        log.warning("payment_not_opened_yet", payment_id=payment.id, why=str(error))
        async with self._database.transaction() as tx:
            current = await store.lock(tx, payment.id)
            if current != payment:
                return
            if await store.postpone(tx, payment.id, self._clock.now() + OPEN_RETRY) >= OPEN_ATTEMPTS:
                finding = Finding(State.FAILED, str(error), Amounts.of(payment))
                await self._evidence.apply(tx, payment, finding, actor="checkout")

    async def _expire(self, payment: Payment) -> None:
        now = self._clock.now()
        known = await self._methods[payment.method].knows_until(payment)
        behind = known is not None and known < payment.expires_at and now < payment.expires_at + EXPIRY_GRACE
        may_be_paid = payment.opened_at is not None and behind  # of one that was never opened, nobody has the address
        async with self._database.transaction() as tx:
            if await store.lock(tx, payment.id) != payment:
                return
            if payment.expires_at > now:  # looked at early, after a look that failed
                await store.update(tx, payment, next_look(payment, now))
                return
            if payment.state is State.PROCESSING or may_be_paid:  # money is on its way, or may be
                await store.update(tx, payment, now + LOOK_AGAIN)
                return
            reason = "the time ran out" if not payment.received else "the time ran out before all of it had come"
            finding = Finding(State.EXPIRED, reason, Amounts.of(payment), {"evidence_until": _iso(known)})
            await self._evidence.apply(tx, payment, finding, actor="timer")

    async def _rest(self, payment: Payment) -> None:
        async with self._database.transaction() as tx:
            if await store.lock(tx, payment.id) != payment:
                return
            if payment.opened_at is not None:
                await self._methods[payment.method].rest(tx, payment)
            await store.update(tx, payment, due_at=None)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
