"""The cache in Redis. With Redis down everything goes on in process, and comes back by itself.

Imported only where it is configured: its library takes 5 MB.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import redis.asyncio as redis
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from runtime.cache import MemoryCache

log = structlog.get_logger()

Result = TypeVar("Result")


class RedisCache:
    """The cache in Redis, and a service that listens for wake-ups. Falls back to a twin in process.

    ``retry_seconds``: how long Redis is left alone after a failure, so that an outage does not slow every call.
    """

    name = "redis"

    def __init__(self, url: str, *, prefix: str = "layover:", retry_seconds: float = 1.0) -> None:
        self._client = redis.from_url(
            url, socket_timeout=1.0, socket_connect_timeout=1.0, retry=Retry(NoBackoff(), 0), health_check_interval=0
        )
        self._prefix = prefix
        self._retry_seconds = retry_seconds
        self._twin = MemoryCache()
        self._is_down = False
        self._left_alone_until = 0.0
        self._is_listening = False

    async def get(self, key: str) -> bytes | None:
        async def in_redis() -> bytes | None:
            value = await self._client.get(self._prefix + key)
            return value.encode() if isinstance(value, str) else value

        return await self._try(in_redis, lambda: self._twin.get(key))

    async def set(self, key: str, value: bytes, *, ttl: float) -> None:
        async def in_redis() -> None:
            await self._client.set(self._prefix + key, value, px=max(1, round(ttl * 1000)))

        await self._try(in_redis, lambda: self._twin.set(key, value, ttl=ttl))

    async def incr(self, key: str, *, ttl: float) -> int:
        async def in_redis() -> int:
            async with self._client.pipeline(transaction=True) as pipeline:
                pipeline.set(self._prefix + key, 0, px=max(1, round(ttl * 1000)), nx=True)
                pipeline.incr(self._prefix + key)
                results = await pipeline.execute()
            return int(results[1])

        return await self._try(in_redis, lambda: self._twin.incr(key, ttl=ttl))

    async def publish(self, channel: str) -> None:
        async def in_redis() -> None:
            await self._client.publish(f"{self._prefix}wake:{channel}", b"")
            if not self._is_listening:
                await self._twin.publish(channel)

        await self._try(in_redis, lambda: self._twin.publish(channel))

    async def wait(self, channel: str, *, seconds: float) -> bool:
        return await self._twin.wait(channel, seconds=seconds)

    async def clear(self) -> None:
        await self._twin.clear()

        async def in_redis() -> None:
            keys = [key async for key in self._client.scan_iter(match=self._prefix + "*", count=1000)]
            for start in range(0, len(keys), 1000):
                await self._client.unlink(*keys[start : start + 1000])

        await self._try(in_redis, self._twin.clear)

    async def run(self) -> None:
        """Pass wake-ups from other processes on to who waits in this one."""
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                self._note_down(error)
            await asyncio.sleep(self._retry_seconds)

    async def close(self) -> None:
        await self._client.aclose()

    async def _listen(self) -> None:
        start = f"{self._prefix}wake:"
        async with self._client.pubsub() as pubsub:
            await pubsub.psubscribe(start + "*")
            self._is_listening = True
            self._note_up()
            try:
                while True:
                    message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=30.0)
                    if message is None:
                        await pubsub.ping()  # silence may be a dead connection
                    elif message["type"] == "pmessage":
                        await self._twin.publish(message["channel"].decode().removeprefix(start))
            finally:
                self._is_listening = False

    async def _try(self, in_redis: Callable[[], Awaitable[Result]], in_twin: Callable[[], Awaitable[Result]]) -> Result:
        if _now() < self._left_alone_until:
            return await in_twin()
        try:
            result = await in_redis()
        except (RedisError, OSError) as error:
            self._note_down(error)
            return await in_twin()
        self._note_up()
        return result

    def _note_down(self, error: Exception) -> None:
        self._left_alone_until = _now() + self._retry_seconds
        if not self._is_down:
            self._is_down = True
            log.warning("redis_lost", error=f"{type(error).__name__}: {error}")

    def _note_up(self) -> None:
        if self._is_down:
            self._is_down = False
            log.info("redis_back")


def _now() -> float:
    return asyncio.get_running_loop().time()
