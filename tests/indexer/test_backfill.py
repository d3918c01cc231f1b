"""After a long absence: few requests where little was paid, and in any case everything that was paid."""

from collections.abc import Sequence

import pytest

from indexer.indexer import Indexer
from runtime.database import Database
from sandbox import contracts
from sandbox.anvil import Anvil
from tests.indexer.conftest import Chain, MakeChain, running
from tests.indexer.proxies import LesserNode
from tests.indexer.test_budget import address_at, watch_many

ONE = 10**18


async def absent(chain: Chain, also: Sequence[str]) -> None:
    """The indexer runs, watches 2,000 addresses and some more, and ends."""
    first = chain.indexer()
    async with running(first):
        await chain.level(first)
        await watch_many(chain, first, 2_000)
        for address in also:
            await chain.open(address)
        await chain.level(first)


async def back(chain: Chain, lesser: LesserNode) -> tuple[Indexer, int]:
    """It runs again until it has caught up; how many requests that took, those of the probe among them."""
    second, before = chain.indexer(), lesser.requests
    async with running(second):
        await chain.level(second)
        await chain.checked(second)
        sent = lesser.requests - before
    return second, sent


@pytest.mark.parametrize("blocks", [800, pytest.param(5_000, marks=pytest.mark.long)])
@pytest.mark.parametrize("traces", [True, False])
async def test_little_was_paid(
    indexed: Database, make_chain: MakeChain, address: str, blocks: int, traces: bool
) -> None:
    """Also by contracts, by nobody, twice in a block, and to an address that holds in the end what it held before."""
    async with (
        Anvil.start(history=blocks + 900) as node,
        LesserNode.before(node.http_url) as lesser,
    ):
        lesser.largest_batch, lesser.gas_cap = 10, 50_000_000
        lesser.refused = set() if traces else {"trace_block"}
        chain = make_chain(node, indexed, rpc_urls=(lesser.http_url,))
        accounts = await node.accounts()
        spender, payer = accounts[5], accounts[6]
        forwarder = await contracts.deploy(node, contracts.FORWARDER)
        await absent(chain, [address, spender])
        await node.mine(blocks // 4)
        await contracts.receipt(node, await node.send(address, ONE))
        held = await node.balance(spender)
        await contracts.receipt(node, await node.send(payer, 5 * ONE, sender=spender))
        await node.mine(blocks // 4)
        await contracts.receipt(node, await node.send(spender, held - await node.balance(spender), sender=payer))
        assert await node.balance(spender) == held
        inner = await contracts.transact(node, forwarder, contracts.call_data(address_at(77)), 7)
        await contracts.receipt(node, inner)
        await node.mine(blocks // 4)
        await node.rpc("evm_setAutomine", False)
        await node.send(address, 3)
        await contracts.transact(node, forwarder, contracts.call_data(address), 4)
        await node.mine()
        await node.rpc("evm_setAutomine", True)
        await node.rpc("anvil_setBalance", address_at(88), hex(11))
        await node.mine(blocks // 4)
        second, sent = await back(chain, lesser)
        assert sent <= 75  # however many blocks: the probe, the halving, and the last 128 blocks one by one
        assert second.health().short_addresses == 0
        assert {one.amount for one in await chain.confirmed(address, 3)} == {ONE, 3, 4}
        [returned] = await chain.confirmed(spender)
        assert returned.sender == payer.lower()
        assert [(one.amount, one.tx_hash) for one in await chain.confirmed(address_at(77))] == [(7, inner)]
        assert [(one.amount, one.tx_hash) for one in await chain.confirmed(address_at(88))] == [(11, None)]
        # and it goes on from there, also over a reorg
        async with running(chain.indexer()):
            await chain.level(chain.newest)
            await contracts.receipt(node, await node.send(address, 9))
            await chain.seen(address, 4)
            await node.reorg(1)
            await node.mine(5)
            await chain.level(chain.newest)
            assert len(await chain.deposits(address)) == 3
    kinds = [event.kind.value for event in await chain.events()]
    assert (kinds.count("seen"), kinds.count("confirmed"), kinds.count("removed")) == (7, 6, 1)


async def test_much_was_paid(sqlite: Database, make_chain: MakeChain, address: str) -> None:
    """To many addresses, in many blocks: they are read one after the other."""
    async with Anvil.start(history=1_500) as node, LesserNode.before(node.http_url) as lesser:
        chain = make_chain(node, sqlite, rpc_urls=(lesser.http_url,))
        await absent(chain, [address])
        for place in range(1, 120):
            await node.send(address_at(place), place)
            await node.mine(5)
        lesser.calls.clear()
        await back(chain, lesser)
        assert lesser.calls.count("eth_getBlockByNumber") >= 119 * 6
        for place in (1, 60, 119):
            assert [one.amount for one in await chain.confirmed(address_at(place))] == [place]


async def test_a_node_that_forgets_old_balances(sqlite: Database, make_chain: MakeChain, address: str) -> None:
    """No traces either: blocks are read, and what a contract paid stands in the oldest block it can tell of.

    /health says so.
    """
    async with Anvil.start(history=100) as node, LesserNode.before(node.http_url) as lesser:
        lesser.refused = {"trace_block", "debug_traceBlockByHash"}
        chain = make_chain(node, sqlite, rpc_urls=(lesser.http_url,))
        await absent(chain, [address])
        inside = await contracts.receipt(node, await contracts.pay_by_forwarder(node, address, 6))
        await contracts.receipt(node, await node.send(address, 5))
        await node.mine(700)
        second, _ = await back(chain, lesser)
        direct, found = sorted(await chain.confirmed(address, 2), key=lambda one: one.amount)
        assert (direct.amount, found.amount, found.tx_hash) == (5, 6, None)
        head = await node.block_number()
        assert int(inside["blockNumber"], 16) < head - 500 < head - 110 < found.block.number
        [report] = second.health().nodes
        assert report["abilities"]["history"] == 64  # type: ignore[index]
        assert any("64 blocks back" in words for words in report["limits"])  # type: ignore[attr-defined]
