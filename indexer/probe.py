"""What a node can do is found out by asking it, before it is used."""

from typing import Any

import msgspec

from indexer.abilities import Abilities, Sweep
from indexer.model import BlockRef
from indexer.rpc import Call, CallRefused, Node
from indexer.sweep import HOST, NO_BALANCE, decode, sweep_call
from indexer.sweep_code import BALANCE
from indexer.wire import Header, Trace, at_hash, block_number, quantity

_MISSING = {-32601, -32600, -32004}  # method not found; invalid request; method not supported (EIP-1474)
_MISSING_WORDS = ("not available", "not supported", "unsupported", "does not exist", "not allowed", "disabled")
_NO_BLOCK = "0x" + "00" * 31 + "01"
_GAS_LEFT = "0x5a60005260206000f3"  # return GAS: as creation code and as a contract's
# What eth_call is asked to spend, from what a local node allows down to caps that are in use.
_GAS_LADDER = (1_000_000_000, 300_000_000, 100_000_000, 50_000_000, 30_000_000, 16_777_216, 10_000_000, 3_000_000)
_DEPTHS = (100_000_000, 1_000_000, 100_000, 10_000, 1_000, 512, 256, 128, 64, 16)  # blocks; the first: the genesis


async def probe(node: Node) -> Abilities:
    """Ask at the newest block. Raises NodeFailed, and CallRefused where even a block is refused."""
    head = await node.call("eth_getBlockByNumber", ["latest", False], Header)
    block = BlockRef(head.height, head.hash)
    by_hash, by_number, traces, debug = await node.attempt(
        [
            Call("eth_getBalance", [HOST, at_hash(block.hash)], str),
            Call("eth_getBalance", [HOST, head.number], str),
            Call("trace_block", [head.number], msgspec.Raw),
            Call("debug_traceBlockByHash", [_NO_BLOCK, {"tracer": "callTracer"}], msgspec.Raw),
        ],
        once=True,
    )
    names_blocks = isinstance(by_hash, str)
    place = at_hash(block.hash) if names_blocks else head.number
    held = next((quantity(answer) for answer in (by_hash, by_number) if isinstance(answer, str)), None)
    sweep = await _best_sweep(node, place, held)
    return Abilities(
        by_hash=names_blocks,
        sweep=sweep,
        gas=0 if sweep is Sweep.BATCHES else await _gas(node, place, sweep),
        traces=not isinstance(traces, CallRefused) and _covers(traces, head),
        debug_traces=not _is_missing(debug),
        history=await _history(node, head.height),
    )


async def _best_sweep(node: Node, place: Any, held: int | None) -> Sweep:
    """The first way that finds what the throw-away address holds."""
    ways = (Sweep.OVERRIDE, Sweep.CREATION)
    question = {HOST: NO_BALANCE}
    calls = [sweep_call(way, place, question, BALANCE, 1_000_000, None) for way in ways]
    answers = await node.attempt(calls, once=True)
    for way, answer in zip(ways, answers, strict=True):
        if isinstance(answer, str) and held is not None and _swept(answer) == held:
            return way
    return Sweep.BATCHES


async def _gas(node: Node, place: Any, sweep: Sweep) -> int:
    """The most gas that eth_call spends: nodes refuse more, or give less than was asked for without a word."""
    calls = []
    for gas in _GAS_LADDER:
        if sweep is Sweep.OVERRIDE:
            params = [{"to": HOST, "gas": hex(gas)}, place, {HOST: {"code": _GAS_LEFT}}]
        else:
            params = [{"data": _GAS_LEFT, "gas": hex(gas)}, place]
        calls.append(Call("eth_call", params, str))
    answers = await node.attempt(calls, once=True)
    left = [int(answer, 16) for answer in answers if isinstance(answer, str) and len(answer) == 66]
    return max(left, default=0)


async def _history(node: Node, head: int) -> int | None:
    """How many blocks below the head its balances are still known, at least; None: down to the first block."""
    depths = list(dict.fromkeys(min(depth, head) for depth in _DEPTHS))
    calls = [Call("eth_getBalance", [HOST, block_number(head - depth)], str) for depth in depths]
    answers = await node.attempt(calls, once=True)
    known = max((depth for depth, answer in zip(depths, answers, strict=True) if isinstance(answer, str)), default=0)
    return None if known == head else known


def _swept(output: str) -> int | None:
    """The balance the sweep found at its own place; None where its answer makes no sense."""
    try:
        return decode(output, [HOST]).get(HOST)
    except ValueError:
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
