"""Reading blocks again, for an operator who doubts what is stored: finds what was missed, leaves alone what is right.

The blocks are read piece by piece between two looks at the head, each standing on the one before, up to the confirmed
block. What they show and the database does not is kept aside until the end. There the balances decide: an address's
missing deposits and spends are stored if they are exactly what its balance differs from what is stored. So a deposit
that is known already by its balance alone is never counted twice. A balance that is above for another reason is
explained as at every check of balances; one that is below is told and nothing else.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import structlog

from indexer.config import ChainConfig
from indexer.deposits import RESIDUAL, Credit, Spend
from indexer.model import BlockRef, ChainUnavailable
from indexer.nodes import NodePool, WrongChain
from indexer.reading import ReadBlock, read_blocks
from indexer.rescans import Report, Rescan, Rescans
from indexer.rpc import BlockGone, Node
from indexer.store import ChainStore, KeptBlock
from indexer.sweep import differences
from indexer.verification import Verdict, verify
from indexer.writer import Cursor

log = structlog.get_logger()

ATTEMPTS = 10  # failures in a row after which a request is given up

Origin = tuple[str, str, str, str]  # block hash, transaction hash or "", path, address


class Step(StrEnum):
    """What a piece of work came to."""

    NOTHING = "nothing"  # nobody asked, or it is tried again later
    MORE = "more"  # there is more to do at once
    FINISHED = "finished"  # a request is done: what is stored may have changed, and ``short`` has


@dataclass(slots=True)
class _Work:
    """A request as far as it has come. Lives in memory: after a restart it begins anew, which changes nothing."""

    rescan: Rescan
    watched: Mapping[str, str]  # lower case → EIP-55
    since: Mapping[str, int]  # per address, the block of its baseline
    first: int
    below: BlockRef | None = None  # the last block that was read
    credits: list[Credit] = field(default_factory=list)
    spends: list[Spend] = field(default_factory=list)

    @property
    def next(self) -> int:
        return self.first if self.below is None else self.below.number + 1

    def note(self, block: ReadBlock, known: set[Origin]) -> None:
        """Keep what the block shows and the database does not have, as far as it came after the baselines."""
        for credit in block.movements.credits:
            if _origin(credit) not in known and block.ref.number > self.since[credit.address]:
                self.credits.append(credit)
        for spend in block.movements.spends:
            if _origin(spend) not in known and block.ref.number > self.since[spend.address]:
                self.spends.append(spend)


@dataclass(frozen=True, slots=True)
class _Findings:
    """What is to be stored. ``counted``: deposits that are in the stored ones already."""

    credits: list[Credit]
    spends: list[Spend]
    counted: int


class Rescanner:
    """Works requests off. ``short``: as of a verdict, when the last one ended; None where it did not look."""

    def __init__(self, config: ChainConfig, store: ChainStore, rescans: Rescans) -> None:
        self._config = config
        self._store = store
        self._rescans = rescans
        self._work: _Work | None = None
        self._failures = 0
        self.short: Mapping[str, int] | None = None

    @property
    def reached(self) -> int | None:
        """The block up to which a rescan has come; None: none is under way."""
        return None if self._work is None else self._work.next - 1

    async def advance(self, nodes: NodePool, cursor: Cursor, kept: Mapping[int, KeptBlock]) -> Step:
        """One piece of the oldest request.

        A node that cannot serve it holds nothing else up: it is tried again later, and given up after some attempts.
        """
        rescan = await self._rescans.next()
        if rescan is None:
            self._work = None
            return Step.NOTHING
        try:
            work = await self._begun(rescan)
            step = await nodes.use(lambda node: self._piece(node, work, cursor, kept))
        except WrongChain:
            raise
        except ChainUnavailable as error:
            await self._fail(rescan, error)
            return Step.NOTHING
        self._failures = 0
        return step

    async def _begun(self, rescan: Rescan) -> _Work:
        if self._work is None or self._work.rescan.id != rescan.id:
            watches = [watch for watch in await self._store.watches() if watch.news != "new"]
            since = {watch.address: watch.baseline.block.number for watch in watches}
            # Before the first baseline nobody was asked to pay.
            first = max(rescan.first, min(since.values(), default=rescan.first - 1) + 1)
            self._work = _Work(rescan, {address.lower(): address for address in since}, since, first)
            log.info("rescan_began", first=first, addresses=len(since))
        return self._work

    async def _fail(self, rescan: Rescan, error: ChainUnavailable) -> None:
        self._failures += 1
        log.warning("rescan_failed", error=str(error), failures=self._failures)
        if isinstance(error, BlockGone):  # what was read may be of another branch
            self._work = None
        if self._failures >= ATTEMPTS:
            await self._rescans.finish(rescan, Report(rescan.first, rescan.first - 1, error=str(error)))
            self._work, self._failures = None, 0

    async def _piece(self, node: Node, work: _Work, cursor: Cursor, kept: Mapping[int, KeptBlock]) -> Step:
        confirmed = kept.get(cursor.tip.number - self._config.confirmations)
        if confirmed is None or work.next > confirmed.ref.number or not work.watched:
            return await self._settle(node, work, cursor, None if confirmed is None else confirmed.ref)
        last = min(confirmed.ref.number, work.next + self._config.chunk - 1)
        read = await read_blocks(node, range(work.next, last + 1), work.watched)
        known = await self._rescans.known(work.next, last)
        below = work.below
        for block in read:
            ours = kept.get(block.ref.number)
            if (below is not None and block.parent != below.hash) or (ours is not None and ours.ref != block.ref):
                raise BlockGone(f"block {block.ref.number} was replaced while it was read again")
            below = block.ref
        for block in read:
            work.note(block, known)
        work.below = below
        await self._rescans.reached(work.rescan, last)
        return Step.MORE

    async def _settle(self, node: Node, work: _Work, cursor: Cursor, end: BlockRef | None) -> Step:
        """All blocks have been read: hold what was found against the balances at the last one, and store it."""
        report, self.short = Report(work.first, work.first - 1), None
        if end is not None and work.below is not None:
            if work.below != end:
                raise BlockGone(f"block {end.number} was replaced while blocks were read again")
            expected = await self._expected(work, end)
            actual = await differences(node, end, expected)
            gaps = {address: balance - expected[address] for address, balance in actual.items()}
            found = await self._weigh(work, gaps)
            explained = {address for address, _ in _amounts(found.credits, found.spends)}
            rest = {address: expected[address] for address in gaps if address not in explained}
            since = {address: max(work.first - 1, work.since[address]) for address in rest}
            verdict = await verify(node, self._store, end, rest, since.__getitem__)
            await self._write(cursor, found, verdict)
            self.short = verdict.short
            report = _report(work, end, found, verdict)
        await self._rescans.finish(work.rescan, report)
        self._work = None
        log.info("rescan_finished", first=report.first, last=report.last, deposits=report.deposits)
        return Step.FINISHED

    async def _expected(self, work: _Work, end: BlockRef) -> dict[str, int]:
        """What each address must hold at the end by all that is stored, in wei."""
        net = await self._store.net(-1, end.number)
        return {
            watch.address: watch.baseline.balance + net.get(watch.address, 0)
            for watch in await self._store.watches()
            if watch.address in work.since and watch.news != "new" and watch.baseline.block.number <= end.number
        }

    async def _weigh(self, work: _Work, gaps: Mapping[str, int]) -> _Findings:
        """Of what the blocks show, that which the balances ask for. ``gaps``: actual less expected balance, in wei."""
        # Read once more: a check of balances may have found some meanwhile.
        known = await self._rescans.known(work.first, work.next - 1)
        by_balance = {(block, address) for block, tx, path, address in known if not tx and path.startswith(RESIDUAL)}
        credits = [credit for credit in work.credits if _origin(credit) not in known]
        fresh = [credit for credit in credits if (credit.block.hash, credit.address) not in by_balance]
        spends = [spend for spend in work.spends if _origin(spend) not in known]
        net: dict[str, int] = defaultdict(int)
        for address, amount in _amounts(fresh, spends):
            net[address] += amount
        agreed = {address for address, amount in net.items() if amount == gaps.get(address, 0)}
        wanted = [credit for credit in fresh if credit.address in agreed]
        return _Findings(
            wanted, [spend for spend in spends if spend.address in agreed], counted=len(credits) - len(wanted)
        )

    async def _write(self, cursor: Cursor, found: _Findings, verdict: Verdict) -> None:
        if not (found.credits or found.spends or verdict.found):
            return
        async with self._store.writing(cursor.tip) as writer:
            await writer.add([*found.credits, *verdict.found])
            await writer.spend(found.spends)


def _report(work: _Work, end: BlockRef, found: _Findings, verdict: Verdict) -> Report:
    credits = [*found.credits, *verdict.found]
    return Report(
        first=work.first,
        last=end.number,
        deposits=len(credits),
        amount=str(sum(credit.amount for credit in credits)),
        spends=len(found.spends),
        counted=max(0, found.counted - len(verdict.found)),
        short=tuple(sorted(verdict.short)),
    )


def _amounts(credits: Iterable[Credit], spends: Iterable[Spend]) -> Iterable[tuple[str, int]]:
    yield from ((credit.address, credit.amount) for credit in credits)
    yield from ((spend.address, -spend.amount) for spend in spends)


def _origin(move: Credit | Spend) -> Origin:
    return (move.block.hash, move.tx_hash or "", move.path, move.address)
