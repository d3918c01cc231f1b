"""The web edge as a service: listens, and ends requests in progress before it stops."""

import asyncio
from collections.abc import Callable

import structlog
from aiohttp import web

log = structlog.get_logger()


class WebServer:
    """Serves on ``host:port`` (port 0: any free one; ``url`` says which). ``ready`` is set once it listens.

    ``make``: a fresh application for each start; one that has been shut down cannot be started again.
    """

    name = "web"

    def __init__(
        self, make: Callable[[], web.Application], host: str, port: int, *, shutdown_seconds: float = 3.0
    ) -> None:
        self._make = make
        self._host = host
        self._port = port
        self._shutdown_seconds = shutdown_seconds
        self._stopping = asyncio.Event()
        self.ready = asyncio.Event()
        self.url: str | None = None

    async def run(self) -> None:
        self._stopping.clear()
        runner = web.AppRunner(self._make(), access_log=None, shutdown_timeout=self._shutdown_seconds)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
            host, port = runner.addresses[0][:2]
            self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
            log.info("web_listening", url=self.url)
            self.ready.set()
            await self._stopping.wait()
        finally:
            self.ready.clear()
            await runner.cleanup()

    def stop(self) -> None:
        self._stopping.set()
