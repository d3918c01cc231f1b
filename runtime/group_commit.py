"""SQLite's single writer: units of work run one after another, and one commit serves all that are waiting.

SQLite allows one writer at a time anyway. A commit costs an fsync (about 3 ms), a savepoint almost nothing, so the
last unit in line commits for everybody before it. Each caller is resumed only after the commit it took part in.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

MAX_GROUP = 128  # units that may share one commit; bounds how long the first of them waits


class GroupCommit:
    """Owns the writer connection (in AUTOCOMMIT mode: BEGIN and COMMIT are said here and nowhere else)."""

    def __init__(self, writer: AsyncConnection) -> None:
        self._writer = writer
        self._turn = asyncio.Lock()  # fair: units run in the order in which they came
        self._in_line = 0
        self._begun = False
        self._members: list[asyncio.Future[None]] = []

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[AsyncConnection]:
        """One unit of work. Left without error: its writes are durable. Left with one: nothing of it stays."""
        await self._take_turn()
        try:
            if not self._begun:
                await self._run("BEGIN IMMEDIATE")
                self._begun = True
            await self._run("SAVEPOINT unit")
            try:
                yield self._writer
            except BaseException:
                await _to_the_end(self._undo())
                raise
            await _to_the_end(self._run("RELEASE unit"))
            durable = asyncio.get_running_loop().create_future()
            self._members.append(durable)
        finally:
            try:
                if self._in_line == 0 or len(self._members) >= MAX_GROUP:
                    await _to_the_end(self._commit())
            finally:
                self._turn.release()
        await asyncio.shield(durable)

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

    async def _commit(self) -> None:
        if not self._begun:
            return
        members, self._members = self._members, []
        error: Exception | None = None
        try:
            await self._run("COMMIT")
        except Exception as failure:  # noqa: BLE001 - handed to every caller that took part
            error = failure
            await self._run("ROLLBACK")
        self._begun = False
        for member in members:
            if member.done():
                continue
            if error is None:
                member.set_result(None)
            else:
                member.set_exception(error)

    async def _undo(self) -> None:
        await self._run("ROLLBACK TO unit")
        await self._run("RELEASE unit")

    async def _run(self, statement: str) -> None:
        await self._writer.exec_driver_sql(statement)


async def _to_the_end(step: Coroutine[Any, Any, None]) -> None:
    """Carry a step to its end even when the caller is cancelled meanwhile; then let the cancellation through."""
    task = asyncio.create_task(step)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
