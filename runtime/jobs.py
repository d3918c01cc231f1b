"""Durable jobs: work of several steps on money, which goes on after a crash at the step where it was.

The engine is DBOS, and nothing but this module imports it. A job is enqueued in the transaction that causes it: a
rollback enqueues nothing, a repeated key does nothing. Its body is a plain sequence of steps:

    async def fulfil(job: Job, payload: dict[str, Any]) -> None:
        order = await job.step("order", place_order, payload["booking_id"])
        await job.step("deliver", send_tickets, order["id"])

A completed step is never run again; its result (JSON) is read back instead. A step that was cut off is repeated, so
it needs an idempotency key, or a look before it acts. What a body does outside its steps must be the same each time.
An outcome that a body decides by is a step's *result*; an error that is left after all attempts makes the job dead.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import structlog
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, WorkflowStatus

from runtime.backoff import Backoff
from runtime.clock import Clock
from runtime.database import Database, Transaction
from runtime.dead_letters import DeadLetter, NoDeadLetter, Origin, describe
from runtime.errors import LayoverError
from runtime.executors import Executors

log = structlog.get_logger()

QUEUE = "jobs"
APPLICATION = "layover"
ON_EACH_LINE = ("payment_id",)  # what a payload names by these is on each line that its job logs
DEAD = ["ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
STEP_BACKOFF = Backoff(first=1.0, factor=2.0, ceiling=120.0, attempts=8)  # about four minutes in all

Result = TypeVar("Result")
JobBody = Callable[["Job", dict[str, Any]], Awaitable[None]]


class StepFailed(LayoverError):
    """A step has failed as often as it may. Raised in the body; left there, it makes the job dead."""

    def __init__(self, job: str, step: str, error: str) -> None:
        super().__init__(f"Step {step!r} of job {job} failed: {error}. Mend the cause, then replay the job.")
        self.job = job
        self.step = step


class UnknownJob(LayoverError):
    def __init__(self, name: str) -> None:
        super().__init__(f"No job is registered under the name {name!r}; register it before the jobs are run.")


class Job:
    """What a body gets: its name, its key, and how to take a step."""

    def __init__(self, name: str, key: str, clock: Clock, chance: random.Random) -> None:
        self.name = name
        self.key = key
        self._clock = clock
        self._chance = chance

    @property
    def id(self) -> str:
        return f"{self.name}:{self.key}"

    async def step(
        self,
        name: str,
        action: Callable[..., Awaitable[Result]],
        *arguments: Any,
        backoff: Backoff = STEP_BACKOFF,
    ) -> Result:
        """Do something once, with retries; what it returned (JSON) is kept. Raises StepFailed.

        Steps are taken one after the other and in the same order each time the body runs.
        """

        async def attempt() -> Result:
            failures = 0
            while True:
                try:
                    return await action(*arguments)
                except Exception as error:
                    failures += 1
                    if backoff.is_over(failures):
                        raise
                    wait = backoff.seconds(failures, self._chance)
                    log.warning(
                        "step_failed",
                        job=self.id,
                        step=name,
                        failures=failures,
                        retry_in=round(wait, 1),
                        error=describe(error),
                    )
                    log.debug("step_error", job=self.id, step=name, exc_info=error)
                await self._clock.sleep(wait)

        try:
            return await DBOS.run_step_async({"name": name}, attempt)
        except Exception as error:
            # The same class whether it has just happened or was read back after a restart.
            raise StepFailed(self.id, name, describe(error)) from error


class Jobs:
    """The engine as a service, and the door to it. One per process; register every job before ``run``.

    ``executor_id``: fixed on SQLite (one process has the file), unique to the process on PostgreSQL.
    ``concurrency``: jobs at once in this process. ``poll_seconds``: how soon an enqueued job begins.
    ``keep_done``: how long finished jobs are kept; a key repeated later than that would run again.
    """

    name = "jobs"

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        executor_id: str | None = None,
        concurrency: int = 16,
        poll_seconds: float = 0.1,
        keep_done: timedelta = timedelta(days=30),
        stop_seconds: float = 4.0,
        silence: timedelta = timedelta(seconds=30),
        chance: random.Random | None = None,
    ) -> None:
        self.ready = asyncio.Event()
        self._database = database
        self._clock = clock
        self._executors = Executors(database, clock, executor_id, silence=silence)
        self._concurrency = concurrency
        self._poll_seconds = poll_seconds
        self._keep_done = keep_done
        self._stop_seconds = stop_seconds
        self._chance = chance or random.Random()
        self._bodies: dict[str, JobBody] = {}
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._idle: set[str] = set()
        self._stopping = asyncio.Event()
        self._engine = database.sync_engine()
        self._serializer = DBOSPortableJSONSerializer()
        self._client = DBOSClient(
            system_database_engine=self._engine,
            serializer=self._serializer,
            application_name=APPLICATION,
            lazy=True,
        )

    def register(self, name: str, body: JobBody) -> None:
        """Give a job its body. A body whose steps change while jobs wait needs a new name (``fulfil.2``)."""
        self._bodies[name] = body

    async def enqueue(
        self, tx: Transaction, *, name: str, key: str, payload: dict[str, Any], delay: timedelta | None = None
    ) -> None:
        """Let the job run once ``tx`` has been committed (and ``delay`` has passed). A repeated key does nothing."""
        if name not in self._bodies:
            raise UnknownJob(name)
        options: Any = {
            "workflow_name": name,
            "queue_name": QUEUE,
            "workflow_id": f"{name}:{key}",
            "app_version": APPLICATION,
        }
        if delay is not None:
            options["delay_seconds"] = delay.total_seconds()
        await tx.connection.run_sync(
            lambda connection: self._client.enqueue_in_transaction(connection, options, payload)
        )

    async def prepare(self) -> None:
        """Make or migrate the engine's own tables. Before the first ``enqueue``; ``run`` does it too."""
        async with _own_thread() as thread:
            await thread(self._migrate)

    async def run(self) -> None:
        """Run jobs until told to stop. What runs then has ``stop_seconds``; the rest goes on after the next start."""
        self._stopping.clear()
        await self.prepare()
        await self._executors.beat()  # before the first job, or another process would take it over at once
        try:
            async with self._database.quiet():
                self._launch()
            self.ready.set()
            async with asyncio.TaskGroup() as group:
                upkeep = [group.create_task(self._repeat(part)) for part in (self._watch, self._delete_done)]
                await self._stopping.wait()
                for task in upkeep:
                    task.cancel()
        finally:
            self.ready.clear()
            await self._shut_down()

    def stop(self) -> None:
        self._stopping.set()

    async def dead_letters(self, *, limit: int = 100) -> list[DeadLetter]:
        """Jobs that were given up on, the latest first."""
        found = await self._client.list_workflows_async(status=DEAD, limit=limit, sort_desc=True, load_output=True)
        return [_dead_letter(status) for status in found]

    async def dead_letter(self, job_id: str) -> DeadLetter:
        """One of them, by ``name:key``. Raises NoDeadLetter."""
        found = await self._client.list_workflows_async(workflow_ids=[job_id], status=DEAD)
        if not found:
            raise NoDeadLetter(Origin.JOBS, job_id)
        return _dead_letter(found[0])

    async def replay(self, job_id: str) -> None:
        """Run a dead job again from the step it failed at. Raises NoDeadLetter."""
        await self.dead_letter(job_id)
        steps = await self._client.list_workflow_steps_async(job_id)
        failed = [step["function_id"] for step in steps if step["error"] is not None]
        done = [step["function_id"] for step in steps]
        await self._client.rewind_workflow_async(
            job_id,
            start_step=min(failed) if failed else max(done, default=0) + 1,
            application_version=APPLICATION,
            queue_name=QUEUE,
        )

    def _migrate(self) -> None:
        DBOS.migrate(self._engine.url.render_as_string(hide_password=False))
        self._client.register_queue(
            QUEUE, worker_concurrency=self._concurrency, polling_interval_sec=self._poll_seconds
        )

    def _launch(self) -> None:
        engine_log = logging.getLogger("dbos")
        if not engine_log.handlers:  # else the engine adds one of its own and keeps its lines from ours
            engine_log.addHandler(logging.NullHandler())
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_engine": self._engine,
            "application_version": APPLICATION,  # the default is a hash of the code, which would strand older jobs
            "executor_id": self._executors.executor_id,
            "serializer": self._serializer,
            "max_executor_threads": 64,
            "log_level": "WARNING",
        }
        DBOS(config=config)
        for name, body in self._bodies.items():
            DBOS.workflow(name=name)(self._workflow(name, body))
        DBOS.launch()  # in the running loop, so that bodies run in it

    def _workflow(self, name: str, body: JobBody) -> Callable[[dict[str, Any]], Awaitable[None]]:
        async def workflow(payload: dict[str, Any]) -> None:
            if self._stopping.is_set():
                raise asyncio.CancelledError  # it has not begun: it stays for the next start
            job_id = DBOS.workflow_id or ""
            job = Job(name, job_id.removeprefix(f"{name}:"), self._clock, self._chance)
            task = asyncio.current_task()
            assert task is not None
            self._running[job_id] = task
            about = {name: payload[name] for name in ON_EACH_LINE if name in payload}
            try:
                with structlog.contextvars.bound_contextvars(job=job_id, **about):
                    await self._run_body(job, body, payload)
            finally:
                if self._running.get(job_id) is task:
                    del self._running[job_id]

        return workflow

    async def _run_body(self, job: Job, body: JobBody, payload: dict[str, Any]) -> None:
        try:
            await body(job, payload)
        except Exception as error:
            log.error("job_dead", exc_info=error)
            raise
        log.info("job_done")

    async def _repeat(self, upkeep: Callable[[], Awaitable[float]]) -> None:
        """Do it again after the seconds it returns. A database that is away is no reason to end what runs."""
        while True:
            try:
                wait = await upkeep()
            except Exception as error:  # noqa: BLE001 - a supervised edge
                log.error("job_upkeep_failed", upkeep=upkeep.__name__, error=describe(error))
                wait = self._executors.beat_seconds
            await self._clock.sleep(wait)

    async def _watch(self) -> float:
        """Show that this process lives; take over the jobs of those that died, and its own that got stuck."""
        await self._executors.beat()
        pending = await self._client.list_workflows_async(status="PENDING", load_input=False, load_output=False)
        dead = await self._executors.dead_among({status.executor_id for status in pending if status.executor_id})
        if dead:
            log.warning("jobs_taken_over", executors=sorted(dead))
            async with _own_thread() as thread:
                await thread(lambda: DBOS._recover_pending_workflows(sorted(dead)))
        await self._resume_stuck({job.workflow_id for job in pending if job.executor_id == self._executors.executor_id})
        return self._executors.beat_seconds

    async def _resume_stuck(self, pending: set[str]) -> None:
        """A job that ended while the database was away may have left no trace of it: pending, but running nowhere."""
        idle = pending - self._running.keys()
        for job_id in idle & self._idle:  # seen so twice: it is neither just beginning nor just ending
            log.warning("job_resumed", job=job_id)
            await self._client.resume_workflow_async(job_id, queue_name=QUEUE)
        self._idle = idle - self._idle

    async def _delete_done(self) -> float:
        before = (self._clock.now() - self._keep_done).isoformat()
        old = await self._client.list_workflows_async(
            status=["SUCCESS", "CANCELLED"], completed_before=before, limit=500, load_input=False, load_output=False
        )
        await self._client.delete_workflows_async([status.workflow_id for status in old])
        return 1.0 if len(old) == 500 else 3600.0

    async def _shut_down(self) -> None:
        """End what runs, or cut it off: a job that is cut off stays pending, and goes on after the next start."""
        self._stopping.set()
        if self._running:
            _, late = await asyncio.wait(self._running.values(), timeout=self._stop_seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1.0)
        async with _own_thread() as thread:
            await thread(lambda: DBOS.destroy(destroy_registry=True))
        self._engine.dispose()
        # The engine had made its own threads the loop's; they are gone with it.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
        await self._executors.retire()


@asynccontextmanager
async def _own_thread() -> AsyncIterator[Callable[[Callable[[], Any]], Awaitable[Any]]]:
    """A thread that is neither the loop's nor the engine's.

    It cannot be cut off: who is cancelled waits for it, but never blocks the loop, for what the thread waits for (its
    turn to write) may be held by a unit of work that only the loop can end.
    """
    executor = ThreadPoolExecutor(max_workers=1)

    async def run(function: Callable[[], Any]) -> Any:
        running = asyncio.get_running_loop().run_in_executor(executor, function)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait((running,))
            raise

    try:
        yield run
    finally:
        executor.shutdown(wait=False)


def _dead_letter(status: WorkflowStatus) -> DeadLetter:
    arguments = status.input["args"] if status.input is not None else ()
    died_at = datetime.fromtimestamp((status.completed_at or status.updated_at or 0) / 1000, UTC)
    return DeadLetter(
        origin=Origin.JOBS,
        id=status.workflow_id,
        name=status.name,
        lane="",
        payload=arguments[0] if arguments else {},
        attempts=status.recovery_attempts or 0,
        error=describe(status.error) if status.error is not None else "the process died too often while it ran",
        died_at=died_at,
    )
