"""The truth: one database, SQLite by default or PostgreSQL by URL, behind short units of work.

A unit of work is ``async with database.transaction() as tx``: it does no network I/O, and when the block has been
left without an error its writes are durable. On SQLite one writer connection serves all units in turn, each inside
a savepoint, and commits for everybody who is waiting at once: one fsync for the group, every caller resumed after
it. On PostgreSQL a unit is an ordinary transaction on a pooled connection.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from runtime import sqlite_driver
from runtime.errors import LayoverError
from runtime.fair_lock import FairLock
from runtime.group_commit import GroupCommit


class UnsupportedDatabase(LayoverError):
    def __init__(self, scheme: str) -> None:
        super().__init__(
            f"DATABASE_URL is of the kind {scheme!r}. Use sqlite:///path/to/file.db or postgresql://user@host/name."
        )


class Transaction:
    """One unit of work in progress. Statements only; what must follow the commit is given to ``after_commit``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self._followers: list[Callable[[], None]] = []

    async def execute(self, statement: sa.Executable, parameters: Any = None) -> sa.CursorResult[Any]:
        """Run one statement (with a list of parameter sets: executemany)."""
        return await self.connection.execute(statement, parameters)

    async def insert_if_new(self, table: sa.Table, values: Mapping[str, Any], *, key: Sequence[str]) -> bool:
        """Insert a row unless one with the same ``key`` (columns with a unique constraint) is there. True: inserted."""
        insert = sqlite.insert if self.is_sqlite else postgresql.insert
        statement = insert(table).values(**values).on_conflict_do_nothing(index_elements=list(key))
        result = await self.execute(statement.returning(*(table.c[name] for name in key)))
        return result.first() is not None

    @property
    def is_sqlite(self) -> bool:
        return self.connection.dialect.name == "sqlite"

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call back once the writes are durable (a wake-up, never work that must not be lost)."""
        self._followers.append(callback)

    def run_followers(self) -> None:
        for follow in self._followers:
            follow()


class Database:
    """Opens with ``async with Database.open(url)``. Stores take a ``Transaction``; pages that only read, a snapshot."""

    def __init__(self, engine: AsyncEngine, url: str) -> None:
        self.engine = engine
        self.url = url
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._group: GroupCommit | None = None
        self._gate = FairLock()

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Self]:
        """Connect. ``url``: ``sqlite:///file.db`` or ``postgresql://…`` (driver names are filled in)."""
        engine = _engine(async_url(url))
        database = cls(engine, url)
        try:
            if database.is_sqlite:
                writer = await engine.connect()
                await writer.execution_options(isolation_level="AUTOCOMMIT")
                driver = (await writer.get_raw_connection()).driver_connection
                assert isinstance(driver, sqlite_driver.Connection)
                database._group = GroupCommit(writer, driver, database._gate)
            yield database
        finally:
            if database._group is not None:
                await database._group.close()
            await engine.dispose()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A unit of work: all of it is durable when the block has been left, or none of it is.

        Never open one inside another: on SQLite the inner would wait for the outer for ever.
        """
        if self._group is not None:
            async with self._group.unit() as writer:
                tx = Transaction(writer)
                yield tx
        else:
            async with self.engine.begin() as connection:
                tx = Transaction(connection)
                yield tx
        tx.run_followers()

    @asynccontextmanager
    async def quiet(self) -> AsyncIterator[None]:
        """For a library that blocks the loop while it writes to the same SQLite file: no unit of work is under way.

        It would wait for a unit's lock, and the unit for the loop. On PostgreSQL nothing has to be kept apart.
        """
        if self._group is None:
            yield
        else:
            async with self._group.quiet():
                yield

    def sync_engine(self) -> sa.Engine:
        """An engine for a library that works in threads (the job engine) and takes its turns to write with us."""
        return sync_engine(self.url, self._gate)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """A connection to read from, one consistent view for as long as it is held."""
        async with self.engine.connect() as connection:
            if self.is_sqlite:
                await connection.exec_driver_sql("BEGIN")
            else:
                await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield connection


def connection_lost(error: BaseException) -> bool:
    """Whether the database went away under us (restarted, unreachable): no fault of the statement, so try again."""
    if isinstance(error, sa.exc.DBAPIError):
        return error.connection_invalidated or isinstance(error.orig, ConnectionError | asyncpg.PostgresConnectionError)
    return isinstance(
        error,
        ConnectionError
        | asyncpg.PostgresConnectionError
        | asyncpg.OperatorInterventionError  # shutting down, starting up
        | sa.exc.TimeoutError,  # no free connection in time
    )


def async_url(url: str) -> sa.URL:
    """The URL with its async driver: ``sqlite`` → aiosqlite, ``postgres``/``postgresql`` → asyncpg."""
    parsed = sa.make_url(url)
    backend = parsed.drivername.split("+")[0]
    drivers = {
        "sqlite": "sqlite+aiosqlite",
        "postgresql": "postgresql+asyncpg",
        "postgres": "postgresql+asyncpg",
    }
    if backend not in drivers or (backend == "sqlite" and parsed.database in (None, "", ":memory:")):
        raise UnsupportedDatabase(url.split("@")[-1] if backend == "sqlite" else parsed.drivername)
    return parsed.set(drivername=drivers[backend])


def sync_engine(url: str, gate: FairLock | None = None) -> sa.Engine:
    """An engine that works in threads, on the same database with the same promises: for migrations and tools.

    ``gate``: on SQLite, whom else of this process it takes turns with.
    """
    parsed = async_url(url)
    if parsed.drivername.startswith("sqlite"):
        return _pysqlite_engine(parsed, gate or FairLock())
    return _psycopg_engine(parsed)


def _psycopg_engine(url: sa.URL) -> sa.Engine:
    engine = sa.create_engine(url.set(drivername="postgresql+psycopg"), pool_size=10, pool_pre_ping=True)

    @sa.event.listens_for(engine, "handle_error")
    def mark_as_outage(context: Any) -> None:
        # Who could not connect at all is to try again. DBOS knows it by the error's wording, and not by all of them.
        if context.connection is None:
            context.is_disconnect = True

    return engine


def _pysqlite_engine(url: sa.URL, gate: FairLock) -> sa.Engine:
    """One connection, which takes its turns to write with the units of work."""
    engine = sa.create_engine(
        url.set(drivername="sqlite"),
        poolclass=sa.QueuePool,
        pool_size=1,
        max_overflow=0,
        connect_args={"check_same_thread": False},
    )
    _set_pragmas(engine)
    has_turn = False

    @sa.event.listens_for(engine, "connect")
    def begin_immediate(connection: Any, _record: Any) -> None:
        sqlite_driver.teach(connection)
        connection.isolation_level = "IMMEDIATE"  # a write that began as a read could not wait for its turn

    @sa.event.listens_for(engine, "before_cursor_execute")
    def take_turn(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        nonlocal has_turn
        if not has_turn and not statement.lstrip().upper().startswith(("SELECT", "PRAGMA")):
            gate.acquire()
            has_turn = True

    @sa.event.listens_for(engine, "checkin")
    def give_turn(_connection: Any, _record: Any) -> None:
        nonlocal has_turn
        if has_turn:
            has_turn = False
            gate.release()

    return engine


def _engine(url: sa.URL) -> AsyncEngine:
    if not url.drivername.startswith("sqlite"):
        return create_async_engine(url, pool_size=10, max_overflow=10, pool_pre_ping=True)
    path = Path(url.database or "")
    engine = create_async_engine(url, pool_size=4, max_overflow=8, async_creator=lambda: sqlite_driver.connect(path))
    _set_pragmas(engine.sync_engine)
    return engine


def _set_pragmas(engine: sa.Engine) -> None:
    @sa.event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",  # a commit is on disk when it returns, also when the power goes
            "busy_timeout=10000",
            "foreign_keys=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
