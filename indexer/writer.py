"""One unit of the indexer's work inside its transaction: blocks, deposits, events and the cursor move together.

The cursor's row is locked until the commit, and event numbers are counted in it: a reader who has seen number n has
seen everything below n, on PostgreSQL too.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
import structlog

from indexer.bulk import insert_rows
from indexer.deposits import Credit, Spend
from indexer.model import Baseline, BlockRef, ChainEventKind, WatchTier
from indexer.reading import ReadBlock
from indexer.tables import blocks, cursor, deposits, events, spends, watches
from runtime.database import Transaction

log = structlog.get_logger()

# Columns in their tables' order.
_BLOCK = ("number", "hash", "parent", "mined_at")
_DEPOSIT = (
    *("id", "address", "amount", "block_number", "block_hash", "tx_hash", "path", "sender"),
    *("mined_at", "seen_at", "told", "confirmed"),
)
_SPEND = ("block_hash", "tx_hash", "path", "address", "amount", "block_number")
_EVENT = (
    *("seq", "kind", "address", "deposit_id", "amount", "confirmations"),
    *("block_number", "block_hash", "tx_hash", "at"),
)
# What an event tells of a deposit: id, address, amount, block number, block hash, transaction ("": unknown).
_Told = tuple[int, str, int, int, str, str]
_TOLD = sa.select(*(deposits.c[name] for name in ("id", "address", "amount", "block_number", "block_hash", "tx_hash")))

# Deposits that have a new depth to tell of, short of their confirmation: noted as told, and named.
_DEEPEN = (
    sa.update(deposits)
    .where(
        deposits.c.removed_at.is_(None),
        sa.not_(deposits.c.confirmed),
        deposits.c.block_number > sa.bindparam("above", type_=sa.BigInteger),
        deposits.c.told < sa.bindparam("tip", type_=sa.BigInteger) - deposits.c.block_number,
    )
    .values(told=sa.bindparam("tip", type_=sa.BigInteger) - deposits.c.block_number)
    .returning(*_TOLD.selected_columns)
)
_MOVE = sa.update(cursor).values(
    {
        name: sa.bindparam(name)
        for name in ("number", "hash", "mined_at", "verified", "swept", "last_event", "last_deposit", "fence")
    }
)
_FORGET = sa.delete(blocks).where(blocks.c.number <= sa.bindparam("upto", type_=sa.BigInteger))
_AT_ONCE = 500  # ids named in one statement
_LINES = 50  # events of one transaction that get a log line each; above that, they are counted in one

CHAIN = 1  # the cursor's only row
_ADOPT = (
    sa.update(watches)
    .where(watches.c.address == sa.bindparam("mine"))
    .values(
        baseline_number=sa.bindparam("number"),
        baseline_hash=sa.bindparam("hash"),
        baseline_balance=sa.bindparam("balance"),
        baseline_nonce=sa.bindparam("nonce"),
        news=sa.case((watches.c.tier == sa.bindparam("was"), ""), else_="tier"),
    )
)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the indexer stands. ``tip``: the newest block that was read whole."""

    chain_id: int
    genesis: str
    token: str | None  # the ERC-20 contract that is counted; None: the native coin
    tip: BlockRef
    mined_at: datetime
    verified: int  # open addresses' balances were checked up to this block
    swept: int  # dormant ones' too
    last_event: int
    last_deposit: int
    fence: int


def cursor_of(row: sa.Row[Any]) -> Cursor:
    return Cursor(
        chain_id=row.chain_id,
        genesis=row.genesis_hash,
        token=row.token or None,
        tip=BlockRef(row.number, row.hash),
        mined_at=row.mined_at,
        verified=row.verified,
        swept=row.swept,
        last_event=row.last_event,
        last_deposit=row.last_deposit,
        fence=row.fence,
    )


class Writer:
    """Made by ChainStore.writing. ``at`` is the cursor as it will be stored."""

    def __init__(self, tx: Transaction, at: Cursor, fence: int, confirmations: int, now: datetime) -> None:
        self._tx = tx
        self.at = replace(at, fence=fence)
        self._confirmations = confirmations
        self._now = now
        self._events: list[tuple[Any, ...]] = []
        self._last_event = at.last_event
        self._last_deposit = at.last_deposit

    async def extend(self, read: Sequence[ReadBlock], *, keep: int) -> None:
        """Put blocks on top, with what they did; tell the deposits that became deeper; forget all but ``keep``."""
        last = read[-1]
        self.at = replace(self.at, tip=last.ref, mined_at=last.mined_at)
        rows = [(block.ref.number, block.ref.hash, block.parent, block.mined_at) for block in read[-keep:]]
        await self._tx.execute(_FORGET, {"upto": last.ref.number - keep})
        await insert_rows(self._tx, blocks, _BLOCK, rows)
        await self._deepen()
        await self.add([credit for block in read for credit in block.movements.credits])
        await self.spend([spend for block in read for spend in block.movements.spends])

    async def add(self, credits: Iterable[Credit]) -> list[int]:
        """New deposits, told as seen; their ids."""
        now, tip, first = self._now, self.at.tip.number, self._last_deposit + 1
        rows = []
        for number, credit in enumerate(credits, first):
            block, tx_hash = credit.block, credit.tx_hash or ""
            told = tip - block.number
            origin = (credit.address, credit.amount, block.number, block.hash, tx_hash)
            rows.append((number, *origin, credit.path, credit.sender, credit.mined_at, now, told, False))
            self._tell(ChainEventKind.SEEN, (number, *origin), told)
        self._last_deposit += len(rows)
        await insert_rows(self._tx, deposits, _DEPOSIT, rows)
        return list(range(first, first + len(rows)))

    async def spend(self, spent: Iterable[Spend]) -> None:
        rows = [
            (spend.block.hash, spend.tx_hash, spend.path, spend.address, spend.amount, spend.block.number)
            for spend in spent
        ]
        await insert_rows(self._tx, spends, _SPEND, rows)

    async def confirm(self, ids: Sequence[int]) -> None:
        """Deposits that were checked at their depth."""
        for start in range(0, len(ids), _AT_ONCE):
            among = deposits.c.id.in_(ids[start : start + _AT_ONCE])
            for told in await self._standing(among, sa.not_(deposits.c.confirmed)):
                self._tell(ChainEventKind.CONFIRMED, told, self._depth(told))
            await self._tx.execute(sa.update(deposits).where(among).values(confirmed=True))

    async def roll_back(self, fork: BlockRef, mined_at: datetime) -> None:
        """Take back every block above ``fork`` with all it did. Watches that began there begin again."""
        for told in await self._standing(deposits.c.block_number > fork.number):
            self._tell(ChainEventKind.REMOVED, told, 0)
        above = deposits.c.block_number > fork.number
        await self._tx.execute(
            sa.update(deposits).where(above, deposits.c.removed_at.is_(None)).values(removed_at=self._now)
        )
        await self._tx.execute(sa.delete(spends).where(spends.c.block_number > fork.number))
        await self._tx.execute(sa.delete(blocks).where(blocks.c.number > fork.number))
        await self._tx.execute(sa.update(watches).where(watches.c.baseline_number > fork.number).values(news="new"))
        self.at = replace(
            self.at,
            tip=fork,
            mined_at=mined_at,
            verified=min(self.at.verified, fork.number),
            swept=min(self.at.swept, fork.number),
        )

    async def adopt(self, watched: Iterable[tuple[Baseline, WatchTier]]) -> None:
        """Watches as they were read have been taken in. One that changed meanwhile keeps its mark."""
        values = [
            {
                "mine": baseline.address,
                "was": tier.value,
                "number": baseline.block.number,
                "hash": baseline.block.hash,
                "balance": baseline.balance,
                "nonce": baseline.nonce,
            }
            for baseline, tier in watched
        ]
        if values:
            await self._tx.execute(_ADOPT, values)

    def swept(self, tier: WatchTier, number: int) -> None:
        """Each balance of that tier was checked at that block or later, and differences are stored now."""
        if tier is WatchTier.OPEN:
            self.at = replace(self.at, verified=number)
        else:
            self.at = replace(self.at, swept=number)

    async def finish(self) -> bool:
        """Store events and cursor. True if there were events."""
        await insert_rows(self._tx, events, _EVENT, self._events)
        self.at = replace(self.at, last_event=self._last_event, last_deposit=self._last_deposit)
        await self._tx.execute(
            _MOVE,
            {
                "number": self.at.tip.number,
                "hash": self.at.tip.hash,
                "mined_at": self.at.mined_at,
                "verified": self.at.verified,
                "swept": self.at.swept,
                "last_event": self.at.last_event,
                "last_deposit": self.at.last_deposit,
                "fence": self.at.fence,
            },
        )
        self._log()
        return bool(self._events)

    async def _deepen(self) -> None:
        """Tell each depth between the first sight and the confirmation."""
        tip = self.at.tip.number
        deeper = await self._tx.execute(_DEEPEN, {"tip": tip, "above": tip - self._confirmations})
        for told in sorted(tuple(row) for row in deeper):
            self._tell(ChainEventKind.DEEPER, told, self._depth(told))

    async def _standing(self, *where: sa.ColumnElement[bool]) -> Sequence[_Told]:
        """Deposits that stand, by age."""
        statement = _TOLD.where(deposits.c.removed_at.is_(None), *where).order_by(deposits.c.id)
        return [tuple(row) for row in await self._tx.execute(statement)]

    def _depth(self, told: _Told) -> int:
        return self.at.tip.number - told[3]

    def _tell(self, kind: ChainEventKind, deposit: _Told, confirmations: int) -> None:
        number, address, amount, block_number, block_hash, tx_hash = deposit
        self._last_event += 1
        place = (block_number, block_hash, tx_hash or None, self._now)
        self._events.append((self._last_event, kind.value, address, number, amount, confirmations, *place))

    def _log(self) -> None:
        if len(self._events) > _LINES:
            log.info("deposits_told", upto=self.at.tip.number, **Counter(event[1] for event in self._events))
            return
        for _, kind, address, number, amount, confirmations, block, _, tx_hash, _ in self._events:
            log.info(
                f"deposit_{kind}",
                deposit_id=number,
                address=address,
                amount=amount,
                confirmations=confirmations,
                tx_hash=tx_hash,
                block=block,
            )
