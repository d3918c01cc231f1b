"""New heads as the node announces them over WebSocket. It only wakes; what the chain says is asked for over HTTP.

A socket that is lost is opened again with a growing pause. One that stays open and goes silent is noticed by the
indexer, which then calls ``distrust``.
"""

import asyncio
import random

import msgspec
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from indexer.rpc import public_name
from indexer.wire import Header, Notice
from runtime.backoff import Backoff
from runtime.errors import LayoverError

log = structlog.get_logger()

_MAX_MESSAGE = 1 << 20  # bytes; a head is below 2 kB
_HEADERS = msgspec.json.Decoder(Notice)
_PAUSES = Backoff(first=0.25, ceiling=15.0)


class SubscriptionRefused(LayoverError):
    """The node speaks WebSocket but announces no heads."""


class Announcements:
    """Run as a task. ``woken`` is set with every head, and whenever the socket comes or goes."""

    def __init__(self, url: str, woken: asyncio.Event, *, open_timeout: float) -> None:
        self._url = url
        self._woken = woken
        self._open_timeout = open_timeout
        self._socket: ClientConnection | None = None
        self._chance = random.Random()
        self._was_silent = False
        self.latest: Header | None = None  # the last head announced on the present socket
        self.drops = 0

    @property
    def is_live(self) -> bool:
        """Subscribed, and not known to be silent: after a silence, not before a head has come again."""
        return self._socket is not None and not self._was_silent

    async def run(self) -> None:
        failures = 0
        while True:
            try:
                await self._listen()
            except (OSError, TimeoutError, WebSocketException, SubscriptionRefused, msgspec.DecodeError) as error:
                failures = 1 if self._socket is not None else failures + 1
                log.warning("heads_lost", node=public_name(self._url), error=type(error).__name__, failures=failures)
            self._socket, self.latest = None, None
            self.drops += 1
            self._woken.set()
            await asyncio.sleep(_PAUSES.seconds(failures, self._chance))

    def distrust(self) -> None:
        """The socket is open and says nothing although the chain went on: cut it, so that it is opened again."""
        socket, self._socket = self._socket, None
        self._was_silent = True
        if socket is not None:
            log.warning("heads_silent", node=public_name(self._url))
            socket.transport.abort()  # a mute peer would not answer a closing handshake

    async def _listen(self) -> None:
        async with connect(
            self._url, open_timeout=self._open_timeout, max_size=_MAX_MESSAGE, close_timeout=1
        ) as socket:
            await socket.send('{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}')
            async with asyncio.timeout(self._open_timeout):
                answer = _HEADERS.decode(await socket.recv())
            if answer.error is not None:
                raise SubscriptionRefused(answer.error.message)
            self._socket = socket
            self._woken.set()
            log.info("heads_subscribed", node=public_name(self._url))
            async for message in socket:
                notice = _HEADERS.decode(message)
                if notice.params is not None:
                    self.latest, self._was_silent = notice.params.result, False
                    self._woken.set()
