"""One pass along the chain: compare, take back, read on, take in new watches, check balances.

A pass can be cut off anywhere. What is in memory (tip, kept window, book) follows what was committed.
"""

from collections.abc import Mapping, Sequence

import structlog

from indexer.backfill import over_sparse
from indexer.book import WatchBook
from indexer.config import ChainConfig
from indexer.heads import Ahead, Behind, Forked, Level, ReorgTooDeep, Standing, compare
from indexer.model import BlockRef, WatchTier
from indexer.nodes import NodeBehind, NodePool, WrongGenesis
from indexer.reading import ReadBlock, headers_at, read_ahead
from indexer.rescan import Rescanner, Step
from indexer.rpc import BlockGone, Node
from indexer.settling import Settler
from indexer.store import ChainStore, KeptBlock
from indexer.taking_in import look_back
from indexer.wire import Header
from indexer.writer import Cursor

log = structlog.get_logger()


class Follower:
    """Follows one chain."""

    def __init__(self, config: ChainConfig, store: ChainStore, nodes: NodePool, rescanner: Rescanner) -> None:
        self._config = config
        self._store = store
        self._nodes = nodes
        self._rescanner = rescanner
        self._cursor: Cursor | None = None
        self._kept: dict[int, KeptBlock] = {}
        self._book = WatchBook(0)
        self.head: int | None = None
        self._settler = Settler(config, store)

    @property
    def number(self) -> int | None:
        """The newest block that was read whole."""
        return None if self._cursor is None else self._cursor.tip.number

    @property
    def verified(self) -> int | None:
        """The newest block at which the open addresses' balances were checked."""
        return None if self._cursor is None else self._cursor.verified

    @property
    def short(self) -> Mapping[str, int]:
        """Addresses that hold less than their deposits say, and by how much (smallest units)."""
        return self._settler.short

    @property
    def is_level(self) -> bool:
        """Nothing is known to be left to read."""
        return self.head is not None and self.head == self.number

    def count(self, tier: WatchTier) -> int:
        return self._book.count(tier)

    async def advance(self, announced: Header | None) -> bool:
        """One pass, on one node. True: there is more to do at once. Raises ChainUnavailable, ReorgTooDeep."""
        if self._cursor is None:
            await self._load()
        try:
            if await self._nodes.use(lambda node: self._pass(node, announced)):
                return True
        except NodeBehind:  # all of them: wait for them
            return False
        return await self._rescan()

    async def _rescan(self) -> bool:
        """A piece of what an operator asked to be read again, once nothing else is left to do."""
        step = await self._rescanner.advance(self._nodes, self._at(), self._kept)
        if step is Step.FINISHED:
            await self._load()
            if self._rescanner.short is not None:
                self._settler.short = dict(self._rescanner.short)
        return step is not Step.NOTHING

    async def _load(self) -> None:
        """Pick up where the database says."""
        cursor = await self._store.cursor()
        if cursor is None:
            return
        self._nodes.expect_asset(cursor.token)
        self._nodes.expect_genesis(cursor.genesis)
        self._kept = await self._store.kept()
        await self._load_book(cursor)
        self._cursor = cursor

    async def _load_book(self, cursor: Cursor) -> None:
        number = cursor.verified
        book, net = WatchBook(number), await self._store.net(-1, number)
        async for page in self._store.adopted():
            for watch in page:
                book.put(watch, net.get(watch.address, 0))
        self._book = book
        self._settler.begin(book, cursor)

    async def _pass(self, node: Node, announced: Header | None) -> bool:
        if self._cursor is None:
            await self._begin(node)
        cursor = self._at()
        standing = await self._standing(node, cursor, announced)
        if isinstance(standing, Behind):  # another node may be further on
            raise NodeBehind(node.name, standing.head, cursor.tip.number)
        if isinstance(standing, Forked):
            await self._roll_back(cursor, standing.fork)
            return True
        if isinstance(standing, Ahead):
            await self._leap(node, cursor, standing.head - self._config.window)
            await self._read_on(node, self._at(), standing.head)  # nodes forget old balances: one check at the end
        await self._take_in(node)
        self._cursor = await self._settler.settle(node, self._at(), self._kept)
        return False

    async def _begin(self, node: Node) -> None:
        """The first start on this chain: from the newest block on, with the window below it to find forks in."""
        latest = await node.call("eth_getBlockByNumber", ["latest", False], Header)
        first = max(0, latest.height - self._config.window + 1)
        genesis, *headers = await headers_at(node, [0, *range(first, latest.height + 1)])
        kept: list[KeptBlock] = []
        for header in headers:
            if header is None or (kept and header.parent_hash != kept[-1].ref.hash):
                raise BlockGone("the chain moved while its window was read")
            kept.append(KeptBlock(BlockRef(header.height, header.hash), header.parent_hash, header.mined_at))
        if genesis is None:
            raise BlockGone("the node has no genesis block")
        await self._store.begin(self._config.chain_id, genesis.hash, kept, self._config.token)
        await self._load()
        log.info("indexing_began", block=kept[-1].ref.number, genesis=genesis.hash)

    async def _standing(self, node: Node, cursor: Cursor, announced: Header | None) -> Standing:
        """An announced head that is our tip, or stands on it, needs no further question."""
        if announced is not None and announced.hash == cursor.tip.hash:
            return Level()
        if announced is not None and announced.parent_hash == cursor.tip.hash:
            self.head = announced.height
            return Ahead(announced.height)
        try:
            standing = await compare(node, cursor.tip, self._kept)
        except ReorgTooDeep:
            await self._same_chain(node, cursor)
            raise
        match standing:
            case Ahead(head) | Behind(head):
                self.head = head
            case _:
                self.head = cursor.tip.number
        if isinstance(standing, Behind | Forked):
            await self._same_chain(node, cursor)
        return standing

    async def _same_chain(self, node: Node, cursor: Cursor) -> None:
        """A node started afresh behind the same URL is no reorg. Raises WrongGenesis."""
        [genesis] = await headers_at(node, [0])
        if genesis is None or genesis.hash != cursor.genesis:
            raise WrongGenesis(node.name, cursor.genesis, "none" if genesis is None else genesis.hash)

    async def _roll_back(self, cursor: Cursor, fork: KeptBlock) -> None:
        depth = cursor.tip.number - fork.ref.number
        log.warning("reorg_found", depth=depth, fork=fork.ref.number, tip=cursor.tip.number)
        async with self._store.writing(cursor.tip) as writer:
            await writer.roll_back(fork.ref, fork.mined_at)
        await self._load()

    async def _leap(self, node: Node, cursor: Cursor, last: int) -> None:
        """Over a long stretch on which little was paid, if there is one, without reading each of its blocks."""
        leap = await over_sparse(node, self._store, self._book, cursor.tip, last)
        if leap is None:
            return
        end = leap.read[-1]
        async with self._store.writing(cursor.tip) as writer:
            await writer.extend(leap.read, keep=1)
            await writer.add(leap.unexplained)
        self._cursor = writer.at
        self._kept = {end.ref.number: KeptBlock(end.ref, end.parent, end.mined_at)}

    async def _read_on(self, node: Node, cursor: Cursor, head: int) -> None:
        """All blocks up to ``head``, some at a time; while some are stored the next ones are read."""
        at_once = max(self._config.chunk, self._config.batch_size)
        first = cursor.tip.number + 1
        parts = [range(start, min(start + at_once, head + 1)) for start in range(first, head + 1, at_once)]
        await read_ahead(node, parts, self._book.watched, self._store_blocks)

    async def _store_blocks(self, read: Sequence[ReadBlock]) -> None:
        """Blocks that were read whole, each standing on the one before; in one transaction, the cursor with them."""
        cursor, window = self._at(), self._config.window
        self._check_parents(cursor.tip, read)
        log.debug("blocks_read", upto=read[-1].ref.number, credits=sum(len(one.movements.credits) for one in read))
        async with self._store.writing(cursor.tip) as writer:
            await writer.extend(read, keep=window)
        self._cursor = writer.at
        for block in read[-window:]:
            self._kept[block.ref.number] = KeptBlock(block.ref, block.parent, block.mined_at)
        for number in [number for number in self._kept if number <= read[-1].ref.number - window]:
            del self._kept[number]

    def _check_parents(self, tip: BlockRef, read: Sequence[ReadBlock]) -> None:
        below = tip
        for block in read:
            if block.parent != below.hash:
                raise BlockGone(f"block {block.ref.number} does not stand on the block read before it")
            below = block.ref

    async def _take_in(self, node: Node) -> None:
        """Watches that are new, or changed their tier. Those whose baseline we have not reached wait."""
        cursor = self._at()
        news = [
            watch
            for watch in await self._store.watches(only_news=True)
            if watch.news != "new" or watch.baseline.block.number <= cursor.tip.number
        ]
        if not news:
            return
        new = [watch for watch in news if watch.news == "new"]
        found = await look_back(node, new, cursor.tip, self._kept, self._config.chunk)
        moved = [watch for watch in news if watch.news != "new"]
        async with self._store.writing(cursor.tip) as writer:
            await writer.adopt((watch.baseline, watch.tier) for watch in (*found.watches, *moved))
            await writer.add(found.credits)
            await writer.spend(found.spends)
        self._cursor = writer.at
        for watch in moved:
            self._book.move(watch.address, watch.tier)
        for watch in found.watches:
            self._book.put(watch, found.net(watch.address, self._book.number))

    def _at(self) -> Cursor:
        assert self._cursor is not None
        return self._cursor
