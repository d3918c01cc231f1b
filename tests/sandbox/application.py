"""An application as Twilio meets it: takes webhooks and status callbacks, and serves media."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from twilio.request_validator import RequestValidator

from sandbox.serving import serve


@dataclass
class Application:
    """``received`` and ``statuses``: the forms that came with a valid signature. ``media``: what is served by name."""

    token: str
    url: str = ""
    twiml: str = "<Response/>"
    status: int = 200
    received: list[dict[str, str]] = field(default_factory=list)
    statuses: list[dict[str, str]] = field(default_factory=list)
    forged: int = 0
    media: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def callback(self) -> str:
        return f"{self.url}/status"

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits until the condition holds; looked at whenever something was received."""
        async with asyncio.timeout(5):
            while not condition():
                await self._changed.wait()
                self._changed.clear()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Application"]:
        app = web.Application()
        app.router.add_post("/webhook", self._webhook)
        app.router.add_post("/status", self._status)
        app.router.add_get("/media/{name}", self._media)
        async with serve(app, "127.0.0.1", 0) as self.url:
            yield self

    async def _signed(self, request: web.Request) -> dict[str, str] | None:
        form = await request.post()
        signature = request.headers.get("X-Twilio-Signature", "")
        if not RequestValidator(self.token).validate(f"{self.url}{request.path_qs}", form, signature):
            self.forged += 1
            return None
        return {name: str(value) for name, value in form.items()}

    async def _webhook(self, request: web.Request) -> web.Response:
        form = await self._signed(request)
        if form is None:
            return web.Response(status=403)
        self.received.append(form)
        self._changed.set()
        return web.Response(text=self.twiml, content_type="text/xml", status=self.status)

    async def _status(self, request: web.Request) -> web.Response:
        form = await self._signed(request)
        if form is None:
            return web.Response(status=403)
        self.statuses.append(form)
        self._changed.set()
        return web.Response()

    async def _media(self, request: web.Request) -> web.Response:
        found = self.media.get(request.match_info["name"])
        if found is None:
            return web.Response(status=404)
        return web.Response(body=found[0], content_type=found[1])
