"""A real Chromium, driven by its DevTools protocol."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

_LISTENING = re.compile(rb"ws://127\.0\.0\.1:(\d+)/")
_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0")


class Page:
    """``errors``: exceptions and failed requests of the page."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = count(1)
        self.errors: list[str] = []

    async def command(self, method: str, **parameters: object) -> Any:
        number = next(self._ids)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async for frame in self._socket:
            told = json.loads(frame.data)
            entry = told.get("params", {}).get("entry", {})
            if told.get("method") == "Runtime.exceptionThrown" or entry.get("level") == "error":
                self.errors.append(frame.data)
            if told.get("id") == number:
                return told["result"]
        raise ConnectionError("the browser is gone")

    async def open(self, url: str) -> None:
        for domain in ("Runtime", "Log", "Page"):
            await self.command(f"{domain}.enable")
        await self.command("Page.navigate", url=url)

    async def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        told = await self.command("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        return told["result"].get("value")

    async def until(self, condition: str) -> None:
        """Waits until the expression is true."""
        wait = (
            f"new Promise(done => {{ const look = () => ({condition}) ? done(true) : setTimeout(look, 20); look() }})"
        )
        async with asyncio.timeout(10):
            await self.run(wait)


@asynccontextmanager
async def browser(profile: Path) -> AsyncIterator[Page]:
    """A page in the Chromium that the variable CHROMIUM names."""
    process = await asyncio.create_subprocess_exec(
        os.environ.get("CHROMIUM", "chromium"),
        *_FLAGS,
        f"--user-data-dir={profile}",
        "about:blank",
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        found = None
        while found is None:
            found = _LISTENING.search(await process.stderr.readline())
        port = int(found[1])
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                target = next(t for t in await answer.json() if t["type"] == "page")
            async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                yield Page(socket)
    finally:
        process.terminate()
        await process.wait()
