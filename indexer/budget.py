"""How many requests a node gets from us: never more in any minute than it was agreed, and counted in any case."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

MINUTE = 60.0
_BURST = 10  # of a minute's requests, the share that may go at once: 1/10


@dataclass(frozen=True, slots=True)
class Spending:
    """Requests and the calls in them (a batch is one request that holds several calls)."""

    requests: int  # since the start
    calls: int
    requests_last_minute: int
    calls_last_minute: int
    largest_batch: int
    a_minute: int | None  # what may be spent; None: as much as is needed
    waited_seconds: float  # for requests to be allowed, all together


class Budget:
    """``take`` before each request. A bucket of tokens: what is not used is kept up to a tenth of a minute's worth.

    In any 60 seconds at most ``a_minute`` requests go out: a full bucket, and what runs into it meanwhile.
    """

    def __init__(
        self,
        a_minute: int | None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.a_minute = a_minute
        self._now = now
        self._sleep = sleep
        self._size = max(1, (a_minute or 0) // _BURST)
        self._rate = ((a_minute or 0) - self._size) / MINUTE  # tokens a second
        self._tokens = float(self._size)
        self._filled_at = now()
        self._turn = asyncio.Lock()
        self._recent: deque[tuple[float, int]] = deque()
        self._requests = self._calls = self._largest = 0
        self._waited = 0.0

    async def take(self, calls: int) -> None:
        """Wait until one more request may go out, and count it with the calls it holds."""
        if self.a_minute is not None:
            async with self._turn:  # first come, first served
                self._fill()
                while self._tokens < 1:
                    pause = (1 - self._tokens) / self._rate
                    self._waited += pause
                    await self._sleep(pause)
                    self._fill()
                self._tokens -= 1
        now = self._now()
        self._recent.append((now, calls))
        self._forget(now)
        self._requests += 1
        self._calls += calls
        self._largest = max(self._largest, calls)

    def spending(self) -> Spending:
        self._forget(self._now())
        return Spending(
            requests=self._requests,
            calls=self._calls,
            requests_last_minute=len(self._recent),
            calls_last_minute=sum(calls for _, calls in self._recent),
            largest_batch=self._largest,
            a_minute=self.a_minute,
            waited_seconds=round(self._waited, 3),
        )

    def _fill(self) -> None:
        now = self._now()
        self._tokens = min(float(self._size), self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now

    def _forget(self, now: float) -> None:
        while self._recent and self._recent[0][0] <= now - MINUTE:
            self._recent.popleft()
