"""The parts of the process, each a supervised service, all in one TaskGroup.

A part that fails is restarted with backoff and shows in /health; the others go on. When the stop signal comes, the
parts are told, then cancelled, all within a deadline.
"""

import asyncio
import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

import structlog
from prometheus_client import CollectorRegistry

from runtime.backoff import Backoff
from runtime.clock import Clock
from runtime.dead_letters import describe
from runtime.errors import LayoverError
from runtime.metrics import Metrics

log = structlog.get_logger()

RESTARTS = Backoff(first=0.5, factor=2.0, ceiling=60.0)  # its attempts do not count: a service never gives up
SETTLED_SECONDS = 3.0  # one that was restarted counts as running when it has lasted so long
STEADY_SECONDS = 30.0  # a service that ran so long before it failed begins its backoff anew


class Service(Protocol):
    """A part that runs until it is stopped. Returning unasked counts as a failure."""

    @property
    def name(self) -> str: ...

    async def run(self) -> None: ...


@runtime_checkable
class Stoppable(Protocol):
    """A service that can end what it has begun: after ``stop()`` its ``run()`` returns by itself."""

    def stop(self) -> None: ...


@runtime_checkable
class Announcing(Protocol):
    """A service that tells when it is ready (a server that listens); others are ready once they run.

    It clears ``ready`` when its ``run()`` ends.
    """

    @property
    def ready(self) -> asyncio.Event: ...


class State(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    FAILING = "failing"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Health:
    """How a service does, since when. ``restarts`` and ``last_error`` (class and message) stay when it recovers."""

    name: str
    state: State
    since: datetime
    restarts: int = 0
    last_error: str | None = None


class EndedUnasked(LayoverError):
    def __init__(self, name: str) -> None:
        super().__init__(f"The service {name} ended without being asked to; it is started again.")


class StopSignal:
    """Asks the process to stop, once, for a reason that has a name. Later requests change nothing."""

    def __init__(self) -> None:
        self._requested = asyncio.Event()
        self._reason: str | None = None

    @property
    def reason(self) -> str | None:
        return self._reason

    def request(self, reason: str) -> None:
        if self._reason is None:
            self._reason = reason
            log.info("stop_requested", reason=reason)
            self._requested.set()

    async def wait(self) -> str:
        await self._requested.wait()
        assert self._reason is not None
        return self._reason

    def on_unix_signals(self) -> None:
        """Let SIGTERM and SIGINT request the stop of the running loop's process."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.request, number.name)


class Supervisor:
    """Runs the services until the stop signal. ``stop_seconds``: from the signal until ``run`` has returned."""

    def __init__(
        self,
        services: Sequence[Service],
        clock: Clock,
        *,
        backoff: Backoff = RESTARTS,
        stop_seconds: float = 10.0,
        chance: random.Random | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        names = [service.name for service in services]
        if len(set(names)) != len(names):
            raise ValueError(f"services need names of their own, got {names}")
        self._services = services
        self._clock = clock
        self._backoff = backoff
        self._stop_seconds = stop_seconds
        self._chance = chance or random.Random()
        self._metrics = metrics or Metrics(CollectorRegistry())
        self._health = {name: Health(name, State.STARTING, clock.now()) for name in names}

    def health(self) -> list[Health]:
        return list(self._health.values())

    @property
    def is_healthy(self) -> bool:
        return all(health.state is State.RUNNING for health in self._health.values())

    async def run(self, stop: StopSignal) -> str:
        """Run everything; the reason of the stop. Errors of services never come out of it."""
        stopping = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            tasks = {
                group.create_task(self._keep_running(service, stopping), name=service.name): service
                for service in self._services
            }
            reason = await stop.wait()
            stopping.set()
            await self._end(tasks)
        log.info("stopped", reason=reason)
        return reason

    async def _end(self, tasks: dict[asyncio.Task[None], Service]) -> None:
        """Tell those that can end by themselves and cancel the others; then cancel who is late."""
        for task, service in tasks.items():
            if isinstance(service, Stoppable):
                service.stop()
            else:
                task.cancel()
        # Two thirds of the time to end what was begun, the rest to be cancelled in and to close what stays open.
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=self._stop_seconds * 2 / 3)
        for task in late:
            log.warning("service_cancelled", service=task.get_name())
            task.cancel()
        if late:
            _, stuck = await asyncio.wait(late, timeout=self._stop_seconds / 6)
            for task in stuck:
                log.error("service_stuck", service=task.get_name())
                task.cancel()

    async def _keep_running(self, service: Service, stopping: asyncio.Event) -> None:
        failures = 0
        try:
            while not stopping.is_set():
                began = asyncio.get_running_loop().time()
                error = await self._run_once(service, stopping, is_first=failures == 0)
                if error is None:
                    return
                if asyncio.get_running_loop().time() - began >= STEADY_SECONDS:
                    failures = 0
                failures += 1
                await self._pause(service.name, error, failures, stopping)
        finally:
            self._note(service.name, State.STOPPED)

    async def _run_once(self, service: Service, stopping: asyncio.Event, *, is_first: bool) -> BaseException | None:
        """Run until it ends. The error it ended with; None when it was to end."""
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(self._note_running(service, is_first=is_first))
                try:
                    await service.run()
                finally:
                    watch.cancel()
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return error  # something inside was cancelled, not the service
        except BaseExceptionGroup as errors:
            return errors.exceptions[0] if len(errors.exceptions) == 1 else errors
        except Exception as error:  # noqa: BLE001 - the supervised edge: noted, counted, restarted
            return error
        return None if stopping.is_set() else EndedUnasked(service.name)

    async def _note_running(self, service: Service, *, is_first: bool) -> None:
        if isinstance(service, Announcing):
            await service.ready.wait()
        if not is_first:
            await asyncio.sleep(SETTLED_SECONDS)
        self._note(service.name, State.RUNNING)

    async def _pause(self, name: str, error: BaseException, failures: int, stopping: asyncio.Event) -> None:
        seconds = self._backoff.seconds(failures, self._chance)
        self._note(name, State.FAILING, error)
        log.error("service_failed", service=name, failures=failures, restart_in=round(seconds, 1), exc_info=error)
        try:
            async with asyncio.timeout(seconds):
                await stopping.wait()
        except TimeoutError:
            pass

    def _note(self, name: str, state: State, error: BaseException | None = None) -> None:
        before = self._health[name]
        self._health[name] = Health(
            name,
            state,
            since=before.since if before.state is state else self._clock.now(),
            restarts=before.restarts + (error is not None),
            last_error=before.last_error if error is None else describe(error),
        )
        self._metrics.service_running.labels(name).set(state is State.RUNNING)
        if error is not None:
            self._metrics.service_failures.labels(name).inc()
