"""What may be lost: pages of a search, rate limits, wake-ups. One small port, and its form in process.

Nothing that must be right depends on it. ``runtime.redis`` has the form that several processes share.
"""

import asyncio
import time
from collections import defaultdict
from typing import Protocol


class Cache(Protocol):
    """Keys are text, values bytes, times seconds."""

    async def get(self, key: str) -> bytes | None: ...

    async def set(self, key: str, value: bytes, *, ttl: float) -> None: ...

    async def incr(self, key: str, *, ttl: float) -> int:
        """Count up; the count since the first time within ``ttl``. For rate limits of a fixed window."""
        ...

    async def publish(self, channel: str) -> None:
        """Wake who waits on the channel, in any process."""
        ...

    async def wait(self, channel: str, *, seconds: float) -> bool:
        """Wait for a wake-up that comes from now on. False when the time is over: then look anyway."""
        ...

    async def clear(self) -> None:
        """Forget everything."""
        ...


class MemoryCache:
    """The twin in process. Holds at most ``capacity`` keys; those that end soonest go first."""

    def __init__(self, *, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._values: dict[str, tuple[bytes, float]] = {}
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)

    async def get(self, key: str) -> bytes | None:
        value, ends_at = self._values.get(key, (None, 0.0))
        return value if ends_at > time.monotonic() else None

    async def set(self, key: str, value: bytes, *, ttl: float) -> None:
        if len(self._values) >= self._capacity and key not in self._values:
            self._make_room()
        self._values[key] = (value, time.monotonic() + ttl)

    async def incr(self, key: str, *, ttl: float) -> int:
        value, ends_at = self._values.get(key, (b"0", 0.0))
        if ends_at <= time.monotonic():
            await self.set(key, b"1", ttl=ttl)
            return 1
        count = int(value) + 1
        self._values[key] = (str(count).encode(), ends_at)
        return count

    async def publish(self, channel: str) -> None:
        for event in self._waiting.get(channel, ()):
            event.set()

    async def wait(self, channel: str, *, seconds: float) -> bool:
        event = asyncio.Event()
        self._waiting[channel].add(event)
        try:
            async with asyncio.timeout(seconds):
                return await event.wait()
        except TimeoutError:
            return False
        finally:
            self._waiting[channel].discard(event)
            if not self._waiting[channel]:
                del self._waiting[channel]

    async def clear(self) -> None:
        self._values.clear()

    def _make_room(self) -> None:
        now = time.monotonic()
        self._values = {key: value for key, value in self._values.items() if value[1] > now}
        if len(self._values) >= self._capacity:
            soonest = sorted(self._values, key=lambda key: self._values[key][1])
            for key in soonest[: self._capacity // 10 + 1]:
                del self._values[key]
