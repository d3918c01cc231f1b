"""What the sweep asks of the chain, in few requests: the daemon's own client of the nodes, and signing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_account import Account
from eth_utils.address import to_checksum_address

from indexer.addresses import account_xpub
from indexer.model import BlockRef
from indexer.nodes import NodePool
from indexer.reading import headers_at
from indexer.rpc import BlockGone, Call, CallRefused, Node
from indexer.sweep import NO_BALANCE, differences
from indexer.wire import Header, Receipt, quantity
from scripts.sweeping.journal import Signed

TRANSFER_GAS = 21_000  # of a plain transfer to an address without code
_BALANCE_OF = "0x70a08231"  # https://eips.ethereum.org/EIPS/eip-20
_TRANSFER = "0xa9059cbb"
_KNOWN = ("already known", "already imported", "known transaction")  # the node has this very transaction


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transaction to be signed. ``gas`` is its limit; ``token`` None: the native coin."""

    address: str
    index: int
    nonce: int
    recipient: str
    token: str | None
    amount: int
    gas_price: int
    gas: int


class SweepChain:
    """Every call may raise ChainUnavailable; WrongChain where the nodes are of another chain."""

    def __init__(self, nodes: NodePool, chain_id: int, confirmations: int) -> None:
        self._nodes = nodes
        self._chain_id = chain_id
        self._confirmations = confirmations

    async def genesis(self) -> str:
        async def ask(node: Node) -> str:
            [header] = await headers_at(node, [0])
            if header is None:
                raise BlockGone("the node has no genesis block")
            return header.hash

        genesis = await self._nodes.use(ask)
        self._nodes.expect_genesis(genesis)
        return genesis

    async def head(self) -> int:
        header = await self._nodes.use(lambda node: node.call("eth_getBlockByNumber", ["latest", False], Header))
        return header.height

    async def settled_balances(self, addresses: Sequence[str]) -> dict[str, int]:
        """Wei of each address at the block that is deep enough."""

        async def ask(node: Node) -> dict[str, int]:
            block = await self._settled(node)
            return await differences(node, block, dict.fromkeys(addresses, NO_BALANCE))

        return await self._nodes.use(ask)

    async def settled_tokens(self, token: str, addresses: Sequence[str]) -> dict[str, int]:
        """Units of the token that each address has there."""

        async def ask(node: Node) -> dict[str, int]:
            place = hex((await self._settled(node)).number)
            answers = await node.batch(
                [
                    Call("eth_call", [{"to": token, "data": _BALANCE_OF + _word(address)}, place], str)
                    for address in addresses
                ]
            )
            return {address: quantity(answer) for address, answer in zip(addresses, answers, strict=True)}

        return await self._nodes.use(ask)

    async def nonces(self, addresses: Sequence[str]) -> dict[str, int]:
        """How many transactions of each address are in the chain."""
        answers = await self._batch([Call("eth_getTransactionCount", [each, "latest"], str) for each in addresses])
        return {address: quantity(answer) for address, answer in zip(addresses, answers, strict=True)}

    async def gas_price(self) -> int:
        """What the node suggests, in wei."""
        [price] = await self._batch([Call("eth_gasPrice", [], str)])
        return quantity(price)

    async def gas_to(self, recipient: str, sender: str) -> int:
        """The gas limit of a native transfer: more than usual where the recipient is a contract (a multisig wallet)."""
        [code] = await self._batch([Call("eth_getCode", [recipient, "latest"], str)])
        if code in ("0x", "0x0"):
            return TRANSFER_GAS
        return await self._estimate({"from": sender, "to": recipient, "value": "0x1"})

    async def gas_of_token(self, token: str, recipient: str, sender: str, amount: int) -> int:
        return await self._estimate({"from": sender, "to": token, "data": _transfer_data(recipient, amount)})

    async def send(self, signed: Sequence[Signed]) -> dict[str, str]:
        """Give them to a node. By hash, what it says of those that it refused; to have one already is no refusal."""

        async def ask(node: Node) -> list[Any]:
            return await node.attempt([Call("eth_sendRawTransaction", [each.raw], str) for each in signed])

        answers = await self._nodes.use(ask)
        refused = {}
        for each, answer in zip(signed, answers, strict=True):
            if isinstance(answer, CallRefused) and not any(word in answer.message.lower() for word in _KNOWN):
                refused[each.hash] = answer.message[:200]
        return refused

    async def receipts(self, hashes: Sequence[str]) -> dict[str, Receipt]:
        """Of those that are in the chain."""
        answers = await self._batch([Call("eth_getTransactionReceipt", [each], Receipt | None) for each in hashes])
        return {receipt.transaction_hash: receipt for receipt in answers if receipt is not None}

    async def _settled(self, node: Node) -> BlockRef:
        latest = await node.call("eth_getBlockByNumber", ["latest", False], Header)
        [header] = await headers_at(node, [max(0, latest.height - self._confirmations)])
        if header is None:
            raise BlockGone("the node does not give the block that is deep enough")
        return BlockRef(header.height, header.hash)

    async def _estimate(self, call: Mapping[str, str]) -> int:
        [gas] = await self._batch([Call("eth_estimateGas", [call], str)])
        return quantity(gas) * 5 // 4

    async def _batch(self, calls: Sequence[Call]) -> list[Any]:
        return await self._nodes.use(lambda node: node.batch(calls))


class Signer:
    """Holds the mnemonic. Legacy transactions: Circle Layer's base fee is 0, and its price has a floor."""

    def __init__(self, mnemonic: str, path: str, chain_id: int) -> None:
        """Raises BadMnemonic, BadDerivationPath."""
        self.account = account_xpub(mnemonic, path)
        self._mnemonic = " ".join(mnemonic.split())
        self._path = path
        self._chain_id = chain_id
        Account.enable_unaudited_hdwallet_features()

    def sign(self, transfer: Transfer) -> Signed:
        key = Account.from_mnemonic(self._mnemonic, account_path=self._path.format(i=transfer.index))
        if key.address != transfer.address:
            raise AssertionError(f"index {transfer.index} does not derive {transfer.address}")
        is_native = transfer.token is None
        made = key.sign_transaction(
            {
                "chainId": self._chain_id,
                "nonce": transfer.nonce,
                "gasPrice": transfer.gas_price,
                "gas": transfer.gas,
                "to": to_checksum_address(transfer.token or transfer.recipient),
                "value": transfer.amount if is_native else 0,
                "data": "0x" if is_native else _transfer_data(transfer.recipient, transfer.amount),
            }
        )
        return Signed(
            address=transfer.address,
            index=transfer.index,
            nonce=transfer.nonce,
            recipient=transfer.recipient,
            token=transfer.token,
            amount=transfer.amount,
            gas_price=transfer.gas_price,
            fee=transfer.gas * transfer.gas_price,
            hash="0x" + bytes(made.hash).hex(),
            raw="0x" + bytes(made.raw_transaction).hex(),
        )


def _transfer_data(recipient: str, amount: int) -> str:
    return _TRANSFER + _word(recipient) + f"{amount:064x}"


def _word(address: str) -> str:
    return address[2:].lower().rjust(64, "0")
