"""New watches are taken in: what came after their baselines, in blocks that have been read already, is found first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from indexer.deposits import Credit, Spend
from indexer.model import Baseline, BlockRef
from indexer.reading import headers_at, read_blocks
from indexer.rpc import BlockGone, Call, CallRefused, Node
from indexer.store import KeptBlock, Watch
from indexer.sweep import balance_call, place_of
from indexer.wire import Header, quantity


@dataclass(frozen=True, slots=True)
class LookBack:
    """The watches with baselines that stand on the canonical chain, and what happened between them and the tip."""

    watches: Sequence[Watch]
    credits: Sequence[Credit]
    spends: Sequence[Spend]

    def net(self, address: str, upto: int) -> int:
        """Credits less spends of the address in the blocks up to that one, in wei."""
        came = sum(move.amount for move in self.credits if move.address == address and move.block.number <= upto)
        went = sum(move.amount for move in self.spends if move.address == address and move.block.number <= upto)
        return came - went


async def look_back(
    node: Node, watches: Sequence[Watch], tip: BlockRef, kept: Mapping[int, KeptBlock], chunk: int
) -> LookBack:
    """For watches whose baselines are not above the tip. Raises BlockGone, NodeFailed, CallRefused."""
    standing = [await _on_canonical_chain(node, watch, kept) for watch in watches]
    below = [watch for watch in standing if watch.baseline.block.number < tip.number]
    now = await accounts_at(node, [watch.address for watch in below], tip)
    moved = {
        watch.address.lower(): watch.baseline
        for watch, account in zip(below, now, strict=True)
        if account != (watch.baseline.balance, watch.baseline.nonce)
    }
    credits, spends = await _read_again(node, moved, tip, kept, chunk) if moved else ([], [])
    return LookBack(standing, credits, spends)


async def read_baseline(node: Node, address: str) -> Baseline:
    """What the address holds at the newest block. Raises BlockGone where that changed meanwhile."""
    head = await node.call("eth_getBlockByNumber", ["latest", False], Header)
    block = BlockRef(head.height, head.hash)
    [(balance, nonce)] = await accounts_at(node, [address], block)
    return Baseline(address, block, balance, nonce)


async def accounts_at(
    node: Node, addresses: Sequence[str], block: BlockRef, *, native: bool = False
) -> list[tuple[int, int]]:
    """(balance in units, nonce) of each address after that block. Raises BlockGone, NodeFailed, CallRefused.

    ``native``: of the native coin, also where a token is counted.
    """
    place = place_of(node, block)
    questions = [
        call
        for address in addresses
        for call in (
            balance_call(node, address, place, native=native),
            Call("eth_getTransactionCount", [address, place], str),
        )
    ]
    answers = [quantity(answer) for answer in await node.batch(questions)]
    if not node.abilities.by_hash:
        [header] = await headers_at(node, [block.number])
        if header is None or header.hash != block.hash:
            raise BlockGone(f"block {block.number} was replaced while balances were read")
    return list(zip(answers[0::2], answers[1::2], strict=True))


async def _on_canonical_chain(node: Node, watch: Watch, kept: Mapping[int, KeptBlock]) -> Watch:
    """The watch; if a reorg took its baseline's block away, with a baseline at the oldest kept block instead.

    That is far below every block the address can have been known in, so nothing that was sent to it is left out.
    """
    ours = kept.get(watch.baseline.block.number)
    if ours is None or ours.ref.hash == watch.baseline.block.hash:
        return watch
    oldest = kept[min(kept)].ref
    try:
        [(balance, nonce)] = await accounts_at(node, [watch.address], oldest)
    except CallRefused:
        if not watch.baseline.is_fresh:
            raise
        balance, nonce = 0, 0  # the node has no state so old; an address unused later was unused then
    return replace(watch, baseline=replace(watch.baseline, block=oldest, balance=balance, nonce=nonce))


async def _read_again(
    node: Node, moved: Mapping[str, Baseline], tip: BlockRef, kept: Mapping[int, KeptBlock], chunk: int
) -> tuple[list[Credit], list[Spend]]:
    watched = {key: baseline.address for key, baseline in moved.items()}
    since = {baseline.address: baseline.block.number for baseline in moved.values()}
    credits: list[Credit] = []
    spends: list[Spend] = []
    for start in range(min(since.values()) + 1, tip.number + 1, chunk):
        for block in await read_blocks(node, range(start, min(start + chunk, tip.number + 1)), watched):
            ours = kept.get(block.ref.number)
            if ours is not None and ours.ref != block.ref:
                raise BlockGone(f"block {block.ref.number} was replaced while it was read again")
            credits += [credit for credit in block.movements.credits if block.ref.number > since[credit.address]]
            spends += [spend for spend in block.movements.spends if block.ref.number > since[spend.address]]
    return credits, spends
