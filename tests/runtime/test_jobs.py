"""Jobs survive the death of their process, and are enqueued with the change that causes them or not at all."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
import structlog

from runtime.backoff import Backoff
from runtime.clock import SystemClock
from runtime.database import Database
from runtime.dead_letters import NoDeadLetter
from runtime.jobs import Job, Jobs, StepFailed, UnknownJob
from runtime.tables import leases, metadata

Until = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]

NOW = SystemClock().now()
QUICK = Backoff(first=0.01, ceiling=0.02, attempts=3)


@pytest.fixture(autouse=True)
async def _tables(database: Database) -> None:
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)


@asynccontextmanager
async def running(jobs: Jobs) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        group.create_task(jobs.run())
        await jobs.ready.wait()
        yield
        jobs.stop()


async def enqueue(database: Database, jobs: Jobs, key: str, **payload: Any) -> None:
    async with database.transaction() as tx:
        await jobs.enqueue(tx, name="job", key=key, payload=payload)


async def test_a_rollback_enqueues_nothing_and_a_repeated_key_does_nothing(database: Database) -> None:
    ran: list[tuple[str, dict[str, Any]]] = []
    done = asyncio.Event()

    async def body(job: Job, payload: dict[str, Any]) -> None:
        ran.append((job.key, payload))
        if job.key == "last":
            done.set()

    jobs = Jobs(database, SystemClock(), concurrency=1)
    jobs.register("job", body)
    await jobs.prepare()
    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        async with database.transaction() as tx:
            await jobs.enqueue(tx, name="job", key="undone", payload={})
            raise ZeroDivisionError
    with pytest.raises(UnknownJob):
        async with database.transaction() as tx:
            await jobs.enqueue(tx, name="nobody knows", key="1", payload={})
    async with running(jobs):
        await enqueue(database, jobs, "once", text="Łódź → Malmö")
        await enqueue(database, jobs, "once", text="again")
        await enqueue(database, jobs, "last")
        await asyncio.wait_for(done.wait(), 10)
    assert sorted(ran) == [("last", {}), ("once", {"text": "Łódź → Malmö"})]


async def test_a_delayed_job_waits(database: Database) -> None:
    ran: asyncio.Queue[str] = asyncio.Queue()

    async def body(job: Job, payload: dict[str, Any]) -> None:
        ran.put_nowait(job.key)

    jobs = Jobs(database, SystemClock())
    jobs.register("job", body)
    await jobs.prepare()
    async with running(jobs):
        async with database.transaction() as tx:
            await jobs.enqueue(tx, name="job", key="later", payload={}, delay=timedelta(seconds=0.5))
            await jobs.enqueue(tx, name="job", key="now", payload={})
        assert [await asyncio.wait_for(ran.get(), 10) for _ in range(2)] == ["now", "later"]


async def test_a_job_that_cannot_go_on_is_dead_and_replays_from_the_step_that_failed(
    database: Database, until: Until
) -> None:
    taken: Counter[str] = Counter()
    broken = True
    done = asyncio.Event()

    async def step(name: str) -> str:
        taken[name] += 1
        if name == "second" and broken:
            raise ValueError("the airline says no")
        return name

    async def body(job: Job, payload: dict[str, Any]) -> None:
        await job.step("first", step, "first")
        await job.step("second", step, "second", backoff=QUICK)
        await job.step("third", step, "third")
        done.set()

    jobs = Jobs(database, SystemClock())
    jobs.register("job", body)

    async def is_dead() -> bool:
        return bool(await jobs.dead_letters())

    async with running(jobs):
        await enqueue(database, jobs, "1", booking="b1")
        await until(is_dead)
        [dead] = await jobs.dead_letters()
        assert (dead.id, dead.name, dead.payload) == ("job:1", "job", {"booking": "b1"})
        assert "the airline says no" in dead.error
        assert await jobs.dead_letter("job:1") == dead
        assert taken == {"first": 1, "second": 3}

        broken = False
        await jobs.replay("job:1")
        await asyncio.wait_for(done.wait(), 10)
        assert taken == {"first": 1, "second": 4, "third": 1}
        assert await jobs.dead_letters() == []
        with pytest.raises(NoDeadLetter):
            await jobs.replay("job:1")


async def test_each_line_of_a_job_names_its_payment_and_a_failure_its_reason(sqlite_url: str) -> None:
    failed = asyncio.Event()

    async def order() -> None:
        raise ValueError("the airline says no")

    async def body(job: Job, payload: dict[str, Any]) -> None:
        try:
            await job.step("order", order, backoff=QUICK)
        finally:
            failed.set()

    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        async with Database.open(sqlite_url) as database:
            async with database.engine.begin() as connection:
                await connection.run_sync(metadata.create_all)
            jobs = Jobs(database, SystemClock())
            jobs.register("job", body)
            await jobs.prepare()
            async with running(jobs):
                await enqueue(database, jobs, "1", payment_id="pay_1")
                await asyncio.wait_for(failed.wait(), 10)
    told = [line for line in lines if line["event"] in ("step_failed", "job_dead")]
    assert [line["event"] for line in told][-1] == "job_dead"
    assert {(line["job"], line["payment_id"]) for line in told} == {("job:1", "pay_1")}
    assert told[0]["error"] == "ValueError: the airline says no"


async def test_a_body_may_deal_with_a_failed_step(database: Database) -> None:
    outcome: asyncio.Queue[str] = asyncio.Queue()

    async def refuse() -> None:
        raise ValueError("no seats")

    async def body(job: Job, payload: dict[str, Any]) -> None:
        try:
            await job.step("order", refuse, backoff=QUICK)
        except StepFailed as failure:
            outcome.put_nowait(str(failure))

    jobs = Jobs(database, SystemClock())
    jobs.register("job", body)
    async with running(jobs):
        await enqueue(database, jobs, "1")
        assert "no seats" in await asyncio.wait_for(outcome.get(), 10)


async def test_a_stop_cuts_off_what_takes_too_long_and_the_next_start_finishes_it(database: Database) -> None:
    begun, done = asyncio.Event(), asyncio.Event()
    taken: list[str] = []
    is_first_run = True

    async def quick() -> None:
        taken.append("quick")

    async def slow() -> None:
        taken.append("slow")
        begun.set()
        if is_first_run:
            await asyncio.Event().wait()

    async def body(job: Job, payload: dict[str, Any]) -> None:
        await job.step("quick", quick)
        await job.step("slow", slow)
        done.set()

    def engine() -> Jobs:
        jobs = Jobs(database, SystemClock(), executor_id="the same", stop_seconds=0.05)
        jobs.register("job", body)
        return jobs

    async with running(first := engine()):
        await enqueue(database, first, "1")
        await asyncio.wait_for(begun.wait(), 10)
    assert taken == ["quick", "slow"]
    assert await asyncio.to_thread(lambda: 1) == 1  # the loop's threads work again

    is_first_run = False
    async with running(engine()):
        await asyncio.wait_for(done.wait(), 10)
    assert taken == ["quick", "slow", "slow"]


async def test_jobs_get_their_turn_while_units_of_work_never_pause(sqlite_url: str) -> None:
    async with Database.open(sqlite_url) as database:
        async with database.engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        done = asyncio.Event()

        async def step() -> None: ...

        async def body(job: Job, payload: dict[str, Any]) -> None:
            for number in range(5):
                await job.step(str(number), step)
            done.set()

        async def write_until_done(number: int) -> None:
            while not done.is_set():
                async with database.transaction() as tx:
                    await tx.insert_if_new(
                        leases, {"name": uuid4().hex, "owner": "", "token": 1, "expires_at": NOW}, key=("name",)
                    )

        jobs = Jobs(database, SystemClock())
        jobs.register("job", body)
        async with running(jobs), asyncio.timeout(20), asyncio.TaskGroup() as group:
            await enqueue(database, jobs, "1")
            for number in range(30):
                group.create_task(write_until_done(number))


async def test_finished_jobs_are_deleted_after_their_time(database: Database, until: Until) -> None:
    ran = asyncio.Event()

    async def body(job: Job, payload: dict[str, Any]) -> None:
        ran.set()

    jobs = Jobs(database, SystemClock(), keep_done=timedelta(0))
    jobs.register("job", body)
    async with running(jobs):
        await enqueue(database, jobs, "1")
        await asyncio.wait_for(ran.wait(), 10)

    table = "workflow_status" if database.is_sqlite else "dbos.workflow_status"

    async def is_gone() -> bool:
        async with database.snapshot() as connection:
            return (await connection.execute(sa.text(f"SELECT 1 FROM {table} LIMIT 1"))).first() is None

    again = Jobs(database, SystemClock(), keep_done=timedelta(0))
    async with running(again):
        await until(is_gone)


async def test_a_killed_process_loses_no_job_and_repeats_no_completed_step(
    database_url: str, database: Database
) -> None:
    async def process(mode: str, fate: str) -> int:
        script = Path(__file__).with_name("job_process.py")
        child = await asyncio.create_subprocess_exec(sys.executable, str(script), database_url, mode, fate)
        return await asyncio.wait_for(child.wait(), 30)

    assert await process("enqueue", "die") == -signal.SIGKILL
    assert await process("resume", "live") == 0

    async with database.snapshot() as connection:
        rows = await connection.execute(sa.text("SELECT job, step FROM ledger"))
        taken = Counter((row.job, row.step) for row in rows)
    jobs = [str(number) for number in range(6)]
    assert set(taken) == {(job, step) for job in jobs for step in ("first", "second", "third")}
    # Only what was in flight at the kill came twice: at most one step of a job, and surely the one that killed.
    for job in jobs:
        assert sorted(taken[job, step] for step in ("first", "second", "third")) in ([1, 1, 1], [1, 1, 2])
    assert taken["3", "second"] == 2


async def test_cancelled_while_it_waits_to_write_it_lets_the_writer_finish(database: Database) -> None:
    jobs = Jobs(database, SystemClock())
    await jobs.prepare()
    async with database.transaction() as tx:
        await tx.execute(sa.select(1))  # from here on it is our turn to write
        starting = asyncio.create_task(jobs.run())
        await asyncio.sleep(0.3)  # on SQLite its thread waits for us now, which nothing shows
        starting.cancel()
        await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await asyncio.wait((starting,))
    assert starting.cancelled()
