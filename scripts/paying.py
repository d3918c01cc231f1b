"""Paying on a development node from an account that the node itself signs for, and watching the confirmations."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from payments.money import Coin
from runtime.errors import LayoverError
from sandbox import contracts
from sandbox.node import Node

Say = Callable[[str], None]
_SILENCE = 15.0  # seconds without a new block after which the watcher says what may be wrong
_GAS_RESERVE = 10**17  # wei that the paying account keeps for fees


class WrongInput(LayoverError):
    """The command cannot be carried out as it was given; exit code 2."""


class NotPaid(LayoverError):
    """The node did not do what it was asked; exit code 1."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be paid. ``parts`` are in wei; several make several transactions."""

    address: str
    parts: tuple[int, ...]
    via_contract: bool


async def require_local(node: Node, chain_id: int, *, despite: bool) -> None:
    """Refuses a chain other than the daemon's and, unless ``despite``, any but a development node on this machine.

    A tunnel to the public testnet would be a local address with the right chain id: so the node's name counts too.
    Raises WrongInput.
    """
    host = urlsplit(node.http_url).hostname or ""
    if not despite and not _is_loopback(host):
        raise WrongInput(f"{host or node.http_url} is not this machine; this script pays on a local development node")
    actual = int(await node.rpc("eth_chainId"), 16)
    if actual != chain_id:
        raise WrongInput(f"the node is on chain {actual}, and the daemon's is {chain_id} (CIRCLE_LAYER_CHAIN_ID)")
    name: str = await node.rpc("web3_clientVersion")
    if not despite and not name.lower().startswith(("anvil/", "hardhatnetwork/")):
        raise WrongInput(f"the node calls itself {name!r}, which is no development node")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def pay(node: Node, order: Order, coin: Coin, *, say: Say) -> list[str]:
    """Send every part. Returns the transactions' hashes. Raises NotPaid, RpcError, aiohttp.ClientError."""
    sender = await _payer(node, sum(order.parts))
    forwarder = await contracts.deploy(node, contracts.FORWARDER) if order.via_contract else None
    transactions = []
    for number, wei in enumerate(order.parts, start=1):
        if forwarder is None:
            transaction = await node.send(order.address, wei, sender=sender)
        else:
            data = contracts.call_data(order.address)
            transaction = await contracts.transact(node, forwarder, data, wei, sender=sender)
        transactions.append(transaction)
        part = f" (part {number} of {len(order.parts)})" if len(order.parts) > 1 else ""
        through = f" through the contract {forwarder}" if forwarder else ""
        say(f"Sent {coin.text(wei)} to {order.address}{through}{part}: {transaction}")
    return transactions


async def _payer(node: Node, wei: int) -> str:
    """The first of the node's own accounts that has that much."""
    accounts = await node.accounts()
    if not accounts:
        raise NotPaid("the node signs for no account; start Anvil with its dev accounts")
    for account in accounts:
        if await node.balance(account) >= wei + _GAS_RESERVE:
            return account
    raise NotPaid("none of the node's accounts has that much; try a smaller --amount")


async def watch(node: Node, transactions: Sequence[str], wanted: int, *, within: float, say: Say) -> None:
    """Tell the confirmations of the youngest transaction until there are ``wanted`` (0: it is in a block).

    ``within``: seconds. Raises NotPaid where one of them failed or the time is up.
    """
    try:
        async with asyncio.timeout(within) as limit:
            await _watch(node, transactions, wanted, say)
    except TimeoutError:
        if not limit.expired():
            raise
        raise NotPaid(f"not confirmed within {within:g} s; what was sent may still be") from None


async def _watch(node: Node, transactions: Sequence[str], wanted: int, say: Say) -> None:
    clock = asyncio.get_running_loop()
    shown, head, head_since, warned = "", -1, clock.time(), False
    while True:
        depth = await _depth(node, transactions)
        line = "Waiting for a block …" if depth is None else f"{min(depth, wanted)} of {wanted} confirmations"
        if line != shown:
            say(line)
            shown = line
        if depth is not None and depth >= wanted:
            return
        before, head = head, await node.block_number()
        if head != before:
            head_since, warned = clock.time(), False
        elif not warned and clock.time() - head_since > _SILENCE:
            say(f"(no new block for {_SILENCE:.0f} s: does the node mine by itself? Anvil does with --block-time 1)")
            warned = True
        await asyncio.sleep(0.1)


async def _depth(node: Node, transactions: Sequence[str]) -> int | None:
    """Blocks on top of the youngest of them; None where one is in no block (any more)."""
    receipts = [await node.rpc("eth_getTransactionReceipt", transaction) for transaction in transactions]
    if not all(receipts):
        return None
    if any(receipt["status"] == "0x0" for receipt in receipts):
        raise NotPaid("the transaction failed on the chain: nothing was paid")
    return await node.block_number() - max(int(receipt["blockNumber"], 16) for receipt in receipts)
