"""The inbox as rows. All its SQL is here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from runtime.database import Transaction
from runtime.dead_letters import DeadLetter, NoDeadLetter, Origin
from runtime.errors import LayoverError
from runtime.tables import inbox, inbox_waiting

BATCH = 50  # facts of one lane read at once


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened outside. ``attempts``: how often handling it has failed."""

    id: int
    topic: str
    source: str
    external_id: str
    lane: str
    payload: dict[str, Any]
    received_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class WaitingFact:
    """A fact to be handled, not before ``due_at``; ``behind`` it that many more of its lane were seen waiting."""

    fact: Fact
    due_at: datetime
    behind: int

    @property
    def lane(self) -> str:
        return self.fact.lane


class FactTaken(LayoverError):
    """Someone else settled the fact while it was being handled; what was written for it is rolled back."""

    def __init__(self, fact: Fact) -> None:
        super().__init__(f"Fact {fact.id} of lane {fact.lane} was settled elsewhere meanwhile. Nothing to do.")
        self.fact = fact


class InboxStore:
    async def put(
        self,
        tx: Transaction,
        *,
        topic: str,
        source: str,
        external_id: str,
        lane: str,
        payload: dict[str, Any],
        now: datetime,
    ) -> bool:
        return await tx.insert_if_new(
            inbox,
            {
                "topic": topic,
                "source": source,
                "external_id": external_id,
                "lane": lane,
                "payload": payload,
                "received_at": now,
                "due_at": now,
                "attempts": 0,
            },
            key=("source", "external_id"),
        )

    async def heads(
        self, connection: AsyncConnection, topic: str, *, limit: int, due_by: datetime | None
    ) -> list[WaitingFact]:
        """The first waiting fact of each lane, those due longest first. ``due_by``: leave out what is due later."""
        waiting = (inbox.c.topic == topic) & inbox_waiting
        if due_by is not None:
            waiting &= inbox.c.due_at <= due_by
        heads = (
            sa.select(sa.func.min(inbox.c.id).label("id"), sa.func.count().label("waiting"))
            .where(waiting)
            .group_by(inbox.c.lane)
            .subquery()
        )
        rows = await connection.execute(
            sa.select(inbox, heads.c.waiting)
            .join(heads, heads.c.id == inbox.c.id)
            .order_by(inbox.c.due_at, inbox.c.id)
            .limit(limit)
        )
        return [WaitingFact(_fact(row), row.due_at, row.waiting - 1) for row in rows]

    async def lane(
        self, connection: AsyncConnection, topic: str, lane: str, *, due_by: datetime, in_order: bool
    ) -> list[WaitingFact]:
        """The next facts of one lane, at most BATCH; in order: up to the first that is not due yet."""
        rows = await connection.execute(
            sa.select(inbox)
            .where(inbox.c.topic == topic, inbox.c.lane == lane, inbox_waiting)
            .where(sa.true() if in_order else inbox.c.due_at <= due_by)
            .order_by(inbox.c.id)
            .limit(BATCH)
        )
        facts = []
        for row in rows:
            if row.due_at > due_by:
                break
            facts.append(WaitingFact(_fact(row), row.due_at, 0))
        return facts

    async def claim(self, tx: Transaction, fact: Fact, *, in_order: bool) -> bool:
        """Make sure nobody else handles the lane until ``tx`` ends, and that the fact is still the one to handle.

        SQLite has one process and one writer: there the mark at the end is check enough.
        """
        if tx.is_sqlite:
            return True
        lock = sa.func.pg_try_advisory_xact_lock(sa.func.hashtextextended(f"inbox:{fact.topic}:{fact.lane}", 0))
        if not (await tx.execute(sa.select(lock))).scalar_one():
            return False
        waiting = (inbox.c.topic == fact.topic) & (inbox.c.lane == fact.lane) & inbox_waiting
        if not in_order:
            waiting &= inbox.c.id == fact.id
        # A statement of its own: its snapshot begins after the lock was had.
        first = await tx.execute(sa.select(inbox.c.id).where(waiting).order_by(inbox.c.id).limit(1))
        return first.scalar_one_or_none() == fact.id

    async def mark_handled(self, tx: Transaction, fact: Fact, *, now: datetime) -> None:
        result = await tx.execute(
            sa.update(inbox).where(inbox.c.id == fact.id, inbox_waiting).values(handled_at=now, error=None)
        )
        if result.rowcount != 1:
            raise FactTaken(fact)

    async def mark_failed(
        self, tx: Transaction, fact: Fact, *, error: str, due_at: datetime, dead_at: datetime | None
    ) -> None:
        await tx.execute(
            sa.update(inbox)
            .where(inbox.c.id == fact.id, inbox_waiting)
            .values(attempts=inbox.c.attempts + 1, error=error, due_at=due_at, dead_at=dead_at)
        )

    async def dead_letters(self, connection: AsyncConnection, *, limit: int) -> list[DeadLetter]:
        rows = await connection.execute(
            sa.select(inbox).where(inbox.c.dead_at.is_not(None)).order_by(inbox.c.dead_at.desc()).limit(limit)
        )
        return [_dead_letter(row) for row in rows]

    async def dead_letter(self, connection: AsyncConnection, letter_id: str) -> DeadLetter:
        row = (await connection.execute(sa.select(inbox).where(*_is_dead(letter_id)))).one_or_none()
        if row is None:
            raise NoDeadLetter(Origin.INBOX, letter_id)
        return _dead_letter(row)

    async def replay(self, tx: Transaction, letter_id: str, *, now: datetime) -> tuple[str, str]:
        """Topic and lane of what will be handled again."""
        revived = await tx.execute(
            sa.update(inbox)
            .where(*_is_dead(letter_id))
            .values(dead_at=None, attempts=0, due_at=now)
            .returning(inbox.c.topic, inbox.c.lane)
        )
        row = revived.one_or_none()
        if row is None:
            raise NoDeadLetter(Origin.INBOX, letter_id)
        return row.topic, row.lane

    async def delete_handled(self, tx: Transaction, *, before: datetime, limit: int) -> int:
        old = sa.select(inbox.c.id).where(inbox.c.handled_at < before).order_by(inbox.c.handled_at).limit(limit)
        result = await tx.execute(sa.delete(inbox).where(inbox.c.id.in_(old)))
        return result.rowcount

    async def delete_dead(self, tx: Transaction, *, before: datetime, limit: int) -> int:
        old = sa.select(inbox.c.id).where(inbox.c.dead_at < before).order_by(inbox.c.dead_at).limit(limit)
        return (await tx.execute(sa.delete(inbox).where(inbox.c.id.in_(old)))).rowcount


def _is_dead(letter_id: str) -> Sequence[sa.ColumnElement[bool]]:
    row_id = int(letter_id) if letter_id.isdecimal() and len(letter_id) < 19 else -1
    return inbox.c.id == row_id, inbox.c.dead_at.is_not(None)


def _fact(row: sa.Row[Any]) -> Fact:
    return Fact(
        id=row.id,
        topic=row.topic,
        source=row.source,
        external_id=row.external_id,
        lane=row.lane,
        payload=row.payload,
        received_at=row.received_at,
        attempts=row.attempts,
    )


def _dead_letter(row: sa.Row[Any]) -> DeadLetter:
    return DeadLetter(
        origin=Origin.INBOX,
        id=str(row.id),
        name=row.topic,
        lane=row.lane,
        payload=row.payload,
        attempts=row.attempts,
        error=row.error or "",
        died_at=row.dead_at,
    )
