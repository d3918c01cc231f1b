"""Requests to read blocks again, as rows: an operator's command writes one, the process that indexes works it off."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from indexer.tables import deposits, rescans, spends
from runtime.clock import Clock
from runtime.database import Database, Transaction


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a rescan. Amounts in wei, as text: they may be longer than JSON's numbers."""

    first: int = 0
    last: int = 0  # below first: there was nothing to read
    deposits: int = 0  # missed ones that were found
    amount: str = "0"  # theirs
    spends: int = 0  # missed ones that were found
    counted: int = 0  # deposits shown by the blocks that are counted already as a difference of balances
    short: tuple[str, ...] = ()  # addresses that hold less than their deposits say
    error: str | None = None  # why it was given up


@dataclass(frozen=True, slots=True)
class Rescan:
    """A request. ``reached``: read again up to that block so far; None: not begun."""

    id: int
    first: int
    requested_at: datetime
    reached: int | None
    report: Report | None  # None: not finished


async def request(tx: Transaction, first: int, now: datetime) -> int:
    """Ask for the blocks from ``first`` on. One that is asked for already and not finished serves again. Its id."""
    same = sa.select(rescans.c.id).where(rescans.c.finished_at.is_(None), rescans.c.first == first)
    known: int | None = (await tx.execute(same.limit(1))).scalar_one_or_none()
    if known is not None:
        return known
    added = await tx.execute(sa.insert(rescans).values(first=first, requested_at=now).returning(rescans.c.id))
    return int(added.scalar_one())


async def get(connection: AsyncConnection, rescan_id: int) -> Rescan:
    return _rescan((await connection.execute(sa.select(rescans).where(rescans.c.id == rescan_id))).one())


async def newest(connection: AsyncConnection) -> Rescan | None:
    row = (await connection.execute(sa.select(rescans).order_by(rescans.c.id.desc()).limit(1))).one_or_none()
    return None if row is None else _rescan(row)


class Rescans:
    """The requests as the indexer sees them, and what it has stored of the blocks in question."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def next(self) -> Rescan | None:
        """The oldest that is not finished."""
        waiting = sa.select(rescans).where(rescans.c.finished_at.is_(None)).order_by(rescans.c.id).limit(1)
        async with self._database.snapshot() as connection:
            row = (await connection.execute(waiting)).one_or_none()
        return None if row is None else _rescan(row)

    async def reached(self, rescan: Rescan, block: int) -> None:
        async with self._database.transaction() as tx:
            await tx.execute(sa.update(rescans).where(rescans.c.id == rescan.id).values(reached=block))

    async def finish(self, rescan: Rescan, report: Report) -> None:
        values = {"report": asdict(report), "finished_at": self._clock.now()}
        async with self._database.transaction() as tx:
            await tx.execute(sa.update(rescans).where(rescans.c.id == rescan.id).values(values))

    async def known(self, first: int, last: int) -> set[tuple[str, str, str, str]]:
        """(block hash, transaction hash or "", path, address) of the deposits and spends stored in those blocks."""
        found: set[tuple[str, str, str, str]] = set()
        async with self._database.snapshot() as connection:
            for table, where in ((deposits, [deposits.c.removed_at.is_(None)]), (spends, [])):
                origin = (table.c.block_hash, table.c.tx_hash, table.c.path, table.c.address)
                statement = sa.select(*origin).where(table.c.block_number.between(first, last), *where)
                found |= {(row[0], row[1], row[2], row[3]) for row in await connection.execute(statement)}
        return found


def _rescan(row: sa.Row[Any]) -> Rescan:
    report = None
    if row.finished_at is not None:
        report = Report(**(row.report | {"short": tuple(row.report["short"])}))
    return Rescan(row.id, row.first, row.requested_at, row.reached, report)
