"""Runs an aiohttp application on a local port, and background work that ends with its owner."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def serve(app: web.Application, host: str, port: int) -> AsyncIterator[str]:
    """Serves until the block ends and yields the base URL (no trailing slash). Port 0: any free one.

    Handlers are cancelled when their client goes away: else a dropped long poll would linger and the next one would
    meet a conflict.
    """
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Background:
    """Tasks that belong to a server: an error in one is loud (it ends the group), and the end cancels what is left."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[None, None, None]) -> None:
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()


@asynccontextmanager
async def background() -> AsyncIterator[Background]:
    """A ``Background`` for the time of the block."""
    async with asyncio.TaskGroup() as group:
        work = Background(group)
        try:
            yield work
        finally:
            work.cancel()
