"""Blocks are read whole or not at all: header, transactions or traces, and the receipts that are needed.

Everything a node says about a block is held against the block's hash. What does not fit raises BlockGone, and the
block counts as unread.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from indexer import deposits
from indexer.deposits import Movements, Watched
from indexer.model import BlockRef
from indexer.rpc import BlockGone, Call, Node
from indexer.wire import Block, Header, Receipt, Trace, block_number, quantity

T = TypeVar("T")
_ATTEMPTS = 3  # at what a node left out of an answer


@dataclass(frozen=True, slots=True)
class ReadBlock:
    """A block that was read whole, and what it did to the addresses that were watched."""

    ref: BlockRef
    parent: str
    mined_at: datetime
    movements: Movements


async def read_blocks(node: Node, numbers: Sequence[int], watched: Watched) -> list[ReadBlock]:
    """The canonical blocks with those numbers, ascending. Raises NodeFailed, CallRefused, BlockGone.

    That each is the parent of the next is for the caller to check: the node may have changed its mind in between.
    """
    if node.abilities.traces:
        return await _by_traces(node, numbers, watched)
    blocks = await _ask(node, "eth_getBlockByNumber", [(block_number(n), True) for n in numbers], Block)
    read = await _by_transactions(node, blocks, watched)
    return _in_order({block.ref.number: block for block in read}, numbers)


async def _by_traces(node: Node, numbers: Sequence[int], watched: Watched) -> list[ReadBlock]:
    headers = await _ask(node, "eth_getBlockByNumber", [(block_number(n), False) for n in numbers], Header)
    traces = await _traces(node, headers)
    untraced = [header.height for header in headers if header.hash not in traces]
    blocks = await _ask(node, "eth_getBlockByNumber", [(block_number(n), True) for n in untraced], Block)
    read = {block.ref.number: block for block in await _by_transactions(node, blocks, watched)}
    receipts = await _receipts(node, [tx for found in traces.values() for tx in deposits.senders(found, watched)])
    for header in headers:
        if header.hash in traces:
            ref = BlockRef(header.height, header.hash)
            _same_block(ref, receipts, header.transactions)
            found = deposits.by_traces(ref, header.mined_at, traces[header.hash], receipts, watched)
            read[ref.number] = ReadBlock(ref, header.parent_hash, header.mined_at, found)
    return _in_order(read, numbers)


async def _traces(node: Node, headers: Sequence[Header]) -> dict[str, list[Trace]]:
    """The traces of each block by its hash. Left out: blocks whose traces the node refuses or has not complete."""
    busy = [header for header in headers if header.transactions]  # an empty block has nothing to trace
    answers = await node.attempt([Call("trace_block", [header.number], list[Trace] | None) for header in busy])
    found: dict[str, list[Trace]] = {header.hash: [] for header in headers if not header.transactions}
    for header, traces in zip(busy, answers, strict=True):
        if isinstance(traces, list) and _covers(header, traces):
            found[header.hash] = traces
    return found


async def _by_transactions(node: Node, blocks: Sequence[Block], watched: Watched) -> list[ReadBlock]:
    wanted = [tx for block in blocks for tx in deposits.involved(block, watched)]
    receipts = await _receipts(node, wanted)
    read = []
    for block in blocks:
        header = block.header()
        ref = BlockRef(header.height, block.hash)
        if any(tx.block_hash != block.hash for tx in block.transactions):
            raise BlockGone(f"block {ref.number} holds transactions of another block")
        _same_block(ref, receipts, header.transactions)
        found = deposits.by_transactions(block, receipts, watched)
        read.append(ReadBlock(ref, block.parent_hash, header.mined_at, found))
    return read


def _in_order(read: Mapping[int, ReadBlock], numbers: Sequence[int]) -> list[ReadBlock]:
    if missing := [number for number in numbers if number not in read]:
        raise BlockGone(f"the node gave another block for {missing[0]}")
    return [read[number] for number in numbers]


async def _receipts(node: Node, tx_hashes: Sequence[str]) -> dict[str, Receipt]:
    unique = list(dict.fromkeys(tx_hashes))
    receipts = await _ask(node, "eth_getTransactionReceipt", [(tx,) for tx in unique], Receipt)
    return {receipt.transaction_hash: receipt for receipt in receipts}


def _covers(header: Header, traces: Sequence[Trace]) -> bool:
    """Whether the traces leave no transaction of the block out. Those of another block mean that it has changed."""
    if any(trace.block_hash != header.hash for trace in traces):
        raise BlockGone(f"block {header.height} changed while it was read")
    return set(header.transactions) <= {trace.transaction_hash for trace in traces}


def _same_block(block: BlockRef, receipts: Mapping[str, Receipt], transactions: Iterable[str]) -> None:
    for tx in transactions:
        receipt = receipts.get(tx)
        if receipt is not None and receipt.block_hash != block.hash:
            raise BlockGone(f"the receipt of {tx} is of another block than {block.number}")


async def _ask(node: Node, method: str, params: Sequence[Sequence[object]], answer: type[T]) -> list[T]:
    """Answers to all of them; those that come back null are asked again. Raises BlockGone where one stays null."""
    found: dict[int, T] = {}
    for _ in range(_ATTEMPTS):
        open_ = [index for index in range(len(params)) if index not in found]
        if not open_:
            break
        answers = await node.batch([Call(method, params[index], answer | None) for index in open_])
        found |= {index: result for index, result in zip(open_, answers, strict=True) if result is not None}
    if len(found) < len(params):
        raise BlockGone(f"{method} left {len(params) - len(found)} of {len(params)} unanswered")
    return [found[index] for index in range(len(params))]


async def headers_at(node: Node, numbers: Sequence[int]) -> list[Header | None]:
    """The headers with those numbers; None where the node has none. Raises NodeFailed, CallRefused."""
    questions = [Call("eth_getBlockByNumber", [block_number(n), False], Header | None) for n in numbers]
    answers: list[Header | None] = await node.batch(questions)
    for number, header in zip(numbers, answers, strict=True):
        if header is not None and header.height != number:
            raise BlockGone(f"asked for block {number}, the node gave {quantity(header.number)}")
    return answers
