"""The watched addresses in memory, and what each must hold: so that a block needs no look into the database.

There may be tens of thousands, so nothing is kept that is not asked for.
"""

from collections.abc import Iterable, Mapping

from indexer.model import WatchTier
from indexer.store import Watch


class WatchBook:
    """All addresses that have been taken in, as of block ``number``."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.watched: dict[str, str] = {}  # lower case → EIP-55
        self._since: dict[WatchTier, dict[str, int]] = {tier: {} for tier in WatchTier}  # → the baseline's block
        self._balances: dict[str, int] = {}  # at the book's block, by all that is stored; most hold nothing

    def put(self, watch: Watch, net: int) -> None:
        """``net``: credits less spends up to the book's block, in smallest units."""
        for since in self._since.values():
            since.pop(watch.address, None)
        self._since[watch.tier][watch.address] = watch.baseline.block.number
        self.watched[watch.address.lower()] = watch.address
        self._hold(watch.address, watch.baseline.balance + net)

    def move(self, address: str, tier: WatchTier) -> None:
        number = self._began(address)
        if number is None:
            raise KeyError(address)
        for since in self._since.values():
            since.pop(address, None)
        self._since[tier][address] = number

    def count(self, tier: WatchTier) -> int:
        return len(self._since[tier])

    def of(self, tier: WatchTier) -> list[str]:
        """The addresses of a tier."""
        return list(self._since[tier])

    def agreed(self, address: str, swept: Mapping[WatchTier, int]) -> int:
        """The block up to which the address's balance has been checked. ``swept``: the same per tier."""
        [(tier, began)] = [(tier, since[address]) for tier, since in self._since.items() if address in since]
        return max(swept[tier], began)

    def expected_of(self, addresses: Iterable[str], number: int, net: Mapping[str, int]) -> dict[str, int]:
        """What each of those addresses must hold at block ``number`` (smallest units).

        ``net``: credits less spends between the book's block and that one. Addresses whose baseline lies above it, and
        those that are not in the book, are left out.
        """
        balances = self._balances
        return {
            address: balances.get(address, 0) + net.get(address, 0)
            for address in addresses
            if (began := self._began(address)) is not None and began <= number
        }

    def advance(self, number: int, net: Mapping[str, int]) -> None:
        """Go on to a later block."""
        for address, amount in net.items():
            if self._began(address) is not None:
                self._hold(address, self._balances.get(address, 0) + amount)
        self.number = number

    def _began(self, address: str) -> int | None:
        for since in self._since.values():
            if address in since:
                return since[address]
        return None

    def _hold(self, address: str, balance: int) -> None:
        if balance:
            self._balances[address] = balance
        else:
            self._balances.pop(address, None)
