"""Facts from outside, written down before they are acknowledged, and handled in order.

A fact is put under its own id: the same fact twice is one row. A worker hands the facts of a lane to the handler
strictly one after the other, lanes side by side; what the handler writes and the mark "handled" are one
transaction. A handler that fails holds up its own lane until it succeeds or the fact is dead, never another lane.
"""

import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from enum import Enum, auto
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from runtime.backoff import Backoff
from runtime.clock import Clock
from runtime.database import Database, Transaction, connection_lost
from runtime.dead_letters import DeadLetter, describe
from runtime.inbox_store import BATCH, Fact, FactTaken, InboxStore, WaitingFact
from runtime.lanes import Found, LaneLoop, WakeUps
from runtime.metrics import Metrics

__all__ = ["Fact", "Handler", "Inbox", "InboxWorker"]

log = structlog.get_logger()

Handler = Callable[[Transaction, Fact], Awaitable[None]]


class _Lane(Enum):
    """How a lane stands after an attempt at its first fact."""

    GOES_ON = auto()
    WAITS = auto()  # for the fact's next attempt
    ELSEWHERE = auto()  # another process works it


class Inbox:
    """Where facts are put. One per process: it also wakes the workers of this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._store = InboxStore()
        self.wake_ups = WakeUps()

    async def put(
        self, tx: Transaction, *, topic: str, source: str, external_id: str, lane: str, payload: dict[str, Any]
    ) -> bool:
        """Write a fact down. False when ``source`` has told it before (same ``external_id``): then nothing changes.

        ``topic`` (up to 40 characters) names the worker, ``lane`` (up to 200) what has to stay in order; ``payload``
        is JSON. The worker is woken when ``tx`` has been committed.
        """
        is_new = await self._store.put(
            tx,
            topic=topic,
            source=source,
            external_id=external_id,
            lane=lane,
            payload=payload,
            now=self._clock.now(),
        )
        if is_new:
            tx.after_commit(lambda: self.wake_ups.wake(topic, lane))
        return is_new

    async def dead_letters(self, database: Database, *, limit: int = 100) -> list[DeadLetter]:
        """What was given up on, the latest first."""
        async with database.snapshot() as connection:
            return await self._store.dead_letters(connection, limit=limit)

    async def dead_letter(self, database: Database, letter_id: str) -> DeadLetter:
        """One of them. Raises NoDeadLetter."""
        async with database.snapshot() as connection:
            return await self._store.dead_letter(connection, letter_id)

    async def replay(self, tx: Transaction, letter_id: str) -> None:
        """Let a dead fact be handled again, with all its attempts. Raises NoDeadLetter."""
        topic, lane = await self._store.replay(tx, letter_id, now=self._clock.now())
        tx.after_commit(lambda: self.wake_ups.wake(topic, lane))

    async def delete_handled(self, tx: Transaction, *, older_than: timedelta, limit: int = 1000) -> int:
        """Forget facts handled that long ago, at most ``limit`` in one go; how many went."""
        return await self._store.delete_handled(tx, before=self._clock.now() - older_than, limit=limit)

    async def delete_dead(self, tx: Transaction, *, older_than: timedelta, limit: int = 1000) -> int:
        """Forget facts given up on that long ago; how many went."""
        return await self._store.delete_dead(tx, before=self._clock.now() - older_than, limit=limit)


class InboxWorker:
    """A service that handles the facts of one topic.

    ``in_order``: a fact that waits for its next attempt holds up its lane; False lets later facts pass it.
    ``concurrency``: lanes at once; by default 64 on SQLite, where they share commits, and 8 on PostgreSQL.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        inbox: Inbox,
        *,
        topic: str,
        handler: Handler,
        backoff: Backoff = Backoff(),  # noqa: B008 - a frozen value
        in_order: bool = True,
        concurrency: int | None = None,
        poll_seconds: float = 0.5,
        chance: random.Random | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.name = f"inbox.{topic}"
        self._database = database
        self._clock = clock
        self._inbox = inbox
        self._topic = topic
        self._handler = handler
        self._backoff = backoff
        self._in_order = in_order
        self._chance = chance or random.Random()
        self._metrics = metrics or Metrics(CollectorRegistry())
        self._store = InboxStore()
        self._lanes: LaneLoop[WaitingFact] = LaneLoop(
            self._find,
            self._work,
            concurrency=concurrency or (64 if database.is_sqlite else 8),
            poll_seconds=poll_seconds,
        )

    async def run(self) -> None:
        """Handle facts until cancelled or told to stop. Raises only when the database fails."""
        stop_listening = self._inbox.wake_ups.listen(self._topic, self._lanes.wake)
        try:
            await self._lanes.run()
        finally:
            stop_listening()

    def stop(self) -> None:
        self._lanes.stop()

    async def _find(self, limit: int) -> Found[WaitingFact]:
        now = self._clock.now()
        async with self._database.snapshot() as connection:
            heads = await self._store.heads(
                connection, self._topic, limit=limit, due_by=None if self._in_order else now
            )
        later = [head.due_at for head in heads if head.due_at > now]
        return Found(
            [head for head in heads if head.due_at <= now],
            next_in=(min(later) - now).total_seconds() if later else None,
        )

    async def _work(self, head: WaitingFact) -> bool:
        """Handle the lane's facts from its head on, until none is left that may be handled now."""
        batch, is_last = [head], head.behind == 0
        while True:
            for item in batch:
                if self._lanes.stopping:
                    return False
                lane = await self._handle(item.fact)
                if lane is not _Lane.GOES_ON:
                    return lane is _Lane.WAITS
            if is_last:
                return False
            async with self._database.snapshot() as connection:
                batch = await self._store.lane(
                    connection, self._topic, head.lane, due_by=self._clock.now(), in_order=self._in_order
                )
            is_last = len(batch) < BATCH

    async def _handle(self, fact: Fact) -> _Lane:
        """One attempt: all that the handler wrote and the mark "handled", or none of it and a failure noted."""
        try:
            async with self._database.transaction() as tx:
                if not await self._store.claim(tx, fact, in_order=self._in_order):
                    return _Lane.ELSEWHERE
                await self._handler(tx, fact)
                await self._store.mark_handled(tx, fact, now=self._clock.now())
        except FactTaken:
            return _Lane.ELSEWHERE
        except Exception as error:  # a supervised edge: tried again, dead in the end, never lost
            if connection_lost(error):
                raise
            return await self._note_failure(fact, error)
        self._metrics.facts.labels(self._topic, "handled").inc()
        self._metrics.fact_seconds.labels(self._topic).observe((self._clock.now() - fact.received_at).total_seconds())
        return _Lane.GOES_ON

    async def _note_failure(self, fact: Fact, error: Exception) -> _Lane:
        failures = fact.attempts + 1
        now = self._clock.now()
        is_dead = self._backoff.is_over(failures)
        wait = self._backoff.seconds(failures, self._chance)
        async with self._database.transaction() as tx:
            await self._store.mark_failed(
                tx,
                fact,
                error=describe(error),
                due_at=now + timedelta(seconds=wait),
                dead_at=now if is_dead else None,
            )
        self._metrics.facts.labels(self._topic, "dead" if is_dead else "failed").inc()
        log.error(
            "fact_dead" if is_dead else "fact_failed",
            topic=fact.topic,
            lane=fact.lane,
            fact_id=fact.id,
            source=fact.source,
            attempts=failures,
            retry_in=None if is_dead else round(wait, 1),
            exc_info=error,
        )
        return _Lane.GOES_ON if is_dead or not self._in_order else _Lane.WAITS
