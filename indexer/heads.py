"""Where the chain stands against what we have stored: further on, the same, behind, or on another branch."""

from collections.abc import Mapping
from dataclasses import dataclass

from indexer.model import BlockRef
from indexer.reading import headers_at
from indexer.rpc import BlockGone, Call, Node
from indexer.store import KeptBlock
from indexer.wire import Header, block_number
from runtime.errors import LayoverError


class ReorgTooDeep(LayoverError):
    """Halts the indexer: nothing is stored, nothing taken back."""

    def __init__(self, tip: BlockRef, oldest: int) -> None:
        super().__init__(
            f"the chain was rewritten below block {oldest}, deeper than the {tip.number - oldest + 1} blocks kept "
            f"(our tip is {tip.number}). Indexing has stopped and nothing was changed. Check the node: when it is back "
            "on the chain we know, indexing goes on by itself. If the chain was really rewritten, check the payments "
            "since then by hand and index into a fresh DATABASE_URL."
        )


@dataclass(frozen=True, slots=True)
class Ahead:
    """Blocks to read: those after our tip, up to ``head``."""

    head: int


@dataclass(frozen=True, slots=True)
class Level:
    """The node's newest block is our tip."""


@dataclass(frozen=True, slots=True)
class Behind:
    """The node has not got as far as we have; what it has agrees. Wait."""

    head: int


@dataclass(frozen=True, slots=True)
class Forked:
    """Our blocks above ``fork`` are not canonical any more."""

    fork: KeptBlock


Standing = Ahead | Level | Behind | Forked


async def compare(node: Node, tip: BlockRef, kept: Mapping[int, KeptBlock]) -> Standing:
    """Read the node's head, and its hash at our tip again: rewinds are silent.

    A node that is lower than we are but agrees as far as it goes is behind (or was rewound and has not gone on yet):
    the two look the same, and nothing is taken back before it shows another block at a height we have.
    Raises ReorgTooDeep, BlockGone, NodeFailed, CallRefused.
    """
    latest, at_tip = await node.batch(
        [
            Call("eth_getBlockByNumber", ["latest", False], Header),
            Call("eth_getBlockByNumber", [block_number(tip.number), False], Header | None),
        ]
    )
    if at_tip is not None and at_tip.hash == tip.hash:
        return Level() if latest.height <= tip.number else Ahead(latest.height)
    if at_tip is None and latest.height >= tip.number:
        raise BlockGone(f"the node says it is at {latest.height} and does not know block {tip.number}")
    if at_tip is None:
        ours = kept.get(latest.height)
        if ours is None or ours.ref.hash == latest.hash:
            return Behind(latest.height)
    return Forked(await find_fork(node, min(latest.height, tip.number), tip, kept))


async def find_fork(node: Node, start: int, tip: BlockRef, kept: Mapping[int, KeptBlock]) -> KeptBlock:
    """The newest block at or below ``start`` that both have. Looks in steps that double. Raises ReorgTooDeep."""
    oldest = min(kept)
    top, step = start, 4
    while top >= oldest:
        numbers = list(range(top, max(oldest, top - step + 1) - 1, -1))
        for number, header in zip(numbers, await headers_at(node, numbers), strict=True):
            if header is not None and header.hash == kept[number].ref.hash:
                return kept[number]
        top, step = numbers[-1] - 1, step * 2
    raise ReorgTooDeep(tip, oldest)
