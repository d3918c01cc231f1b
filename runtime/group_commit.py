"""SQLite's single writer: units of work run one after another, and one commit serves all that are waiting.

SQLite allows one writer at a time anyway. A commit costs an fsync (about 3 ms), a savepoint almost nothing, so the
last unit in line commits for everybody before it. Each caller is resumed only after the commit it took part in.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from runtime.errors import LayoverError
from runtime.fair_lock import FairLock
from runtime.sqlite_driver import Connection

MAX_GROUP = 128  # units that may share one commit
MAX_AGE = 0.02  # seconds after its begin at which a group is committed even while more are in line


class NotWritten(LayoverError):
    """SQLite could not commit, or undid the transaction by itself, as it does when the disk is full or fails."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Nothing of this unit of work was written: {reason}. Check the disk's space; then try again.")


class GroupCommit:
    """Owns the writer connection. Its BEGIN, SAVEPOINT and COMMIT are said here and nowhere else.

    Within a group the savepoint of the last unit stays open until the next unit begins or the group is committed:
    releasing it would be a trip to the connection's thread of its own.
    """

    def __init__(self, writer: AsyncConnection, driver: Connection, gate: FairLock) -> None:
        self._writer = writer
        self._driver = driver
        self._gate = gate  # held from BEGIN to COMMIT, against the other writer of the process (the job engine)
        driver.is_writer = True
        self._turn = asyncio.Lock()  # fair: units run in the order in which they came
        self._in_line = 0
        self._begun_at: float | None = None  # of the transaction under way
        self._members: list[asyncio.Future[None]] = []  # units of it that have been left without error

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[AsyncConnection]:
        """One unit of work. Left without error: its writes are durable. Left with one: nothing of it stays."""
        await self._take_turn()
        try:
            await self._begin()
            try:
                yield self._writer
                self._heed_cancellation()
                if not self._driver.in_transaction:
                    raise NotWritten("SQLite ended the transaction after an error")
            except BaseException:
                await self._undo()
                raise
            durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._members.append(durable)
        finally:
            try:
                if self._in_line == 0 or self._is_due():
                    await self._commit()
            finally:
                self._turn.release()
        await asyncio.shield(durable)

    @asynccontextmanager
    async def quiet(self) -> AsyncIterator[None]:
        """While this is held no unit is under way here: another connection of this process may write."""
        await self._take_turn()
        try:
            await self._commit()
            yield
        finally:
            self._turn.release()

    async def close(self) -> None:
        async with self._turn:
            await self._commit()
            await self._writer.close()

    async def _take_turn(self) -> None:
        self._in_line += 1
        try:
            await self._turn.acquire()
        except asyncio.CancelledError:
            self._in_line -= 1
            if self._in_line == 0:  # those before may have left the commit to us
                await _to_the_end(self._commit_for_others())
            raise
        self._in_line -= 1

    async def _commit_for_others(self) -> None:
        async with self._turn:
            await self._commit()

    def _is_due(self) -> bool:
        if self._begun_at is None:
            return False
        age = asyncio.get_running_loop().time() - self._begun_at
        return len(self._members) >= MAX_GROUP or age >= MAX_AGE

    async def _begin(self) -> None:
        is_first = self._begun_at is None
        try:
            await self._driver.trip(self._open_group if is_first else _open_unit)
        except sqlite3.Error as failure:
            if not is_first and not self._driver.in_transaction:
                self._end()
                self._settle(str(failure))
            self._heed_cancellation()
            raise NotWritten(str(failure)) from failure
        if is_first:
            self._begun_at = asyncio.get_running_loop().time()
        self._heed_cancellation()

    async def _undo(self) -> None:
        """Take back the unit; the group before it stays, unless SQLite has taken back all of it already."""
        if not await self._driver.trip(_undo_unit):
            self._end()
            self._settle("an error in another unit made SQLite end the transaction they shared")
        self._heed_cancellation()

    async def _commit(self) -> None:
        if self._begun_at is None:
            return
        try:
            await self._driver.trip(_commit_group)
        except sqlite3.Error as failure:
            self._end()
            self._settle(str(failure))
        else:
            self._end()
            self._settle(None)
        self._heed_cancellation()

    def _end(self) -> None:
        self._begun_at = None
        self._gate.release()

    def _open_group(self, connection: sqlite3.Connection) -> None:
        self._gate.acquire()  # in the connection's thread, where waiting is allowed
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("SAVEPOINT unit")
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._gate.release()
            raise

    def _settle(self, failure: str | None) -> None:
        """Tell everybody in the group."""
        members, self._members = self._members, []
        for member in members:
            if failure is None:
                member.set_result(None)
            else:
                member.set_exception(NotWritten(failure))

    def _heed_cancellation(self) -> None:
        if self._driver.interrupted:
            self._driver.interrupted = False
            raise asyncio.CancelledError


def _open_unit(connection: sqlite3.Connection) -> None:
    connection.execute("RELEASE unit")
    connection.execute("SAVEPOINT unit")


def _undo_unit(connection: sqlite3.Connection) -> bool:
    """False when nothing is left of the group either."""
    if not connection.in_transaction:
        return False
    try:
        connection.execute("ROLLBACK TO unit")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        return False
    return True


def _commit_group(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


async def _to_the_end(step: Coroutine[Any, Any, None]) -> None:
    """Carry a step to its end even when the caller is cancelled meanwhile; then let the cancellation through."""
    task = asyncio.create_task(step)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
