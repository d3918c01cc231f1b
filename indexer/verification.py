"""The authority: at the confirmed block every address must hold what its deposits and spends say.

A balance above that is a deposit nothing else has shown: it is looked for block by block and explained by a trace where
the node has one. A balance below is a contradiction: nothing of that address is confirmed until it is resolved.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

import structlog

from indexer import deposits
from indexer.deposits import Credit
from indexer.model import BlockRef
from indexer.reading import headers_at
from indexer.rpc import BlockGone, Call, CallRefused, Node
from indexer.store import ChainStore
from indexer.sweep import balance_call, differences
from indexer.wire import Header, Trace, TracedTransaction, block_number

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the balances at a block say. ``short``: addresses that hold less than they should, and by how much (wei)."""

    found: tuple[Credit, ...]
    short: Mapping[str, int]


async def verify(
    node: Node,
    store: ChainStore,
    block: BlockRef,
    expected: Mapping[str, int],
    since: Callable[[str], int],
    *,
    again: bool = True,
) -> Verdict:
    """Hold the expected balances at ``block`` against the chain's.

    ``since``: a block up to which the address's balance was known to agree. ``again``: read the block's hash again
    even if it was named by it and nothing differs. Raises BlockGone where the block is not canonical any more,
    NodeFailed, CallRefused.
    """
    actual = await differences(node, block, expected)
    if not (actual or again) and node.abilities.by_hash:
        return Verdict((), {})
    header = await _still_canonical(node, block)
    found: list[Credit] = []
    short: dict[str, int] = {}
    for address, balance in actual.items():
        if balance < expected[address]:
            short[address] = expected[address] - balance
        else:
            search = Search(node, store, address, block, header)
            found += await search.run(balance, since(address))
    if found:
        await _still_canonical(node, block)
    return Verdict(tuple(found), short)


async def _still_canonical(node: Node, block: BlockRef) -> Header:
    [header] = await headers_at(node, [block.number])
    if header is None or header.hash != block.hash:
        raise BlockGone(f"block {block.number} was replaced while balances were checked")
    return header


class Search:
    """For the blocks in which one address gained what is not explained yet."""

    def __init__(self, node: Node, store: ChainStore, address: str, end: BlockRef, header: Header) -> None:
        self._node = node
        self._store = store
        self._address = address
        self._end = end
        self._header = header
        self._history: list[tuple[int, int]] = []

    async def run(self, balance: int, since: int) -> list[Credit]:
        """``balance``: at the end block. ``since``: where it last agreed. The deposits that were missing."""
        baseline, self._history = await self._store.account(self._address)
        self._start = baseline.balance
        low = since
        if await self._excess(low) not in (0, None):  # it was not checked there after all
            low = baseline.block.number
        found: list[Credit] = []
        while (missing := balance - self._expected(self._end.number)) > 0:
            number, amount = await self._first_excess(low, missing)
            found += await self._explain(number, amount)
            self._history.append((number, amount))
            low = number
        return found

    async def _first_excess(self, low: int, missing: int) -> tuple[int, int]:
        """By halving: the first block above ``low`` whose balance is more than explained, and how much more.

        Blocks whose balances the node has forgotten count as explained: it is the first block it can still tell of.
        """
        high, excess = self._end.number, missing
        while high - low > 1:
            middle = (low + high) // 2
            more = await self._excess(middle)
            if more is not None and more > 0:
                high, excess = middle, more
            else:
                low = middle
        return high, excess

    async def _excess(self, number: int) -> int | None:
        """What the address held there beyond what is explained, in wei; None where the node cannot tell."""
        [answer] = await self._node.attempt([balance_call(self._node, self._address, block_number(number))])
        if isinstance(answer, CallRefused):
            return None
        return int(answer, 16) - self._expected(number)

    def _expected(self, number: int) -> int:
        return self._start + sum(amount for block, amount in self._history if block <= number)

    async def _explain(self, number: int, amount: int) -> list[Credit]:
        """The deposits in that block which make up the amount: by traces as far as they go, the rest by block."""
        header: Header | None = self._header
        if number != self._end.number:
            [header] = await headers_at(self._node, [number])
        if header is None:
            raise BlockGone(f"block {number} is gone")
        block = BlockRef(header.height, header.hash)
        known = await self._store.origins(self._address, block)
        return await explain(self._node, self._address, amount, block, header.mined_at, known)


async def explain(
    node: Node, address: str, amount: int, block: BlockRef, mined_at: datetime, known: Set[tuple[str | None, str]]
) -> list[Credit]:
    """The deposits that make up an amount which an address gained in a block beyond what is known.

    By traces as far as they go, the rest by the block alone. ``known``: (transaction, path) of the deposits that are
    known already.
    """
    traced = [
        credit for credit in await _traced(node, address, block, mined_at) if (credit.tx_hash, credit.path) not in known
    ]
    rest = amount - sum(credit.amount for credit in traced)
    if rest < 0:  # the traces tell of more than there is: believe the balance
        traced, rest = [], amount
    if rest > 0:
        earlier = sum(tx_hash is None for tx_hash, _ in known)
        traced.append(deposits.residual(address, rest, block, mined_at, earlier))
    log.info("residual_found", address=address, amount=amount, block=block.number, traced=len(traced))
    return traced


async def _traced(node: Node, address: str, block: BlockRef, mined_at: datetime) -> Sequence[Credit]:
    """The credits to the address in that block as the node's traces tell them; none where it has no traces."""
    if node.token is not None:  # its logs have been read, and there is no other trace of a token
        return ()
    watched = {address.lower(): address}
    if node.abilities.traces:
        question = Call("trace_block", [block_number(block.number)], list[Trace] | None)
        [traces] = await node.attempt([question])
        if isinstance(traces, list) and all(trace.block_hash == block.hash for trace in traces):
            return deposits.by_traces(block, mined_at, traces, {}, watched).credits
    if node.abilities.debug_traces:
        question = Call("debug_traceBlockByHash", [block.hash, {"tracer": "callTracer"}], list[TracedTransaction])
        [frames] = await node.attempt([question])
        if isinstance(frames, list):
            return deposits.by_call_frames(block, mined_at, frames, watched).credits
    return ()
