"""The watched addresses in memory, and what each must hold: so that a block needs no look into the database.

There may be tens of thousands, so an entry holds no more than is asked for.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from indexer.model import WatchTier
from indexer.store import Watch


@dataclass(slots=True)
class Entry:
    """``balance`` in wei: what the address held at the book's block, by all that is stored."""

    since: int  # the baseline's block
    tier: WatchTier
    balance: int


class WatchBook:
    """All addresses that have been taken in, as of block ``number``."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.watched: dict[str, str] = {}  # lower case → EIP-55
        self._entries: dict[str, Entry] = {}
        self._counts: Counter[WatchTier] = Counter()

    def put(self, watch: Watch, net: int) -> None:
        """``net``: credits less spends up to the book's block, in wei."""
        if known := self._entries.get(watch.address):
            self._counts[known.tier] -= 1
        self._counts[watch.tier] += 1
        self.watched[watch.address.lower()] = watch.address
        self._entries[watch.address] = Entry(watch.baseline.block.number, watch.tier, watch.baseline.balance + net)

    def move(self, address: str, tier: WatchTier) -> None:
        entry = self._entries[address]
        self._counts[entry.tier] -= 1
        self._counts[tier] += 1
        entry.tier = tier

    def count(self, tier: WatchTier) -> int:
        return self._counts[tier]

    def of(self, tier: WatchTier) -> list[str]:
        """The addresses of a tier."""
        return [address for address, entry in self._entries.items() if entry.tier is tier]

    def agreed(self, address: str, swept: Mapping[WatchTier, int]) -> int:
        """The block up to which the address's balance has been checked. ``swept``: the same per tier."""
        entry = self._entries[address]
        return max(swept[entry.tier], entry.since)

    def expected_of(self, addresses: Iterable[str], number: int, net: Mapping[str, int]) -> dict[str, int]:
        """What each of those addresses must hold at block ``number`` (smallest units).

        ``net``: credits less spends between the book's block and that one. Addresses whose baseline lies above it, and
        those that are not in the book, are left out.
        """
        entries = self._entries
        return {
            address: entry.balance + net.get(address, 0)
            for address in addresses
            if (entry := entries.get(address)) is not None and entry.since <= number
        }

    def advance(self, number: int, net: Mapping[str, int]) -> None:
        """Go on to a later block."""
        for address, amount in net.items():
            if address in self._entries:
                self._entries[address].balance += amount
        self.number = number
