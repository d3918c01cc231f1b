"""A chain to read: an Anvil with many blocks of plain transfers, some of them to watched addresses."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from indexer.addresses import AddressBook, account_xpub
from indexer.model import BlockRef
from sandbox.anvil import DEV_MNEMONIC, Anvil

GAS_PRICE = 21 * 10**9
_PAYERS = 20
_FIRST_INDEX = 100
_HISTORY = 64  # blocks whose balances the node keeps


class ChainNotBuilt(Exception):
    """The node refused a call that builds the chain."""


@dataclass(frozen=True, slots=True)
class Paid:
    """A transfer to a watched address that was put on the chain."""

    address: str
    amount: int  # wei
    tx_hash: str


def deposit_addresses(count: int) -> list[str]:
    """Addresses of the development account, checksummed; not its first ones, which hold coins from the start."""
    book = AddressBook(account_xpub(DEV_MNEMONIC))
    return [book.address(index) for index in range(_FIRST_INDEX, _FIRST_INDEX + count)]


def stranger(number: int) -> str:
    """An address nobody watches."""
    return f"0x{0x5742A46E5 << 96 | number % 500:040x}"


class BusyChain:
    """Mines when told. The payers are impersonated: a chain for a benchmark needs no signatures."""

    def __init__(self, anvil: Anvil, http: aiohttp.ClientSession) -> None:
        self.anvil = anvil
        self._http = http
        self._payers = [f"0x{0xFA7E5 << 128 | index:040x}" for index in range(_PAYERS)]
        self._nonces = [0] * _PAYERS
        self._sent = 0
        self.paid: list[Paid] = []

    @classmethod
    @asynccontextmanager
    async def start(cls) -> AsyncIterator["BusyChain"]:
        async with Anvil.start(accounts=1, history=_HISTORY) as anvil, aiohttp.ClientSession() as http:
            chain = cls(anvil, http)
            await chain._batch(
                [("evm_setAutomine", [False])]
                + [("anvil_impersonateAccount", [payer]) for payer in chain._payers]
                + [("anvil_setBalance", [payer, hex(10**30)]) for payer in chain._payers]
            )
            yield chain

    async def fill(self, transfers: int, to_watched: Sequence[str]) -> None:
        """Put a block's transfers into the pool: one to each of ``to_watched``, the rest to strangers."""
        recipients = [*to_watched, *(stranger(self._sent + index) for index in range(transfers - len(to_watched)))]
        sends: list[tuple[str, list[Any]]] = []
        amounts: list[int] = []
        for place, recipient in enumerate(recipients):
            self._sent += 1
            amounts.append(10**15 + self._sent)
            transfer = self._transfer(place % _PAYERS, recipient, amounts[-1])
            sends.append(("eth_sendUnsignedTransaction", [transfer]))
        hashes = await self._batch(sends)
        self.paid += map(Paid, to_watched, amounts, hashes)

    async def mine(self) -> None:
        """One block of all that is in the pool."""
        await self.anvil.rpc("evm_mine")

    async def newest(self) -> BlockRef:
        latest = await self.anvil.rpc("eth_getBlockByNumber", "latest", False)
        return BlockRef(int(latest["number"], 16), latest["hash"])

    async def build(self, blocks: int, transfers: int, hits: int, watched: Sequence[str]) -> None:
        """That many blocks, each with ``hits`` transfers to watched addresses, taken in turn."""
        turn = 0
        for _ in range(blocks):
            await self.fill(transfers, [watched[(turn + place) % len(watched)] for place in range(hits)])
            turn += hits
            await self.mine()

    def _transfer(self, payer: int, recipient: str, amount: int) -> Mapping[str, str]:
        nonce = self._nonces[payer]
        self._nonces[payer] += 1
        return {
            "from": self._payers[payer],
            "to": recipient,
            "value": hex(amount),
            "gas": "0x5208",
            "gasPrice": hex(GAS_PRICE),
            "nonce": hex(nonce),
        }

    async def _batch(self, calls: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        body = [
            {"jsonrpc": "2.0", "id": index, "method": method, "params": params}
            for index, (method, params) in enumerate(calls)
        ]
        async with self._http.post(self.anvil.http_url, json=body) as response:
            answers = sorted(await response.json(), key=lambda answer: answer["id"])
        for answer in answers:
            if "error" in answer:
                raise ChainNotBuilt(str(answer["error"]))
        return [answer["result"] for answer in answers]
