"""A database whose process loses power at a commit of our choice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

from runtime.database import Database, Transaction


class Side(StrEnum):
    BEFORE = "before"  # nothing of the unit of work is written
    AFTER = "after"  # it is written, and nobody learns of it


@dataclass(frozen=True, slots=True)
class Cut:
    """Where the power goes: before or after the commit of this number, counted from 1 from the life's begin."""

    commit: int
    side: Side

    def __str__(self) -> str:
        return f"{self.side} commit {self.commit}"


class Power:
    """One life's power. Once it is gone nothing more is written: who tries is cancelled."""

    def __init__(self, cut: Cut | None = None) -> None:
        self.cut = cut
        self.commits = 0
        self.gone = asyncio.Event()

    def check(self) -> None:
        if self.gone.is_set():
            raise asyncio.CancelledError

    def reach(self, commit: int, side: Side) -> None:
        if self.cut == Cut(commit, side):
            self.gone.set()
        self.check()

    def count(self) -> int:
        self.commits += 1
        return self.commits


class FragileDatabase(Database):
    """Like any other, until its ``power`` goes."""

    power = Power()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        self.power.check()
        async with super().transaction() as tx:
            yield tx
            self.power.check()
            commit = self.power.count()
            self.power.reach(commit, Side.BEFORE)
        self.power.reach(commit, Side.AFTER)
