"""A long way to catch up on which little was paid: only the blocks are read in which something changed.

The balances and nonces of all watched addresses are compared at both ends of the way. Where they differ, the middle is
looked at for those addresses alone, and so on by halves down to the single blocks, which are read whole. In all other
blocks no watched address gained or spent anything: its balance and nonce are the same before and after.

It ends well below the head, where no reorg reaches, and is given up for reading block by block where that is cheaper:
where much was paid, and where the node does not know old balances.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from indexer.abilities import Sweep
from indexer.book import WatchBook
from indexer.deposits import Credit, Movements
from indexer.model import BlockRef, WatchTier
from indexer.reading import ReadBlock, headers_at, read_blocks
from indexer.rpc import BlockGone, Call, CallRefused, Node
from indexer.store import ChainStore
from indexer.sweep import balance_call, capacity, created_by, differences, moved_nonces
from indexer.verification import explain
from indexer.wire import Header, block_number, quantity

log = structlog.get_logger()

LEAST = 384  # blocks; a shorter way is read block by block

Account = tuple[int, int]  # balance, nonce


@dataclass(frozen=True, slots=True)
class Leap:
    """What was found on the way. ``read``: the blocks with changes and, last, the one it ends at."""

    read: Sequence[ReadBlock]
    unexplained: Sequence[Credit]  # what their transactions and traces do not tell


@dataclass(frozen=True, slots=True)
class Stretch:
    """Blocks (low, high], and the accounts that are not the same at both ends."""

    low: int
    high: int
    ends: Mapping[str, tuple[Account, Account]]


async def over_sparse(node: Node, store: ChainStore, book: WatchBook, tip: BlockRef, last: int) -> Leap | None:
    """From ``tip`` to block ``last``; None where that is no way to go, or not the cheaper one.

    Raises BlockGone, NodeFailed, CallRefused.
    """
    if not _is_worth_a_look(node, len(book.watched), last - tip.number):
        return None
    [header] = await headers_at(node, [last])
    if header is None:
        return None
    end = BlockRef(last, header.hash)
    moved = await _moved(node, store, book, tip, end)
    if moved is None:
        return None
    blocks = await _changed_blocks(node, Stretch(tip.number, last, moved))
    if blocks is None:
        return None
    leap = await _read(node, blocks, header, book)
    [again] = await headers_at(node, [last])
    if again is None or again.hash != end.hash:
        raise BlockGone(f"block {last} was replaced while the way to it was looked at")
    log.info("blocks_leapt", first=tip.number + 1, last=last, read=len(leap.read), addresses=len(moved))
    return leap


def _is_worth_a_look(node: Node, addresses: int, blocks: int) -> bool:
    able = node.abilities
    if node.token is not None or able.sweep is not Sweep.OVERRIDE or not able.by_hash or blocks < LEAST:
        return False
    if able.history is not None and able.history < blocks + LEAST:
        return False
    return 4 * (1 + addresses // capacity(node)) < _requests_for(node, blocks)


def _requests_for(node: Node, blocks: int) -> int:
    """What reading block by block takes."""
    return -(-blocks // node.batch_size) * (2 if node.abilities.traces else 1)


async def _moved(
    node: Node, store: ChainStore, book: WatchBook, tip: BlockRef, end: BlockRef
) -> dict[str, tuple[Account, Account]] | None:
    """The accounts that are not the same at both ends; None where they are too many."""
    net = await store.net(book.number, tip.number)
    everybody = [*book.of(WatchTier.OPEN), *book.of(WatchTier.DORMANT)]
    expected = book.expected_of(everybody, tip.number, net)
    changed = set(await differences(node, end, expected))
    if _is_dense(node, len(changed), end.number - tip.number):
        return None
    nonces = await store.nonces()
    made = await asyncio.to_thread(lambda: {one: created_by(one, nonces[one]) for one in expected})
    changed |= await moved_nonces(node, end, made)
    if _is_dense(node, len(changed), end.number - tip.number):
        return None
    questions = [(address, number) for address in sorted(changed) for number in (tip.number, end.number)]
    found = await _accounts(node, questions)
    if found is None:
        return None
    pairs = {address: (found[address, tip.number], found[address, end.number]) for address in changed}
    return {address: pair for address, pair in pairs.items() if pair[0] != pair[1]}


def _is_dense(node: Node, addresses: int, blocks: int) -> bool:
    """Whether halving costs more: each address is asked about at each level, by two calls."""
    levels = blocks.bit_length()
    return levels * -(-2 * addresses // node.batch_size) >= _requests_for(node, blocks)


async def _changed_blocks(node: Node, whole: Stretch) -> dict[int, Stretch] | None:
    """By number, the blocks in which an account changed; None where it turns out to be too much or is refused."""
    found: dict[int, Stretch] = {}
    open_ = [whole] if whole.ends else []
    spent, allowed = 0, _requests_for(node, whole.high - whole.low)
    while open_:
        middles = {stretch.low: (stretch.low + stretch.high) // 2 for stretch in open_}
        questions = [(address, middles[stretch.low]) for stretch in open_ for address in stretch.ends]
        spent += -(-2 * len(questions) // node.batch_size)
        accounts = await _accounts(node, questions) if spent < allowed else None
        if accounts is None:
            return None
        halves = [half for stretch in open_ for half in _halves(stretch, middles[stretch.low], accounts)]
        found |= {half.high: half for half in halves if half.high - half.low == 1}
        open_ = [half for half in halves if half.high - half.low > 1]
    return found


def _halves(stretch: Stretch, middle: int, accounts: Mapping[tuple[str, int], Account]) -> list[Stretch]:
    """The halves in which something changed."""
    ends = stretch.ends
    first = {one: (ends[one][0], accounts[one, middle]) for one in ends if ends[one][0] != accounts[one, middle]}
    second = {one: (accounts[one, middle], ends[one][1]) for one in ends if ends[one][1] != accounts[one, middle]}
    halves = (Stretch(stretch.low, middle, first), Stretch(middle, stretch.high, second))
    return [half for half in halves if half.ends]


async def _accounts(node: Node, questions: Sequence[tuple[str, int]]) -> dict[tuple[str, int], Account] | None:
    """Balance and nonce of each address at each block; None where the node does not know one of them."""
    calls = [
        call
        for address, number in questions
        for place in (block_number(number),)
        for call in (balance_call(node, address, place), Call("eth_getTransactionCount", [address, place], str))
    ]
    answers = await node.attempt(calls)
    if any(isinstance(answer, CallRefused) for answer in answers):
        return None
    values = [quantity(answer) for answer in answers]
    return dict(zip(questions, zip(values[0::2], values[1::2], strict=True), strict=True))


async def _read(node: Node, blocks: Mapping[int, Stretch], header: Header, book: WatchBook) -> Leap:
    """The changed blocks whole, and what their balances tell beyond that."""
    read = await read_blocks(node, sorted(blocks), book.watched)
    unexplained: list[Credit] = []
    for block in read:
        for address, (before, after) in blocks[block.ref.number].ends.items():
            rest = after[0] - before[0] - _net(block.movements, address)
            if rest < 0:
                raise BlockGone(f"block {block.ref.number} and the balances around it do not agree")
            if rest > 0:
                known = {(one.tx_hash, one.path) for one in block.movements.credits if one.address == address}
                unexplained += await explain(node, address, rest, block.ref, block.mined_at, known)
    if not read or read[-1].ref.number != header.height:
        read.append(ReadBlock(BlockRef(header.height, header.hash), header.parent_hash, header.mined_at, Movements()))
    return Leap(read, unexplained)


def _net(movements: Movements, address: str) -> int:
    came = sum(credit.amount for credit in movements.credits if credit.address == address)
    return came - sum(spend.amount for spend in movements.spends if spend.address == address)
