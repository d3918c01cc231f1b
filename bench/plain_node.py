"""A node without traces: a process that passes everything on to a node, and refuses trace_… and debug_…"""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from bench.processes import spoken
from sandbox.child_process import ChildProcess

_REFUSED = ("trace_", "debug_")


@asynccontextmanager
async def without_traces(url: str, folder: Path) -> AsyncIterator[str]:
    """The URL under which the node has no traces."""
    said = folder / "plain-node.log"
    with said.open("wb") as output:
        process = await ChildProcess.spawn(sys.executable, "-m", "bench.plain_node", url, output=output)
    try:
        yield await spoken(said)
    finally:
        await process.stop(patience=1)


class _Proxy:
    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url = url
        self._http = http

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not any(f'"{prefix}'.encode() in body for prefix in _REFUSED):
            return web.Response(body=await self._pass_on(body), content_type="application/json")
        asked: list[dict[str, Any]] = json.loads(body)
        passed = [question for question in asked if not question["method"].startswith(_REFUSED)]
        answers = json.loads(await self._pass_on(json.dumps(passed).encode()))
        answers += [
            {"jsonrpc": "2.0", "id": question["id"], "error": {"code": -32601, "message": "Method not found"}}
            for question in asked
            if question["method"].startswith(_REFUSED)
        ]
        return web.json_response(answers)

    async def _pass_on(self, body: bytes) -> bytes:
        async with self._http.post(self._url, data=body, headers={"Content-Type": "application/json"}) as response:
            return await response.read()


async def _serve(url: str) -> None:
    async with aiohttp.ClientSession() as http:
        app = web.Application(client_max_size=8 << 20)
        app.router.add_post("/", _Proxy(url, http).handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        sys.stdout.write(f"http://{host}:{port}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    asyncio.run(_serve(parser.parse_args().url))
