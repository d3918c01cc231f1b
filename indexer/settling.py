"""At the confirmed block: deposits that got there are confirmed, and balances tell what nothing else has shown.

Addresses that wait for a confirmation are looked at on every block. All others take turns, so that a block costs about
one request however many there are: a round over the open addresses takes as many blocks as it needs, and one over the
dormant ones begins every so often. What is between two looks at an address is explained at the later one.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import structlog

from indexer.book import WatchBook
from indexer.config import ChainConfig
from indexer.model import WatchTier
from indexer.rpc import Node
from indexer.store import ChainStore, KeptBlock, Unsettled
from indexer.sweep import capacity
from indexer.verification import Verdict, verify
from indexer.writer import Cursor

log = structlog.get_logger()

_MOST_BLOCKS = 5  # of one pass, that count for how much is looked at in it
_DORMANT_SHARE = 4  # a round over the dormant ones gets at least a quarter of what there is


@dataclass(slots=True)
class Round:
    """A walk over all addresses of a tier. ``began``: the block at which its first ones were looked at."""

    began: int
    left: list[str]


@dataclass(frozen=True, slots=True)
class Turn:
    """The addresses that are looked at on one block; counted from the ends of the rounds' lists."""

    open: int
    dormant: int


class Settler:
    """``short``: addresses that hold less than their deposits say, and by how much (smallest units)."""

    def __init__(self, config: ChainConfig, store: ChainStore) -> None:
        self._config = config
        self._store = store
        self._book = WatchBook(0)
        self._settled = 0
        self._rounds: dict[WatchTier, Round | None] = {}
        self.short: dict[str, int] = {}

    @property
    def number(self) -> int:
        """The newest block at which confirmations were decided."""
        return self._settled

    def begin(self, book: WatchBook, cursor: Cursor) -> None:
        """From what is stored: at the start, and after something was taken back."""
        self._book = book
        self._settled = cursor.verified
        self._rounds = {}

    async def settle(self, node: Node, cursor: Cursor, kept: Mapping[int, KeptBlock]) -> Cursor:
        """Decide what can be decided at the block that is deep enough. Raises BlockGone, NodeFailed, CallRefused."""
        block = kept.get(cursor.tip.number - self._config.confirmations)
        if block is None or block.ref.number < self._settled:
            return cursor
        number = block.ref.number
        due = await self._store.unsettled(number)
        if number == self._settled and not due:
            return cursor
        net = Counter(await self._store.net(self._book.number, number))
        turn = self._turn(node, cursor, number)
        addresses = {*self._taking(turn), *(deposit.address for deposit in due)}
        expected = self._book.expected_of(addresses, number, net)
        swept = {WatchTier.OPEN: cursor.verified, WatchTier.DORMANT: cursor.swept}
        verdict = await verify(
            node, self._store, block.ref, expected, lambda one: self._book.agreed(one, swept), again=bool(due)
        )
        moved = await self._write(cursor, number, turn, expected, due, verdict)
        for credit in verdict.found:
            net[credit.address] += credit.amount
        self._book.advance(number, net)
        self._settled = number
        self._take(turn)
        self._note_short(expected.keys(), verdict.short)
        return moved

    async def _write(
        self,
        cursor: Cursor,
        number: int,
        turn: Turn,
        expected: Mapping[str, int],
        due: Iterable[Unsettled],
        verdict: Verdict,
    ) -> Cursor:
        checked = expected.keys() - verdict.short.keys()
        async with self._store.writing(cursor.tip) as writer:
            ids = await writer.add(verdict.found)
            await writer.confirm([*(deposit.id for deposit in due if deposit.address in checked), *ids])
            for tier, taken in ((WatchTier.OPEN, turn.open), (WatchTier.DORMANT, turn.dormant)):
                walk = self._rounds.get(tier)
                if walk is not None and taken == len(walk.left):
                    writer.swept(tier, walk.began)
        return writer.at

    def _turn(self, node: Node, cursor: Cursor, number: int) -> Turn:
        """Whose turn it is. Begins rounds; takes nothing away yet."""
        if self._rounds.get(WatchTier.OPEN) is None:
            self._rounds[WatchTier.OPEN] = Round(number, self._book.of(WatchTier.OPEN))
        if self._rounds.get(WatchTier.DORMANT) is None and number - cursor.swept >= self._config.dormant_every:
            self._rounds[WatchTier.DORMANT] = Round(number, self._book.of(WatchTier.DORMANT))
        blocks = min(max(1, number - self._settled), _MOST_BLOCKS)
        room = blocks * min(capacity(node), self._config.sweep_slice)
        open_left, dormant_left = (self._left(tier) for tier in (WatchTier.OPEN, WatchTier.DORMANT))
        kept_free = min(dormant_left, max(1, room // _DORMANT_SHARE))
        taken = min(open_left, max(1, room - kept_free))
        return Turn(taken, min(dormant_left, max(kept_free, room - taken)))

    def _left(self, tier: WatchTier) -> int:
        walk = self._rounds.get(tier)
        return 0 if walk is None else len(walk.left)

    def _taking(self, turn: Turn) -> list[str]:
        taken: list[str] = []
        for tier, count in ((WatchTier.OPEN, turn.open), (WatchTier.DORMANT, turn.dormant)):
            walk = self._rounds.get(tier)
            if walk is not None and count:
                taken += walk.left[-count:]
        return taken

    def _take(self, turn: Turn) -> None:
        """What was looked at is done with; a round that is over makes room for the next."""
        for tier, count in ((WatchTier.OPEN, turn.open), (WatchTier.DORMANT, turn.dormant)):
            walk = self._rounds.get(tier)
            if walk is not None:
                del walk.left[len(walk.left) - count :]
                if not walk.left:
                    self._rounds[tier] = None

    def _note_short(self, checked: Collection[str], short: Mapping[str, int]) -> None:
        for address, amount in short.items():
            if self.short.get(address) != amount:
                log.error("balance_below_deposits", address=address, missing=amount)
        self.short = {address: amount for address, amount in self.short.items() if address not in checked} | dict(short)
