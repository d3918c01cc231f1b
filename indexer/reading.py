"""Blocks are read whole or not at all: header, transactions or traces, and the receipts that are needed.

Everything a node says about a block is held against the block's hash. What does not fit raises BlockGone, and the
block counts as unread.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from indexer import deposits
from indexer.deposits import Movements, Watched
from indexer.model import BlockRef, ChainUnavailable
from indexer.rpc import BlockGone, Call, CallRefused, Node, first_of
from indexer.token import TokenBlock, read_token_blocks
from indexer.wire import Block, Header, Receipt, Trace, block_number, quantity

T = TypeVar("T")
_HEADER: Any = Header | None
_TRACES: Any = list[Trace] | None
_AHEAD = 3  # parts that are read at the same time
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
    if node.token is not None:
        return [_of_token(block) for block in await read_token_blocks(node, numbers, watched)]
    if node.abilities.traces:
        return await _by_traces(node, numbers, watched)
    blocks = await _ask(node, "eth_getBlockByNumber", [(block_number(n), True) for n in numbers], Block)
    read = await _by_transactions(node, blocks, watched)
    return _in_order({block.ref.number: block for block in read}, numbers)


def _of_token(block: TokenBlock) -> ReadBlock:
    header = block.header
    return ReadBlock(BlockRef(header.height, header.hash), header.parent_hash, header.mined_at, block.movements)


async def read_ahead(
    node: Node, parts: Sequence[Sequence[int]], watched: Watched, store: Callable[[list[ReadBlock]], Awaitable[None]]
) -> None:
    """Read part after part and ``store`` each in turn, while the next ones are being read.

    Raises as ``read_blocks``, but only once all parts before the failed one are stored; and what ``store`` raises.
    """
    waiting = deque(parts)
    reading: deque[asyncio.Task[list[ReadBlock] | ChainUnavailable]] = deque()
    try:
        async with asyncio.TaskGroup() as group:
            while waiting or reading:
                while waiting and len(reading) < _AHEAD:
                    reading.append(group.create_task(_outcome(node, waiting.popleft(), watched)))
                read = await reading.popleft()
                if isinstance(read, ChainUnavailable):
                    raise read
                await store(read)
    except BaseExceptionGroup as failures:
        raise first_of(failures) from None


async def _outcome(node: Node, numbers: Sequence[int], watched: Watched) -> list[ReadBlock] | ChainUnavailable:
    try:
        return await read_blocks(node, numbers, watched)
    except ChainUnavailable as failure:
        return failure


async def _by_traces(node: Node, numbers: Sequence[int], watched: Watched) -> list[ReadBlock]:
    headers, traces = await _headers_and_traces(node, numbers)
    untraced = [header.height for header in headers if header.hash not in traces]
    blocks = await _ask(node, "eth_getBlockByNumber", [(block_number(n), True) for n in untraced], Block)
    read = {block.ref.number: block for block in await _by_transactions(node, blocks, watched)}
    receipts = await _receipts(node, [tx for found in traces.values() for tx in deposits.senders(found, watched)])
    for header in headers:
        if header.hash in traces:
            ref = BlockRef(header.height, header.hash)
            if receipts:
                _same_block(ref, receipts, header.transactions)
            found = deposits.by_traces(ref, header.mined_at, traces[header.hash], receipts, watched)
            read[ref.number] = ReadBlock(ref, header.parent_hash, header.mined_at, found)
    return _in_order(read, numbers)


async def _headers_and_traces(node: Node, numbers: Sequence[int]) -> tuple[list[Header], dict[str, list[Trace]]]:
    """The traces are by block hash. Left out: blocks whose traces the node refuses or has not complete.

    Both are asked for at the same time: a single block in one request, many in as many as they take.
    """
    if len(numbers) == 1:
        place = block_number(numbers[0])
        calls = [Call("eth_getBlockByNumber", [place, False], _HEADER), _trace_call(place)]
        header, traces = await node.attempt(calls)
        headers = [header] if isinstance(header, Header) else await _headers(node, numbers)
        return headers, await _completed(node, headers, [traces])
    try:
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(_headers(node, numbers))
            tracing = group.create_task(node.attempt([_trace_call(block_number(n)) for n in numbers]))
    except BaseExceptionGroup as failures:
        raise first_of(failures) from None
    return asking.result(), await _completed(node, asking.result(), tracing.result())


async def _headers(node: Node, numbers: Sequence[int]) -> list[Header]:
    return await _ask(node, "eth_getBlockByNumber", [(block_number(n), False) for n in numbers], Header)


def _trace_call(place: str) -> Call:
    return Call("trace_block", [place], _TRACES)


async def _completed(
    node: Node, headers: Sequence[Header], answers: Sequence[list[Trace] | CallRefused | None]
) -> dict[str, list[Trace]]:
    """As ``_complete``; traces that are missing, not refused, are asked for again: nodes behind one address differ."""
    found = _complete(headers, answers)
    for _ in range(_ATTEMPTS - 1):
        headers = [
            header
            for header, answer in zip(headers, answers, strict=True)
            if header.hash not in found and not isinstance(answer, CallRefused)
        ]
        if not headers:
            break
        answers = await node.attempt([_trace_call(header.number) for header in headers])
        found |= _complete(headers, answers)
    return found


def _complete(headers: Sequence[Header], answers: Sequence[list[Trace] | CallRefused | None]) -> dict[str, list[Trace]]:
    """The traces of each block by its hash, where they are of that block and leave nothing out."""
    found: dict[str, list[Trace]] = {}
    for header, traces in zip(headers, answers, strict=True):
        if not header.transactions:  # nothing to trace, whatever the node says of such blocks
            found[header.hash] = []
        elif isinstance(traces, list) and _covers(header, traces):
            found[header.hash] = traces
    return found


async def _by_transactions(node: Node, blocks: Sequence[Block], watched: Watched) -> list[ReadBlock]:
    involved = [deposits.involved(block, watched) for block in blocks]
    receipts = await _receipts(node, [tx.hash for transactions in involved for tx in transactions])
    read = []
    for block, transactions in zip(blocks, involved, strict=True):
        ref = BlockRef(quantity(block.number), block.hash)
        for tx in block.transactions:
            if tx.block_hash != block.hash:
                raise BlockGone(f"block {ref.number} holds transactions of another block")
        _same_block(ref, receipts, [tx.hash for tx in transactions])
        found = deposits.by_transactions(ref, block.mined_at, transactions, receipts, watched)
        read.append(ReadBlock(ref, block.parent_hash, block.mined_at, found))
    return read


def _in_order(read: Mapping[int, ReadBlock], numbers: Sequence[int]) -> list[ReadBlock]:
    if missing := [number for number in numbers if number not in read]:
        raise BlockGone(f"the node gave another block for {missing[0]}")
    return [read[number] for number in numbers]


async def _receipts(node: Node, tx_hashes: Sequence[str]) -> dict[str, Receipt]:
    unique = list(dict.fromkeys(tx_hashes))
    receipts = await _ask(node, "eth_getTransactionReceipt", [(tx,) for tx in unique], Receipt)
    for tx, receipt in zip(unique, receipts, strict=True):
        if receipt.transaction_hash != tx:
            raise BlockGone(f"asked for the receipt of {tx}, the node gave that of {receipt.transaction_hash}")
    return dict(zip(unique, receipts, strict=True))


def _covers(header: Header, traces: Sequence[Trace]) -> bool:
    """Whether the traces leave no transaction of the block out. Those of another block mean that it has changed."""
    for trace in traces:
        if trace.block_hash != header.hash:
            raise BlockGone(f"block {header.height} changed while it was read")
    outermost = [trace.transaction_hash for trace in traces if not trace.trace_address]
    return outermost == header.transactions or set(header.transactions) <= {trace.transaction_hash for trace in traces}


def _same_block(block: BlockRef, receipts: Mapping[str, Receipt], transactions: Iterable[str]) -> None:
    for tx in transactions:
        receipt = receipts.get(tx)
        if receipt is not None and receipt.block_hash != block.hash:
            raise BlockGone(f"the receipt of {tx} is of another block than {block.number}")


async def _ask(node: Node, method: str, params: Sequence[Sequence[object]], answer: type[T]) -> list[T]:
    """Answers to all of them; those that come back null are asked again. Raises BlockGone where one stays null."""
    found: dict[int, T] = {}
    or_null: Any = answer | None  # the same object for all: they are decoded together
    for _ in range(_ATTEMPTS):
        open_ = [index for index in range(len(params)) if index not in found]
        if not open_:
            break
        answers = await node.batch([Call(method, params[index], or_null) for index in open_])
        found |= {index: result for index, result in zip(open_, answers, strict=True) if result is not None}
    if len(found) < len(params):
        raise BlockGone(f"{method} left {len(params) - len(found)} of {len(params)} unanswered")
    return [found[index] for index in range(len(params))]


async def headers_at(node: Node, numbers: Sequence[int]) -> list[Header | None]:
    """The headers with those numbers; None where the node has none. Raises NodeFailed, CallRefused."""
    questions = [Call("eth_getBlockByNumber", [block_number(n), False], _HEADER) for n in numbers]
    answers: list[Header | None] = await node.batch(questions)
    for number, header in zip(numbers, answers, strict=True):
        if header is not None and header.height != number:
            raise BlockGone(f"asked for block {number}, the node gave {quantity(header.number)}")
    return answers
