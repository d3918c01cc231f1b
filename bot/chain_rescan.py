"""``layover chain rescan``: asks whoever indexes this database to read blocks again, and waits for what came of it.

The request is a row. A running daemon works it off between two heads. Where none runs, this process takes the
indexer's lease (on SQLite also the file's lock, as a daemon does), catches up with the chain and does it itself; a
daemon that is stopped meanwhile is stood in for. So there is never more than one process that indexes.
"""

import asyncio
from collections.abc import Callable

from bot.chain_commands import WrongArgument, coin_of, config_of, opened
from bot.settings import Settings
from indexer import rescans
from indexer.indexer import Indexer
from indexer.rescans import Report
from indexer.store import ChainStore, no_lease
from payments.money import Coin
from runtime.clock import SystemClock
from runtime.database import Database
from runtime.errors import LayoverError
from runtime.http import client_session
from runtime.leases import Leases, Tenure
from runtime.process import DatabaseInUse, exclusive

Say = Callable[[str], None]

_LOOK_EVERY = 0.2  # seconds
_TELL_EVERY = 3.0  # seconds, while it goes on
_TRY_EVERY = 1.0  # seconds, to take a daemon's place that has gone
PATIENCE = 120.0  # seconds without any progress


class NothingMoves(LayoverError):
    def __init__(self) -> None:
        super().__init__(
            f"nothing has moved for {PATIENCE:.0f} s; the request stands, and is worked off when the chain is followed "
            "again. 'layover chain status' says what holds it up"
        )


class NothingToRescan(LayoverError):
    """There is nothing below the cursor yet, or the block is above it."""


class GivenUp(LayoverError):
    def __init__(self, why: str) -> None:
        super().__init__(f"the blocks could not be read again: {why}. Nothing was changed")


async def rescan(settings: Settings, first: int, say: Say) -> None:
    """Raises WrongArgument, NothingToRescan, NoNode, NoDatabase, SchemaBehind, GivenUp, NothingMoves."""
    if first < 0:
        raise WrongArgument(f"--from must be a block's number, not {first}")
    config_of(settings)
    clock = SystemClock()
    async with opened(settings) as database:
        await _check_range(database, clock, first)
        async with database.transaction() as tx:
            asked = await rescans.request(tx, first, clock.now())
        report = await _finish(settings, database, asked, say)
    if report.error is not None:
        raise GivenUp(report.error)
    say(words_of(report, coin_of(settings)))


def words_of(report: Report, coin: Coin) -> str:
    """What came of a rescan, for people."""
    if report.error is not None:
        return f"given up: {report.error}"
    if report.last < report.first:
        return "There was nothing to read: nobody was asked to pay so far back, or the blocks are not confirmed yet."
    found = []
    if report.deposits:
        found.append(f"{_count(report.deposits, 'deposit')} ({coin.text(int(report.amount))})")
    if report.spends:
        found.append(f"{_count(report.spends, 'outgoing movement')}")
    words = f"Blocks {report.first:,} to {report.last:,} were read again: "
    words += f"{' and '.join(found)} had been missed and are stored now." if found else "nothing had been missed."
    if report.counted:
        words += f" {_count(report.counted, 'deposit')} known by the balance already: left as stored."
    if report.short:
        words += f" These hold less than their deposits say, look into it: {', '.join(report.short)}."
    return words


async def _check_range(database: Database, clock: SystemClock, first: int) -> None:
    cursor = await ChainStore(database, clock, 0, no_lease, lambda: None).cursor()
    if cursor is None:
        raise NothingToRescan("no block was ever read into this database: start the daemon first")
    if first > cursor.tip.number:
        raise NothingToRescan(f"--from {first} is above the newest block that was read, {cursor.tip.number}")


async def _finish(settings: Settings, database: Database, asked: int, say: Say) -> Report:
    """Stand in for a daemon, should there be none, until the request has been worked off."""
    try:
        async with asyncio.TaskGroup() as group:
            standing_in = group.create_task(_stand_in(settings, database, say))
            report = await _finished(database, asked, say)
            standing_in.cancel()
    except BaseExceptionGroup as errors:
        raise _first(errors) from None
    return report


async def _stand_in(settings: Settings, database: Database, say: Say) -> None:
    """Index in this process while no other does. Never returns."""
    is_asked = False
    while True:
        try:
            with exclusive(database.url):
                await _index(settings, database, say)
        except DatabaseInUse:
            if not is_asked:
                say("The daemon runs: it has been asked.")
                is_asked = True
        await asyncio.sleep(_TRY_EVERY)


async def _index(settings: Settings, database: Database, say: Say) -> None:
    """As the daemon's indexer does, under its lease: where another process holds that, this one waits for it."""
    clock = SystemClock()
    leases = Leases(database, clock)
    tenure = Tenure(leases, "indexer")

    async def work() -> None:
        say("No daemon indexes this database: it is done here.")
        async with client_session() as session:
            await Indexer(config_of(settings), database, session, clock, tenure.fence).run()

    await tenure.hold(work)


async def _finished(database: Database, asked: int, say: Say) -> Report:
    """Wait for the request's end, telling how far it has come."""
    clock = asyncio.get_running_loop()
    moved_at = told_at = clock.time()
    reached: int | None = None
    while True:
        async with database.snapshot() as connection:
            now = await rescans.get(connection, asked)
        if now.report is not None:
            return now.report
        if now.reached != reached:
            reached, moved_at = now.reached, clock.time()
            if clock.time() - told_at >= _TELL_EVERY and reached is not None:
                say(f"Read again up to block {reached:,} …")
                told_at = clock.time()
        if clock.time() - moved_at > PATIENCE:
            raise NothingMoves
        await asyncio.sleep(_LOOK_EVERY)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    inner = errors.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
