"""A web page to play the traveller: a Telegram-like and a WhatsApp-like chat side by side, live."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from aiohttp import web

from sandbox.control import PREFIX, Control, Controlled
from sandbox.serving import serve
from sandbox.transcript import Conversation, Event
from sandbox.views import Json, event_json, transcript_json

_PAGE = Path(__file__).parent / "page"
_KEEP_ALIVE = 15.0  # seconds between comments on a quiet stream, so that a gone browser is noticed
_LONGEST_QUEUE = 10_000


@dataclass(frozen=True, slots=True)
class Pay:
    """Helps the player pay. ``command``: what to type to fund a deposit address.

    ``latest``: pays the latest deposit and returns what to tell the player; raises for what cannot be paid.
    """

    command: str
    latest: Callable[[], Awaitable[str]] | None = None


class PlayerServer:
    """Serves while inside ``running``. ``published`` is to be called with every event of every chat."""

    def __init__(self, pay: Pay | None = None) -> None:
        self.url = ""
        self._pay = pay
        self._servers: dict[str, Controlled] = {}
        self._streams: set[asyncio.Queue[str]] = set()
        self._stopping = asyncio.Event()
        self._world = uuid4().hex  # a page that was opened on an earlier run loads itself again

    def published(self, conversation: Conversation, event: Event) -> None:
        if not self._streams:
            return
        view = {"channel": conversation.channel, "key": conversation.key, "name": conversation.name}
        text = json.dumps(view | {"event": event_json(event)})
        for stream in list(self._streams):
            if stream.qsize() >= _LONGEST_QUEUE:
                self._streams.discard(stream)  # a browser that no longer reads; it connects again and loads all
            else:
                stream.put_nowait(text)

    @asynccontextmanager
    async def running(
        self, telegram: Controlled, twilio: Controlled, host: str = "127.0.0.1", port: int = 0
    ) -> AsyncIterator[None]:
        """Serves the page on ``url`` for the time of the block."""
        self._servers = {"telegram": telegram, "whatsapp": twilio}
        async with serve(self._application(), host, port) as self.url:
            yield

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_get("/", self._index)
        app.router.add_get("/state", self._state)
        app.router.add_get("/events", self._events)
        app.router.add_post("/pay", self._pay_latest)
        app.router.add_static("/page", _PAGE)
        for channel, server in self._servers.items():
            app.add_routes(Control(server).routes(f"/{channel}{PREFIX}"))
        app.on_shutdown.append(self._stop)
        return app

    async def _index(self, request: web.Request) -> web.FileResponse:
        return web.FileResponse(_PAGE / "index.html")

    async def _state(self, request: web.Request) -> web.Response:
        """Everything so far; the page applies later events on top, by their numbers."""
        chats = [transcript_json(t) for server in self._servers.values() for t in server.travellers.values()]
        pay: Json = {"command": self._pay.command, "button": self._pay.latest is not None} if self._pay else {}
        return web.json_response({"world": self._world, "chats": chats, "pay": pay})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: each a chat's key with one event."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await response.prepare(request)
        stream: asyncio.Queue[str] = asyncio.Queue()
        self._streams.add(stream)
        try:
            await response.write(b": connected\n\n")
            while stream in self._streams and not self._stopping.is_set():
                await response.write(await self._next(stream))
        except ConnectionError:
            pass  # the browser is gone
        finally:
            self._streams.discard(stream)
        return response

    async def _next(self, stream: asyncio.Queue[str]) -> bytes:
        try:
            async with asyncio.timeout(_KEEP_ALIVE):
                text = await stream.get()
        except TimeoutError:
            return b": still here\n\n"
        return f"data: {text}\n\n".encode() if text else b": the end\n\n"

    async def _pay_latest(self, request: web.Request) -> web.Response:
        if self._pay is None or self._pay.latest is None:
            raise web.HTTPNotFound(text="this sandbox cannot pay by itself")
        try:
            told = await self._pay.latest()
        except Exception as error:  # noqa: BLE001 - whatever went wrong is shown to the player
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=502)
        return web.json_response({"message": told})

    async def _stop(self, app: web.Application) -> None:
        """Ends the streams: the server would wait for them."""
        self._stopping.set()
        for stream in self._streams:
            stream.put_nowait("")
