"""A process that runs jobs, to be killed. Usage: job_process.py DATABASE_URL {enqueue|resume} {die|live}"""

import asyncio
import os
import signal
import sys
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from runtime.clock import SystemClock
from runtime.database import Database
from runtime.jobs import Job, Jobs
from runtime.tables import metadata

ledger_metadata = sa.MetaData()
ledger = sa.Table(
    "ledger",
    ledger_metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("job", sa.String(50)),
    sa.Column("step", sa.String(20)),
)


async def main(url: str, mode: str, fate: str) -> None:
    async with Database.open(url) as database:
        async with database.engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
            await connection.run_sync(ledger_metadata.create_all)
        jobs = Jobs(database, SystemClock(), silence=timedelta(seconds=1.2))

        async def write(key: str, step: str) -> str:
            async with database.transaction() as tx:
                await tx.execute(sa.insert(ledger).values(job=key, step=step))
            return f"{key}-{step}"

        async def write_and_die(key: str, step: str) -> str:
            written = await write(key, step)
            if fate == "die" and key == "3":
                os.kill(os.getpid(), signal.SIGKILL)
            return written

        async def body(job: Job, payload: dict[str, Any]) -> None:
            assert payload == {"number": int(job.key)}
            first = await job.step("first", write, job.key, "first")
            assert first == f"{job.key}-first"
            await job.step("second", write_and_die, job.key, "second")
            await job.step("third", write, job.key, "third")

        jobs.register("count", body)
        await jobs.prepare()
        if mode == "enqueue":
            async with database.transaction() as tx:
                for number in range(6):
                    await jobs.enqueue(tx, name="count", key=str(number), payload={"number": number})

        async def stop_when_done() -> None:
            async def count() -> int:
                async with database.snapshot() as connection:
                    statement = sa.select(sa.func.count()).where(ledger.c.step == "third")
                    return int((await connection.execute(statement)).scalar_one())

            while await count() < 6:  # noqa: ASYNC110 - a row in a database has no event
                await asyncio.sleep(0.02)
            jobs.stop()

        async with asyncio.TaskGroup() as group:
            group.create_task(jobs.run())
            group.create_task(stop_when_done())


asyncio.run(main(*sys.argv[1:]))
