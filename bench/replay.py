"""A node's answers, recorded once and played back by a process of its own: what is measured is the reader alone.

It stands for a plain node: full blocks and receipts, no traces. It knows no balances: how fast a chain is read and
stored can be measured with it, not how it is checked.
"""

import argparse
import asyncio
import pickle
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from bench.processes import spoken
from sandbox.child_process import ChildProcess

_AT_ONCE = 100
_CONFIRMING = 16  # blocks below the head whose headers may be asked for again


class _Question(msgspec.Struct):
    id: int
    method: str
    params: list[Any] = []


class _Answer(msgspec.Struct):
    id: int
    result: msgspec.Raw


@dataclass(frozen=True, slots=True)
class Recording:
    """Answers as a node gave them, byte by byte."""

    chain_id: bytes
    head: int
    blocks: Mapping[int, bytes]  # with their transactions
    headers: Mapping[int, bytes]  # of the blocks that are asked for without: genesis and the newest
    receipts: Mapping[str, bytes]


async def record(url: str, numbers: Sequence[int], transactions: Sequence[str]) -> Recording:
    """From a node: the blocks, and the receipts of those transactions."""
    async with aiohttp.ClientSession() as http:

        async def ask(method: str, params: Sequence[Sequence[Any]]) -> list[bytes]:
            found: list[bytes] = []
            for start in range(0, len(params), _AT_ONCE):
                body = [
                    {"jsonrpc": "2.0", "id": place, "method": method, "params": one}
                    for place, one in enumerate(params[start : start + _AT_ONCE])
                ]
                async with http.post(url, json=body) as response:
                    answers = msgspec.json.decode(await response.read(), type=list[_Answer])
                found += [bytes(answer.result) for answer in sorted(answers, key=lambda answer: answer.id)]
            return found

        [chain_id] = await ask("eth_chainId", [[]])
        full = await ask("eth_getBlockByNumber", [[hex(number), True] for number in numbers])
        ends = [0, *numbers[-_CONFIRMING:]]
        headers = await ask("eth_getBlockByNumber", [[hex(number), False] for number in ends])
        receipts = await ask("eth_getTransactionReceipt", [[one] for one in transactions])
    return Recording(
        chain_id=chain_id,
        head=numbers[-1],
        blocks=dict(zip(numbers, full, strict=True)),
        headers=dict(zip(ends, headers, strict=True)),
        receipts=dict(zip(transactions, receipts, strict=True)),
    )


@asynccontextmanager
async def playing(recording: Recording, folder: Path) -> AsyncIterator[str]:
    """The URL of a process that plays it back."""
    file, said = folder / "recording", folder / "replay.log"
    file.write_bytes(pickle.dumps(recording))
    with said.open("wb") as output:
        process = await ChildProcess.spawn(sys.executable, "-m", "bench.replay", str(file), output=output)
    try:
        yield await spoken(said)
    finally:
        await process.stop(patience=1)


class _Player(asyncio.Protocol):
    """HTTP/1.1 as far as one client needs it: POST requests with a length, answered in turn."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._received = b""
        self._decoder = msgspec.json.Decoder(list[_Question] | _Question)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=64 << 20)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            if len(self._received) < end + 4 + length:
                return
            body = self._received[end + 4 : end + 4 + length]
            self._received = self._received[end + 4 + length :]
            answer = self._answer(body)
            self._transport.writelines(
                [
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer),
                    answer,
                ]
            )

    def _answer(self, body: bytes) -> bytes:
        asked = self._decoder.decode(body)
        if isinstance(asked, _Question):
            return self._one(asked)
        return b"[" + b",".join([self._one(question) for question in asked]) + b"]"

    def _one(self, question: _Question) -> bytes:
        result = self._result(question.method, question.params)
        if result is None:
            return b'{"jsonrpc":"2.0","id":%d,"error":{"code":-32601,"message":"not supported"}}' % question.id
        return b'{"jsonrpc":"2.0","id":%d,"result":%s}' % (question.id, result)

    def _result(self, method: str, params: Sequence[Any]) -> bytes | None:
        if method == "eth_getBlockByNumber":
            number = self._recording.head if params[0] == "latest" else int(params[0], 16)
            return (self._recording.blocks if params[1] else self._recording.headers).get(number, b"null")
        if method == "eth_getTransactionReceipt":
            return self._recording.receipts.get(params[0], b"null")
        return self._recording.chain_id if method == "eth_chainId" else None


async def _serve(recording: Recording) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Player(recording), "127.0.0.1", 0)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("recording", type=Path)
    asyncio.run(_serve(pickle.loads(parser.parse_args().recording.read_bytes())))
