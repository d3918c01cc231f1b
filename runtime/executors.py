"""Which processes run jobs. On PostgreSQL several do; the jobs of one that fell silent are taken over by another."""

from collections.abc import Set
from datetime import timedelta

import sqlalchemy as sa

from runtime.clock import Clock
from runtime.database import Database
from runtime.process import identity
from runtime.tables import executors


class Executors:
    """The pulse of this process, and a look at the others'.

    ``silence``: how long without a pulse until a process counts as dead. Far longer than the clocks of the machines
    may differ: a process that only paused runs on, and its current step may then run twice.
    """

    def __init__(self, database: Database, clock: Clock, executor_id: str | None, *, silence: timedelta) -> None:
        self.executor_id = executor_id or identity(database.url)
        self.beat_seconds = silence.total_seconds() / 6
        self._database = database
        self._clock = clock
        self._silence = silence

    async def beat(self) -> None:
        """Show that this process lives. On SQLite nobody looks."""
        if self._database.is_sqlite:
            return
        now = self._clock.now()
        async with self._database.transaction() as tx:
            row = {"executor_id": self.executor_id, "seen_at": now}
            if not await tx.insert_if_new(executors, row, key=("executor_id",)):
                await tx.execute(
                    sa.update(executors).where(executors.c.executor_id == self.executor_id).values(seen_at=now)
                )
            await tx.execute(sa.delete(executors).where(executors.c.seen_at < now - 100 * self._silence))

    async def retire(self) -> None:
        """Leave; what was not finished may be taken over at once."""
        async with self._database.transaction() as tx:
            await tx.execute(sa.delete(executors).where(executors.c.executor_id == self.executor_id))

    async def dead_among(self, owners: Set[str]) -> set[str]:
        """Those that have shown no sign of life for too long. Never this one; on SQLite there is no other."""
        if self._database.is_sqlite:
            return set()
        async with self._database.snapshot() as connection:
            rows = await connection.execute(
                sa.select(executors.c.executor_id).where(executors.c.seen_at > self._clock.now() - self._silence)
            )
            alive = set(rows.scalars())
        return set(owners) - alive - {self.executor_id}
