"""aiosqlite with one trip to its thread per statement instead of four, and statements that cannot be cut in half.

SQLAlchemy asks its driver for a cursor, executes, fetches and closes, and aiosqlite makes a trip to the
connection's thread for each. Here the cursor does all of it in one. That is most of what a small statement costs.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from runtime.errors import LayoverError

Result = TypeVar("Result")


class StatementInterrupted(LayoverError):
    """The task was cancelled while a statement ran on the writer. The unit of work turns it into CancelledError.

    An ordinary exception on purpose: SQLAlchemy throws a connection away that a CancelledError passed through, and
    with it everybody's uncommitted writes.
    """

    def __init__(self) -> None:
        super().__init__("The task was cancelled during a statement; its unit of work is rolled back.")


class Connection(aiosqlite.Connection):
    """A connection to one SQLite file. ``is_writer``: its statements run to their end when their task is cancelled."""

    is_writer = False
    interrupted = False  # the task was cancelled during a trip of the writer; whoever acts on it takes it back

    def cursor(self) -> "Cursor":  # type: ignore[override]
        return Cursor(self)

    async def trip(self, function: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run a function in the connection's thread, to its end, and note in ``interrupted`` if we were cancelled."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        connection = self._conn
        self._tx.put_nowait((future, lambda: function(connection)))
        while True:
            try:
                return await asyncio.shield(future)
            except asyncio.CancelledError:
                if future.cancelled():
                    raise
                self.interrupted = True

    async def run(self, function: Callable[[sqlite3.Connection], Result]) -> Result:
        if not self.is_writer:
            result: Result = await self._execute(function, self._conn)  # type: ignore[no-untyped-call]
            return result
        result = await self.trip(function)
        if self.interrupted:
            raise StatementInterrupted
        return result


class Cursor:
    """What SQLAlchemy needs of a cursor. Results are read whole, in the trip that executes."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> "Cursor":
        return self

    async def execute(self, statement: str, parameters: Iterable[Any] = ()) -> "Cursor":
        return await self._run(lambda connection: connection.execute(statement, tuple(parameters)))

    async def executemany(self, statement: str, parameters: Iterable[Sequence[Any]]) -> "Cursor":
        return await self._run(lambda connection: connection.executemany(statement, parameters))

    async def fetchall(self) -> Sequence[Any]:
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        self._rows = []

    async def _run(self, execute: Callable[[sqlite3.Connection], sqlite3.Cursor]) -> "Cursor":
        def run(connection: sqlite3.Connection) -> None:
            cursor = execute(connection)
            self.description = cursor.description
            self._rows = cursor.fetchall() if cursor.description else []
            self.rowcount = cursor.rowcount
            self.lastrowid = cursor.lastrowid
            cursor.close()

        await self._connection.run(run)
        return self


def teach(connection: sqlite3.Connection) -> None:
    """Give a SQLite before 3.42 the ``unixepoch('subsec')`` that the job engine counts on from Python 3.12 on.

    Such a SQLite answers null to it, as Debian 12's 3.40 under a Python that was built there.
    """
    if sqlite3.sqlite_version_info < (3, 42):
        connection.create_function("unixepoch", 1, lambda _modifier: time.time())


async def connect(path: Path) -> Connection:
    """Open the file (made if there is none). Transactions are begun and ended by SQLAlchemy or by the writer."""

    def connector() -> sqlite3.Connection:
        opened = sqlite3.connect(path, check_same_thread=False)
        teach(opened)
        return opened

    connection = Connection(connector, iter_chunk_size=64)
    connection._thread.daemon = True  # a process that dies must not wait for it
    await connection
    return connection
