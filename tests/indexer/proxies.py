"""What stands between an indexer and its node when things go wrong: a wire that breaks, a node that can do less."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

import aiohttp
from aiohttp import web


class Wire:
    """A TCP proxy that can be cut (connections reset), muted (open and silent) or closed (refuses new connections)."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._muted = False
        self._ends: set[asyncio.StreamWriter] = set()
        self.connections = 0
        self.port = 0

    @classmethod
    @asynccontextmanager
    async def to(cls, port: int) -> AsyncIterator[Self]:
        wire = cls(port)
        server = await asyncio.start_server(wire._serve, "127.0.0.1", 0)
        wire.port = server.sockets[0].getsockname()[1]
        try:
            yield wire
        finally:
            server.close()
            wire.cut()

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Reset every connection; new ones are taken."""
        for end in list(self._ends):
            end.transport.abort()

    def mute(self) -> None:
        """From now on nothing passes, on old connections and on new ones, and none is closed."""
        self._muted = True

    def unmute(self) -> None:
        self._muted = False
        self.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._ends |= {writer, back}
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pass_on(reader, back))
            group.create_task(self._pass_on(there, writer))
        self._ends -= {writer, back}

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(1 << 16):
                if not self._muted:
                    sink.write(data)
                    await sink.drain()
        except OSError:
            pass
        finally:
            sink.transport.abort()


Answer = dict[str, Any]


class LesserNode:
    """An HTTP JSON-RPC node that does less than the one behind it, or tells falsehoods, call by call."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http: aiohttp.ClientSession | None = None
        self.refused: set[str] = set()  # methods that do not exist here
        self.refuses_overrides = False
        self.refuses_hashes = False  # blocks named by hash (EIP-1898)
        self.refuses_creation = False  # eth_call of contract-creation code
        self.gas_cap: int | None = None  # of eth_call: more is lowered to it without a word, as geth does
        self.gas_limit: int | None = None  # of eth_call: more is refused, as Hardhat does
        self.largest_body: int | None = None  # bytes; HTTP 413 above
        self.largest_batch = 1_000_000
        self.refuses_as_geth = False  # a batch: by one element with the first call's id
        self.down = False
        self.tamper: Callable[[str, Answer], Answer | None] | None = None  # (method, answer) → another; None: left out
        self.requests = 0
        self.calls: list[str] = []
        self.batches: list[int] = []  # how many calls each request held
        self.http_url = ""

    @classmethod
    @asynccontextmanager
    async def before(cls, url: str) -> AsyncIterator[Self]:
        lesser = cls(url)
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/", lesser._serve)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        lesser.http_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            async with aiohttp.ClientSession() as lesser._http:
                yield lesser
        finally:
            await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        self.requests += 1
        if self.down:
            return web.Response(status=502, text="bad gateway")
        if self.largest_body is not None and len(await request.read()) > self.largest_body:
            return web.Response(status=413, text="too large")
        body = await request.json()
        if isinstance(body, dict):
            self.batches.append(1)
            [answer] = await self._answers([body]) or [{}]
            return web.json_response(answer)
        self.batches.append(len(body))
        if len(body) > self.largest_batch:
            error = {"code": -32600, "message": f"batch of more than {self.largest_batch}"}
            refusal = {"jsonrpc": "2.0", "id": body[0]["id"] if self.refuses_as_geth else None, "error": error}
            return web.json_response([refusal] if self.refuses_as_geth else refusal)
        return web.json_response(await self._answers(body))

    async def _answers(self, questions: list[dict[str, Any]]) -> list[Answer]:
        passed = [question for question in questions if not self._refuses(question)]
        answers = [
            {"jsonrpc": "2.0", "id": question["id"], "error": {"code": -32601, "message": "Method not found"}}
            for question in questions
            if question not in passed
        ]
        methods = {question["id"]: question["method"] for question in questions}
        self.calls += methods.values()
        for question in passed:
            self._cap(question)
        if passed:
            assert self._http is not None
            async with self._http.post(self._url, json=passed) as response:
                answers += json.loads(await response.read())
        if self.tamper is None:
            return answers
        tampered = [self.tamper(methods[answer["id"]], answer) for answer in answers]
        return [answer for answer in tampered if answer is not None]

    def _cap(self, question: dict[str, Any]) -> None:
        if question["method"] == "eth_call" and self.gas_cap is not None:
            call = question["params"][0]
            call["gas"] = hex(min(self.gas_cap, int(call.get("gas", hex(self.gas_cap)), 16)))

    def _refuses(self, question: dict[str, Any]) -> bool:
        params = question["params"]
        is_call = question["method"] == "eth_call"
        return (
            question["method"] in self.refused
            or (self.refuses_creation and is_call and "to" not in params[0])
            or (self.gas_limit is not None and is_call and int(params[0].get("gas", "0x0"), 16) > self.gas_limit)
            or (self.refuses_overrides and is_call and len(params) > 2)
            or (self.refuses_hashes and any(isinstance(param, dict) and "blockHash" in param for param in params))
        )


class Balancer:
    """One HTTP address before several nodes: each request goes to whichever ``choose`` says, by its place."""

    def __init__(self, urls: Sequence[str], choose: Callable[[], int]) -> None:
        self._urls = urls
        self._http: aiohttp.ClientSession | None = None
        self.choose = choose
        self.http_url = ""

    @classmethod
    @asynccontextmanager
    async def before(cls, urls: Sequence[str], choose: Callable[[], int]) -> AsyncIterator[Self]:
        balancer = cls(urls, choose)
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/", balancer._serve)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        balancer.http_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            async with aiohttp.ClientSession() as balancer._http:
                yield balancer
        finally:
            await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        assert self._http is not None
        headers = {"Content-Type": "application/json"}
        async with self._http.post(self._urls[self.choose()], data=await request.read(), headers=headers) as response:
            return web.Response(body=await response.read(), content_type="application/json")


def unreliable(chance: random.Random, rate: float) -> Callable[[str, Answer], Answer | None]:
    """Of all answers, that share goes wrong: an error, null, left out of the batch, or about another block."""

    def tamper(_method: str, answer: Answer) -> Answer | None:
        if chance.random() >= rate:
            return answer
        match chance.randrange(4):
            case 0:
                return {"jsonrpc": "2.0", "id": answer["id"], "error": {"code": -32000, "message": "try again"}}
            case 1:
                return answer | {"result": None}
            case 2:
                return None
        text = json.dumps(answer)
        wrong = "0x" + "ab" * 32
        for name in ("blockHash", "hash"):
            if found := answer.get("result"):
                first = found[0] if isinstance(found, list) and found else found
                if isinstance(first, dict) and name in first:
                    altered: Answer = json.loads(text.replace(str(first[name]), wrong))
                    return altered
        return answer

    return tamper
