"""Single questions to the chain, for operators and scripts: a balance, and what became of a transaction."""

from dataclasses import dataclass

import msgspec

from indexer.addresses import checksum_address
from indexer.config import ChainConfig
from indexer.model import BlockRef, TransactionState, TransactionStatus
from indexer.nodes import NodePool
from indexer.reading import headers_at
from indexer.rpc import BlockGone, Call, Node
from indexer.taking_in import accounts_at
from indexer.wire import Header, Receipt, quantity
from runtime.errors import LayoverError

_HASH_LENGTH = 66  # 0x and 64 hex digits


class BadTransactionHash(LayoverError):
    def __init__(self, text: str) -> None:
        super().__init__(f"{text[:80]!r} is not a transaction's hash: it takes 0x and 64 hex digits")


@dataclass(frozen=True, slots=True)
class Holding:
    """What an address held after a block that has ``confirmations`` blocks on top."""

    address: str
    balance: int  # smallest units
    block: BlockRef
    confirmations: int
    explorer_url: str | None


class _Located(msgspec.Struct, rename="camel"):
    """A transaction as far as its place goes; without a block it waits in the node's pool."""

    hash: str
    block_hash: str | None = None


class Inspector:
    """Asks the nodes of a pool; needs no database. Raises ChainUnavailable where none answers."""

    def __init__(self, nodes: NodePool, config: ChainConfig) -> None:
        self._nodes = nodes
        self._config = config

    async def check_balance(self, address: str, min_confirmations: int | None = None) -> Holding:
        """What the address holds of what is paid with: the native coin, or the token that is configured.

        At the newest block that is ``min_confirmations`` deep (by default as configured); where the chain is shorter
        than that, at its first block. Raises BadAddress, ChainUnavailable.
        """
        return await self._look(address, min_confirmations, native=False)

    async def check_native_balance(self, address: str, min_confirmations: int | None = None) -> Holding:
        """The same of the native coin, whatever is paid with."""
        return await self._look(address, min_confirmations, native=True)

    async def _look(self, address: str, min_confirmations: int | None, *, native: bool) -> Holding:
        checksummed = checksum_address(address)
        depth = self._config.confirmations if min_confirmations is None else min_confirmations
        if depth < 0:
            raise ValueError("confirmations cannot be negative")
        return await self._nodes.use(lambda node: self._balance(node, checksummed, depth, native))

    async def get_transaction_status(self, tx_hash: str) -> TransactionStatus:
        """Unknown, pending, mined, confirmed or reverted. Raises BadTransactionHash, ChainUnavailable."""
        text = tx_hash.lower()
        if len(text) != _HASH_LENGTH or not text.startswith("0x") or set(text[2:]) - set("0123456789abcdef"):
            raise BadTransactionHash(tx_hash)
        return await self._nodes.use(lambda node: self._status(node, text))

    async def _balance(self, node: Node, address: str, depth: int, native: bool) -> Holding:
        head = await node.call("eth_getBlockByNumber", ["latest", False], Header)
        number = max(0, head.height - depth)
        [header] = await headers_at(node, [number])
        if header is None:
            raise BlockGone(f"the node does not give block {number}")
        block = BlockRef(number, header.hash)
        [(balance, _)] = await accounts_at(node, [address], block, native=native)
        return Holding(address, balance, block, head.height - number, self._config.explorer_address(address))

    async def _status(self, node: Node, tx_hash: str) -> TransactionStatus:
        transaction, receipt, head = await node.batch(
            [
                Call("eth_getTransactionByHash", [tx_hash], _Located | None),
                Call("eth_getTransactionReceipt", [tx_hash], Receipt | None),
                Call("eth_getBlockByNumber", ["latest", False], Header),
            ]
        )
        url = self._config.explorer_url(tx_hash)
        if receipt is None:
            state = TransactionState.UNKNOWN if transaction is None else TransactionState.PENDING
            return TransactionStatus(tx_hash, state, 0, None, url)
        block = BlockRef(quantity(receipt.block_number), receipt.block_hash)
        confirmations = max(0, head.height - block.number)
        if not receipt.succeeded:
            state = TransactionState.REVERTED
        elif confirmations >= self._config.confirmations:
            state = TransactionState.CONFIRMED
        else:
            state = TransactionState.MINED
        return TransactionStatus(tx_hash, state, confirmations, block, url)
