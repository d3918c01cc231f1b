"""HTTP both ways: one client session for the whole process, and servers as services."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 30.0


@asynccontextmanager
async def client_session(
    *, user_agent: str = "layover", connections: int = 100
) -> AsyncIterator[aiohttp.ClientSession]:
    """The session that all clients of the process share. A request may give a ``timeout`` of its own."""
    timeout = aiohttp.ClientTimeout(total=TOTAL_SECONDS, sock_connect=CONNECT_SECONDS)
    connector = aiohttp.TCPConnector(limit=connections, ttl_dns_cache=60)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, headers={"User-Agent": user_agent}
    ) as session:
        yield session


class HttpServer:
    """A service that serves an aiohttp application. ``port`` 0 takes a free one; ``ready`` is set when it listens.

    On a stop it takes no more connections and gives requests under way ``grace_seconds``.
    """

    def __init__(
        self,
        name: str,
        make_app: Callable[[], web.Application],
        *,
        host: str,
        port: int,
        grace_seconds: float = 3.0,
    ) -> None:
        self.name = name
        self.host = host
        self.ready = asyncio.Event()
        self._make_app = make_app  # anew for each run: an application that was stopped cannot start again
        self._asked_port = port
        self._port: int | None = None
        self._grace_seconds = grace_seconds
        self._stopping = asyncio.Event()

    @property
    def port(self) -> int:
        """The port it listens on. Wait for ``ready`` first."""
        if self._port is None:
            raise RuntimeError(f"the server {self.name} does not listen yet")
        return self._port

    async def run(self) -> None:
        self._stopping.clear()
        runner = web.AppRunner(self._make_app(), handle_signals=False, shutdown_timeout=self._grace_seconds)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self.host, self._asked_port)
            await site.start()
            self._port = runner.addresses[0][1]
            self.ready.set()
            await self._stopping.wait()
        finally:
            self.ready.clear()
            self._port = None
            await runner.cleanup()

    def stop(self) -> None:
        self._stopping.set()
