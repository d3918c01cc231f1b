"""What a node is asked stays within what was agreed, whatever the number of addresses."""

import asyncio
from dataclasses import replace

import pytest

from indexer.addresses import checksum_address
from indexer.budget import Budget
from indexer.indexer import Indexer
from indexer.model import Baseline
from runtime.database import Database
from sandbox import contracts
from sandbox.anvil import Anvil
from tests.indexer.conftest import Chain, MakeChain, running, until
from tests.indexer.proxies import LesserNode


async def test_never_more_in_any_minute_than_agreed() -> None:
    """Six minutes of a time that runs 600 times as fast; with a pause in them, after which nothing is caught up."""
    loop = asyncio.get_running_loop()
    sent: list[float] = []
    skipped = 0.0

    def now() -> float:
        return (loop.time() - began) * 600 + skipped

    began = loop.time()
    budget = Budget(100, now, lambda seconds: asyncio.sleep(seconds / 600))
    while now() < 360:
        await budget.take(10)
        sent.append(now())
        if len(sent) == 150:
            skipped += 90.0  # nothing to ask for a minute and a half
    most = max(sum(start <= at < start + 60 for at in sent) for start in sent)
    assert 80 < most <= 100
    assert budget.spending().requests == len(sent)
    assert budget.spending().calls == 10 * len(sent)
    assert budget.spending().largest_batch == 10


def address_at(place: int) -> str:
    return checksum_address(f"0x{place << 64:040x}")


async def watch_many(chain: Chain, indexer: Indexer, count: int) -> Baseline:
    """Watch that many addresses, all fresh."""
    first = await indexer.baseline(address_at(1))
    for start in range(1, count + 1, 5_000):
        async with chain.database.transaction() as tx:
            for place in range(start, min(start + 5_000, count + 1)):
                await indexer.watch(tx, replace(first, address=address_at(place)))

    async def taken_in() -> bool:
        return indexer.health().open_addresses == count

    await until(taken_in, "all are taken in", patience=120)
    return first


@pytest.mark.parametrize(
    ("count", "blocks"), [(5_000, 30), pytest.param(50_000, 100, marks=pytest.mark.long)], ids=["5,000", "50,000"]
)
@pytest.mark.parametrize("kind", ["public", "without overrides", "own"])
async def test_five_requests_a_block(
    node: Anvil, sqlite: Database, make_chain: MakeChain, count: int, blocks: int, kind: str
) -> None:
    """Counted at the node, for a node with Circle Layer's public limits and for one of our own.

    Blocks come one by one, each is waited for; every fifth pays an address, half of them by a contract.
    """
    async with LesserNode.before(node.http_url) as counting:
        if kind != "own":
            counting.refused = {"trace_block", "debug_traceBlockByHash"}
            counting.largest_batch, counting.gas_cap, counting.largest_body = 10, 50_000_000, 1_000_000
        counting.refuses_overrides = kind == "without overrides"
        chain = make_chain(node, sqlite, rpc_urls=(counting.http_url,), batch_size=10, rpc_timeout=30.0)
        indexer = chain.indexer()
        forwarder = await contracts.deploy(node, contracts.FORWARDER)
        async with running(indexer):
            await chain.level(indexer)
            await watch_many(chain, indexer, count)
            await node.mine()
            await chain.level(indexer)
            before = indexer.nodes.spending()[0][1]
            seen_before, paid, first = counting.requests, {}, await node.block_number()
            for place in range(blocks):
                if place % 10 == 4:
                    paid[address_at(7 + place * 31)] = 100 + place
                    tx = await node.send(address_at(7 + place * 31), 100 + place)
                    await contracts.receipt(node, tx)
                elif place % 10 == 9:
                    paid[address_at(7 + place * 31)] = 100 + place
                    data = contracts.call_data(address_at(7 + place * 31))
                    await contracts.receipt(node, await contracts.transact(node, forwarder, data, 100 + place))
                else:
                    await node.mine()
                await chain.level(indexer)
            passed = await node.block_number() - first
            spent = indexer.nodes.spending()[0][1]
            assert passed == blocks
            assert spent.requests - before.requests == counting.requests - seen_before
            assert counting.requests - seen_before <= 5 * blocks
            assert spent.largest_batch <= 10
            await node.mine(16)
            await chain.level(indexer)
            for address, amount in paid.items():
                assert [deposit.amount for deposit in await chain.confirmed(address)] == [amount]


async def test_balances_one_by_one_take_turns(node: Anvil, sqlite: Database, make_chain: MakeChain) -> None:
    """The lowest rung: ten addresses a block are looked at. What a contract paid is found when its turn comes.

    A payment that was seen is decided at its confirmed block all the same.
    """
    count = 120
    async with LesserNode.before(node.http_url) as lesser:
        lesser.refused = {"trace_block", "debug_traceBlockByHash"}
        lesser.refuses_overrides = lesser.refuses_creation = True
        lesser.largest_batch = 10
        chain = make_chain(node, sqlite, rpc_urls=(lesser.http_url,), batch_size=10, dormant_every=20)
        indexer = chain.indexer()
        forwarder = await contracts.deploy(node, contracts.FORWARDER)
        async with running(indexer):
            await chain.level(indexer)
            await watch_many(chain, indexer, count)
            await chain.close(address_at(50))
            before, first, paid = lesser.requests, await node.block_number(), {}
            for place in (1, 50, 119):
                tx = await contracts.transact(node, forwarder, contracts.call_data(address_at(place)), place)
                paid[place] = int((await contracts.receipt(node, tx))["blockNumber"], 16)
            await contracts.receipt(node, await node.send(address_at(7), 7))
            for _ in range(4):
                await chain.level(indexer)
                await node.mine()
            assert [one.amount for one in await chain.confirmed(address_at(7))] == [7]
            for _ in range(40):
                await node.mine()
                await chain.level(indexer)
            for place, block in paid.items():
                [one] = await chain.confirmed(address_at(place))
                assert (one.amount, one.block.number, one.tx_hash) == (place, block, None)
            # a turn a block, and the search by halves for the three payments
            assert lesser.requests - before <= 5 * (await node.block_number() - first) + 3 * 10


async def test_the_budget_is_kept_while_catching_up(
    node: Anvil, sqlite: Database, make_chain: MakeChain, address: str
) -> None:
    """A small one: the indexer is slower, and right in the end; /health tells what was spent."""
    async with LesserNode.before(node.http_url) as counting:
        chain = make_chain(node, sqlite, rpc_urls=(counting.http_url,), requests_per_minute=1200, ws_url=None)
        first = chain.indexer()
        async with running(first):
            await chain.level(first)
            await chain.open(address)
            await chain.level(first)
        for place in range(20):
            await node.mine(40)
            await contracts.receipt(node, await node.send(address, 10 + place))
        await node.mine(4)
        second = chain.indexer()
        began, before = asyncio.get_running_loop().time(), counting.requests
        async with running(second):
            await chain.level(second)
            await chain.confirmed(address, 20)
            sent, seconds = counting.requests - before, asyncio.get_running_loop().time() - began
        budget = second.nodes.spending()[0][1]
        assert budget.requests == sent
        assert sent <= 120 + 18 * seconds + 2
        assert budget.a_minute == 1200
        assert second.health().nodes[0]["budget"]["requests"] == sent  # type: ignore[index]
