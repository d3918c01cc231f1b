"""What the chain says, as values. Nothing here knows of payments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from runtime.database import Transaction
from runtime.errors import LayoverError


@dataclass(frozen=True, slots=True)
class BlockRef:
    """A block named so that no reorg can swap it unseen."""

    number: int
    hash: str  # 0x…, lower case


@dataclass(frozen=True, slots=True)
class Baseline:
    """What an address held before anybody was asked to pay to it, at a named block."""

    address: str  # EIP-55 checksummed
    block: BlockRef
    balance: int  # wei
    nonce: int

    @property
    def is_fresh(self) -> bool:
        """Never used: no money, no transaction sent. Only such an address is given to a payment."""
        return self.balance == 0 and self.nonce == 0


class WatchTier(StrEnum):
    OPEN = "open"  # looked at on every head: somebody is about to pay
    DORMANT = "dormant"  # a slow sweep, for ever: late money is found too


@dataclass(frozen=True, slots=True)
class Deposit:
    """A credit to a watched address on the canonical chain. ``id`` is the indexer's own, stable while it stands."""

    id: int
    address: str
    amount: int  # wei
    block: BlockRef
    tx_hash: str | None  # None: the chain does not tell (block reward, or found by balance alone)
    sender: str | None
    confirmations: int  # head − block; 0 when just included
    confirmed: bool  # deep enough, and its block's hash and the address's balance were checked again there
    mined_at: datetime  # the block's own time
    seen_at: datetime


class ChainEventKind(StrEnum):
    SEEN = "seen"  # a deposit was included in a block
    DEEPER = "deeper"  # it gained a confirmation (told up to the configured depth)
    CONFIRMED = "confirmed"  # it reached the configured depth, hash and balance checked again there
    REMOVED = "removed"  # a reorg took it back


@dataclass(frozen=True, slots=True)
class ChainEvent:
    """A change at a watched address, in the order of ``seq``. Readers keep a durable cursor over it."""

    seq: int
    kind: ChainEventKind
    address: str
    deposit_id: int
    amount: int
    confirmations: int
    block: BlockRef
    tx_hash: str | None


class TransactionState(StrEnum):
    UNKNOWN = "unknown"
    PENDING = "pending"  # in the node's pool
    MINED = "mined"
    CONFIRMED = "confirmed"  # deep enough
    REVERTED = "reverted"


@dataclass(frozen=True, slots=True)
class TransactionStatus:
    """What became of a transaction, for operators and scripts."""

    tx_hash: str
    state: TransactionState
    confirmations: int
    block: BlockRef | None
    explorer_url: str | None


class ChainUnavailable(LayoverError):
    """No node answered. Try again; nothing was decided."""


class ChainWatch(Protocol):
    """The indexer as its readers see it."""

    async def baseline(self, address: str) -> Baseline:
        """Balance and nonce at the newest block, read at that block's hash. Raises ChainUnavailable."""
        ...

    async def watch(self, tx: Transaction, baseline: Baseline) -> None:
        """Look at the address on every head from the block after its baseline on, also if that block has passed."""
        ...

    async def demote(self, tx: Transaction, address: str) -> None:
        """Nobody waits for this address any more: look at it slowly, but for ever."""
        ...

    async def deposits(self, connection: AsyncConnection, address: str) -> Sequence[Deposit]:
        """What the address was credited with on the canonical chain, oldest first."""
        ...

    async def events(self, connection: AsyncConnection, after: int, limit: int) -> Sequence[ChainEvent]:
        """The changes with a seq above ``after``, in order."""
        ...

    async def read_until(self, connection: AsyncConnection) -> datetime | None:
        """The time of the newest block that has been read whole; None before the first."""
        ...

    async def changed(self) -> None:
        """Wait until events may have been added (woken after commit; a reader polls now and then all the same)."""
        ...
