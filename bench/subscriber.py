"""The barest reader of a chain: it subscribes to new heads and notes when each came. A process of its own."""

import argparse
import sys
import time

import msgspec
from websockets.sync.client import connect


class _Head(msgspec.Struct):
    number: str


class _Params(msgspec.Struct):
    result: _Head


class _Notice(msgspec.Struct):
    params: _Params | None = None


def listen(url: str) -> None:
    """Write "number time" for each head; the time as time.perf_counter tells it, which is one for all processes."""
    decoder = msgspec.json.Decoder(_Notice)
    with connect(url) as socket:
        socket.send('{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}')
        for message in socket:
            now = time.perf_counter()
            params = decoder.decode(message).params
            sys.stdout.write("subscribed\n" if params is None else f"{int(params.result.number, 16)} {now}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    listen(parser.parse_args().url)
