"""Letters to the outside (chat messages), posted in the transaction that causes them, sent right after its commit.

Letters of a lane leave in the order in which they were posted, lanes side by side. A lane is ``channel:address``.

A **slot** names one thing on the reader's screen that changes, such as a payment's status. While a letter in a slot
has not been sent, a newer one in the same slot takes its place: the newest content at the oldest position. So the
screen ends up as if every letter had been sent and each had edited the first. A letter in a slot that was sent
before carries the ids of those messages, to be edited.

An attempt whose outcome is unknown (the process died, the answer was lost) is repeated: at most one message of a
lane comes twice by it.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from runtime.backoff import Backoff
from runtime.clock import Clock
from runtime.database import Database, Transaction
from runtime.dead_letters import DeadLetter, describe
from runtime.errors import LayoverError
from runtime.lanes import Found, LaneLoop, WakeUps
from runtime.metrics import Metrics
from runtime.outbox_store import ClaimedLetter, DeliveryStatus, Letter, OutboxStore, SentMessage, WaitingLetter
from runtime.rates import ChannelRates, Turnstile

__all__ = [
    "Courier",
    "Deliver",
    "DeliveryStatus",
    "Letter",
    "Outbox",
    "Receipt",
    "RetryLater",
    "SentMessage",
    "Undeliverable",
]

log = structlog.get_logger()

DELIVER_SECONDS = 30.0  # a deliverer has to notice by itself, and sooner, that its provider hangs


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the provider calls the messages that a letter has become."""

    message_ids: tuple[str, ...]


Deliver = Callable[[Letter], Awaitable[Receipt]]


class RetryLater(LayoverError):
    """Raised by a deliverer: the provider asks for a pause (flood control). No attempt is counted."""

    def __init__(self, seconds: float, whole_channel: bool) -> None:
        scope = "channel" if whole_channel else "chat"
        super().__init__(f"The provider asks for a pause of {seconds:g} s for this {scope}; sending goes on after it.")
        self.seconds = seconds
        self.whole_channel = whole_channel


class Undeliverable(LayoverError):
    """Raised by a deliverer: this letter will never be accepted. It is a dead letter at once; its lane goes on."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NoChannel(LayoverError):
    def __init__(self, lane: str) -> None:
        super().__init__(f"The lane {lane!r} names no channel: write it as channel:address.")


class Outbox:
    """Where letters are posted. One per process: it also wakes the couriers of this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._store = OutboxStore()
        self.wake_ups = WakeUps()

    async def post(self, tx: Transaction, *, lane: str, payload: dict[str, Any], slot: str | None = None) -> int:
        """Post a letter; its id (that of the unsent letter whose place it took in its slot, if there was one)."""
        channel = channel_of(lane)
        letter_id = await self._store.post(
            tx, channel=channel, lane=lane, slot=slot, payload=payload, now=self._clock.now()
        )
        tx.after_commit(lambda: self.wake_ups.wake(channel, lane))
        return letter_id

    async def note_status(
        self, tx: Transaction, provider_id: str, status: DeliveryStatus, detail: str = ""
    ) -> SentMessage | None:
        """Keep what a provider tells of a message (the furthest status stays; callbacks overtake each other).

        FAILED makes its letter a dead one: it is listed with the others and can be replayed.
        None: no message of that id is known. It may be in a moment, and the status is kept for it.
        """
        await self._store.note_status(tx, provider_id, status, detail[:500], now=self._clock.now())
        return await self._store.sent_message(tx.connection, provider_id)

    async def sent_message(self, database: Database, provider_id: str) -> SentMessage | None:
        """Which letter a provider's message belongs to. The latest, where ids are unique within a lane only."""
        async with database.snapshot() as connection:
            return await self._store.sent_message(connection, provider_id)

    async def dead_letters(self, database: Database, *, limit: int = 100) -> list[DeadLetter]:
        """What was given up on, the latest first."""
        async with database.snapshot() as connection:
            return await self._store.dead_letters(connection, limit=limit)

    async def dead_letter(self, database: Database, letter_id: str) -> DeadLetter:
        """One of them. Raises NoDeadLetter."""
        async with database.snapshot() as connection:
            return await self._store.dead_letter(connection, letter_id)

    async def replay(self, tx: Transaction, letter_id: str) -> bool:
        """Send a dead letter again, with all its attempts. Raises NoDeadLetter.

        False: a newer letter in its slot says how things are now, so the dead one was dropped.
        """
        revived = await self._store.replay(tx, letter_id, now=self._clock.now())
        if revived is None:
            return False
        tx.after_commit(lambda: self.wake_ups.wake(*revived))
        return True

    async def delete_sent(self, tx: Transaction, *, older_than: timedelta, limit: int = 1000) -> int:
        """Forget letters sent that long ago, at most ``limit`` in one go; how many went. Their slots start anew."""
        return await self._store.delete_sent(tx, before=self._clock.now() - older_than, limit=limit)

    async def delete_dead(self, tx: Transaction, *, older_than: timedelta, limit: int = 1000) -> int:
        """Forget letters given up on that long ago; how many went."""
        return await self._store.delete_dead(tx, before=self._clock.now() - older_than, limit=limit)


def channel_of(lane: str) -> str:
    channel, colon, address = lane.partition(":")
    if not (channel and colon and address):
        raise NoChannel(lane)
    return channel


class Courier:
    """A service that sends the letters of one channel.

    ``deliver`` sends one letter; it may raise RetryLater, Undeliverable, or anything else (tried again with backoff,
    dead in the end). ``rates`` are kept by this process by waiting. ``deliver_seconds`` bounds one delivery;
    cutting it off counts as a failure of unknown outcome.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        outbox: Outbox,
        *,
        channel: str,
        deliver: Deliver,
        rates: ChannelRates = ChannelRates(),  # noqa: B008 - a frozen value
        backoff: Backoff = Backoff(),  # noqa: B008 - a frozen value
        concurrency: int = 32,
        poll_seconds: float = 0.5,
        deliver_seconds: float = DELIVER_SECONDS,
        chance: random.Random | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.name = f"courier.{channel}"
        self._database = database
        self._clock = clock
        self._outbox = outbox
        self._channel = channel
        self._deliver = deliver
        self._backoff = backoff
        self._deliver_seconds = deliver_seconds
        self._chance = chance or random.Random()
        self._metrics = metrics or Metrics(CollectorRegistry())
        self._store = OutboxStore()
        self._rates = rates
        self._overall = Turnstile(rates.overall)
        self._by_lane: dict[str, Turnstile] = {}
        self._paused_until: datetime | None = None
        self._lanes: LaneLoop[WaitingLetter] = LaneLoop(
            self._find, self._work, concurrency=concurrency, poll_seconds=poll_seconds
        )

    async def run(self) -> None:
        """Send until cancelled or told to stop. Raises only when the database fails."""
        stop_listening = self._outbox.wake_ups.listen(self._channel, self._lanes.wake)
        try:
            await self._lanes.run()
        finally:
            stop_listening()

    def stop(self) -> None:
        self._lanes.stop()

    async def _find(self, limit: int) -> Found[WaitingLetter]:
        now = self._clock.now()
        async with self._database.snapshot() as connection:
            paused_until = await self._store.paused_until(connection, self._channel)
            if paused_until is not None and paused_until > now:
                self._paused_until = paused_until
                return Found([], next_in=(paused_until - now).total_seconds())
            heads = await self._store.heads(connection, self._channel, limit=limit)
        later = [head.due_at for head in heads if head.due_at > now]
        return Found(
            [head for head in heads if head.due_at <= now],
            next_in=(min(later) - now).total_seconds() if later else None,
        )

    async def _work(self, head: WaitingLetter) -> bool:
        """Send what waits in the lane, one after the other."""
        while not self._lanes.stopping:
            taken = await self._take(head.lane)
            if taken is None:
                return False
            if await self._wait_for_turn(head.lane):
                taken = await self._take(head.lane)  # it may have been superseded, or the channel paused
            if taken is None:
                return True
            if not await self._claim(taken):
                return False  # another process has it
            if not await self._send(taken):
                return True
        return False

    async def _take(self, lane: str) -> ClaimedLetter | None:
        now = self._clock.now()
        if self._paused_until is not None and self._paused_until > now:
            return None
        async with self._database.snapshot() as connection:
            return await self._store.take(connection, self._channel, lane, now=now)

    async def _wait_for_turn(self, lane: str) -> bool:
        """Keep to the rates. True when that took time."""
        clock = asyncio.get_running_loop().time
        if len(self._by_lane) > 10_000:
            self._by_lane = {name: turns for name, turns in self._by_lane.items() if not turns.is_rested(clock())}
        by_lane = self._by_lane.setdefault(lane, Turnstile(self._rates.per_lane))
        waited = False
        for turnstile in (by_lane, self._overall):
            seconds = turnstile.wait(clock())
            if seconds > 0:
                waited = True
                await self._clock.sleep(seconds)
        return waited

    async def _claim(self, taken: ClaimedLetter) -> bool:
        """Keep other processes from it. On SQLite there is only this one, and what it is sending it knows."""
        if self._database.is_sqlite:
            return True
        now = self._clock.now()
        until = now + timedelta(seconds=self._deliver_seconds + min(self._deliver_seconds, 5))
        async with self._database.transaction() as tx:
            return await self._store.claim(tx, taken, now=now, until=until)

    async def _send(self, taken: ClaimedLetter) -> bool:
        """True when the lane may go on."""
        try:
            async with asyncio.timeout(self._deliver_seconds):
                with self._metrics.deliver_seconds.labels(self._channel).time():
                    receipt = await self._deliver(taken.letter)
        except asyncio.CancelledError:
            await asyncio.shield(self._let_go(taken))
            raise
        except RetryLater as pause:
            await self._postpone(taken, pause)
            return False
        except Exception as error:  # noqa: BLE001 - a supervised edge: tried again, dead in the end, never lost
            return await self._note_failure(taken, error)
        async with self._database.transaction() as tx:
            await self._store.mark_sent(tx, taken, receipt.message_ids, now=self._clock.now())
        self._metrics.letters.labels(self._channel, "sent").inc()
        return True

    async def _let_go(self, taken: ClaimedLetter) -> None:
        """Stopped in the middle: whether it was sent is unknown, so whoever comes next sends it, at once."""
        async with self._database.transaction() as tx:
            await self._store.postpone(tx, taken, due_at=self._clock.now())

    async def _postpone(self, taken: ClaimedLetter, pause: RetryLater) -> None:
        until = self._clock.now() + timedelta(seconds=pause.seconds)
        async with self._database.transaction() as tx:
            await self._store.postpone(tx, taken, due_at=until)
            if pause.whole_channel:
                await self._store.pause(tx, self._channel, until=until)
        if pause.whole_channel:
            self._paused_until = until
        self._metrics.letters.labels(self._channel, "postponed").inc()
        log.warning(
            "channel_paused" if pause.whole_channel else "lane_paused",
            channel=self._channel,
            lane=taken.letter.lane,
            seconds=pause.seconds,
        )

    async def _note_failure(self, taken: ClaimedLetter, error: Exception) -> bool:
        letter, now = taken.letter, self._clock.now()
        failures = letter.attempts + 1
        is_dead = isinstance(error, Undeliverable) or self._backoff.is_over(failures)
        wait = self._backoff.seconds(failures, self._chance)
        async with self._database.transaction() as tx:
            await self._store.mark_failed(
                tx,
                taken,
                error=describe(error),
                due_at=now if is_dead else now + timedelta(seconds=wait),
                dead_at=now if is_dead else None,
            )
        self._metrics.letters.labels(self._channel, "dead" if is_dead else "failed").inc()
        log.error(
            "letter_dead" if is_dead else "letter_failed",
            channel=self._channel,
            lane=letter.lane,
            letter_id=letter.id,
            attempts=failures,
            retry_in=None if is_dead else round(wait, 1),
            error=describe(error),
        )
        return is_dead
