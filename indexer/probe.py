"""What a node can do is found out by asking it, before it is used."""

from typing import Any

import msgspec

from indexer.abilities import Abilities
from indexer.model import BlockRef
from indexer.rpc import Call, CallRefused, Node
from indexer.sweep import HOST, NO_BALANCE, decode, sweep_call
from indexer.wire import Header, Trace, at_hash, quantity

_MISSING = {-32601, -32600, -32004}  # method not found; invalid request; method not supported (EIP-1474)
_MISSING_WORDS = ("not available", "not supported", "unsupported", "does not exist", "not allowed", "disabled")
_NO_BLOCK = "0x" + "00" * 31 + "01"


async def probe(node: Node) -> Abilities:
    """Ask at the newest block. Raises NodeFailed, and CallRefused where even a block is refused."""
    head = await node.call("eth_getBlockByNumber", ["latest", False], Header)
    balance, swept, traces, debug = await node.attempt(
        [
            Call("eth_getBalance", [HOST, at_hash(head.hash)], str),
            sweep_call(BlockRef(head.height, head.hash), {HOST: NO_BALANCE}),
            Call("trace_block", [head.number], msgspec.Raw),
            Call("debug_traceBlockByHash", [_NO_BLOCK, {"tracer": "callTracer"}], msgspec.Raw),
        ]
    )
    by_hash = isinstance(balance, str)
    return Abilities(
        by_hash=by_hash,
        override=by_hash and isinstance(swept, str) and _swept(swept) == quantity(balance),
        traces=not isinstance(traces, CallRefused) and _covers(traces, head),
        debug_traces=not _is_missing(debug),
    )


def _swept(output: str) -> int | None:
    """The balance the sweep found at its own place; None where its answer makes no sense."""
    try:
        return decode(output, [HOST]).get(HOST)
    except (ValueError, KeyError):
        return None


def _covers(raw: msgspec.Raw, head: Header) -> bool:
    """Whether the traces are of that block and leave no transaction out."""
    try:
        traces = msgspec.json.decode(raw, type=list[Trace])
    except msgspec.DecodeError:
        return False
    of_block = all(trace.block_hash == head.hash for trace in traces)
    return of_block and set(head.transactions) <= {trace.transaction_hash for trace in traces}


def _is_missing(answer: Any) -> bool:
    if not isinstance(answer, CallRefused):
        return False
    return answer.code in _MISSING or any(word in answer.message.lower() for word in _MISSING_WORDS)
