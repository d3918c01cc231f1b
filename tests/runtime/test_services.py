"""Parts fail, are restarted, and never take the others with them; a stop is quick, and has a reason."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

from prometheus_client import CollectorRegistry

from runtime.backoff import Backoff
from runtime.clock import SystemClock
from runtime.metrics import Metrics
from runtime.services import Health, Service, State, StopSignal, Supervisor

Until = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]

QUICK = Backoff(first=0.01, ceiling=0.02)


class Part:
    """A service made of a function."""

    def __init__(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        self.name = name
        self._run = run

    async def run(self) -> None:
        await self._run()


class PoliteProcess(Part):
    """A service that ends by itself when told."""

    def __init__(self, name: str, work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
        self._told = asyncio.Event()
        super().__init__(name, lambda: work(self._told))

    def stop(self) -> None:
        self._told.set()


class Server(Part):
    """A service that says when it is ready."""

    def __init__(self, name: str) -> None:
        super().__init__(name, forever)
        self.ready = asyncio.Event()


async def forever() -> None:
    await asyncio.Event().wait()


def supervise(*services: Service, stop_seconds: float = 10.0, metrics: Metrics | None = None) -> Supervisor:
    return Supervisor(services, SystemClock(), backoff=QUICK, stop_seconds=stop_seconds, metrics=metrics)


def health_of(supervisor: Supervisor, name: str) -> Health:
    [found] = [health for health in supervisor.health() if health.name == name]
    return found


async def test_a_failing_part_is_restarted_and_the_others_go_on(until: Until) -> None:
    starts = 0
    steady_runs = 0

    async def fail() -> None:
        nonlocal starts
        starts += 1
        raise ConnectionError("the node is away")

    async def steady() -> None:
        nonlocal steady_runs
        steady_runs += 1
        await forever()

    async def ends() -> None:
        return

    async def cancels_itself() -> None:
        raise asyncio.CancelledError

    metrics = Metrics(CollectorRegistry())
    stop = StopSignal()
    parts = Part("fails", fail), Part("steady", steady), Part("ends", ends), Part("odd", cancels_itself)
    supervisor = supervise(*parts, metrics=metrics)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(supervisor.run(stop))

        async def has_failed_often() -> bool:
            return all(health_of(supervisor, name).restarts >= 3 for name in ("fails", "ends", "odd"))

        await until(has_failed_often)
        failing = health_of(supervisor, "fails")
        assert failing.state is State.FAILING
        assert failing.last_error == "ConnectionError: the node is away"
        assert "EndedUnasked" in (health_of(supervisor, "ends").last_error or "")
        assert health_of(supervisor, "steady").state is State.RUNNING
        assert steady_runs == 1
        assert not supervisor.is_healthy
        assert b'layover_service_running{service="steady"} 1.0' in metrics.render()
        assert b'layover_service_running{service="fails"} 0.0' in metrics.render()
        stop.request("enough")
    assert running.result() == "enough"
    assert {health.state for health in supervisor.health()} == {State.STOPPED}


async def test_a_part_that_announces_itself_is_starting_until_it_is_ready(until: Until) -> None:
    stop = StopSignal()
    server = Server("server")
    supervisor = supervise(server)
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run(stop))
        await asyncio.sleep(0)
        assert health_of(supervisor, "server").state is State.STARTING
        server.ready.set()

        async def is_running() -> bool:
            return supervisor.is_healthy

        await until(is_running)
        stop.request("done")


async def test_a_stop_lets_parts_end_what_they_began_and_cuts_off_who_is_late() -> None:
    ended: list[str] = []

    async def finish(told: asyncio.Event) -> None:
        await told.wait()
        await asyncio.sleep(0.05)
        ended.append("finished")

    async def ignore(told: asyncio.Event) -> None:
        try:
            await forever()
        finally:
            ended.append("cut off")

    async def clumsy() -> None:
        try:
            await forever()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    stop = StopSignal()
    supervisor = supervise(
        PoliteProcess("polite", finish), PoliteProcess("deaf", ignore), Part("plain", clumsy), stop_seconds=0.6
    )
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(supervisor.run(stop))
        await asyncio.sleep(0.01)
        began = loop.time()
        stop.request("update")
        stop.request("too late to matter")
        assert await running == "update"
    assert loop.time() - began < 0.6
    assert sorted(ended) == ["cancelled", "cut off", "finished"]


async def test_sigterm_is_a_stop_with_that_name() -> None:
    stop = StopSignal()
    stop.on_unix_signals()
    os.kill(os.getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(stop.wait(), 5) == "SIGTERM"
    assert await supervise().run(stop) == "SIGTERM"
