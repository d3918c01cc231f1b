"""Nodes that are behind or disagree, as several URLs or behind one address: never a credit too many or too few."""

import asyncio
import random
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runtime.database import Database
from sandbox import contracts
from sandbox.anvil import Anvil
from tests.indexer.conftest import MakeChain, running, until
from tests.indexer.proxies import Balancer

ONE = 10**18


@asynccontextmanager
async def two_of_one_chain(folder: Path, shared: int) -> AsyncIterator[tuple[Anvil, Anvil]]:
    """Two nodes with the same first blocks, each of which then goes its own way."""
    state, copy = folder / "state.json", folder / "copy.json"
    async with Anvil.start(state_file=state) as first:
        await first.mine(shared)

        async def written() -> bool:
            return state.exists() and state.stat().st_mtime_ns > before

        before = state.stat().st_mtime_ns if state.exists() else 0
        await until(written, "the state is on disk")
        before = state.stat().st_mtime_ns
        await until(written, "the state is on disk, with all blocks")
        shutil.copy(state, copy)
        async with Anvil.start(state_file=copy) as second:
            wanted = await first.rpc("eth_getBlockByNumber", "latest", False)
            assert (await second.rpc("eth_getBlockByNumber", "latest", False))["hash"] == wanted["hash"]
            yield first, second


@pytest.mark.parametrize("ahead", [40, pytest.param(500, marks=pytest.mark.long)])
async def test_a_preferred_node_that_is_stuck(
    sqlite: Database, make_chain: MakeChain, tmp_path: Path, address: str, ahead: int
) -> None:
    """The other one is used, for whole pieces of work; the preferred one again when it has caught up."""
    async with two_of_one_chain(tmp_path, 20) as (good, stuck):
        chain = make_chain(good, sqlite, rpc_urls=(stuck.http_url, good.http_url), ws_url=stuck.ws_url)
        indexer = chain.indexer()
        async with running(indexer):

            async def begun() -> bool:
                return indexer.health().cursor == 20

            await until(begun, "it stands where both are")
            await chain.open(address)
            await contracts.receipt(good, await good.send(address, ONE))
            await good.mine(ahead)
            await chain.confirmed(address)
            await chain.level(indexer)
            heads = [node["head"] for node in indexer.health().nodes]
            assert heads[0] == 20
            assert indexer.health().is_healthy
            await contracts.receipt(good, await contracts.pay_by_forwarder(good, address, 7))
            await good.mine(4)
            found = await chain.confirmed(address, 2)
    assert [deposit.amount for deposit in found] == [ONE, 7]
    assert [event.kind.value for event in await chain.events()].count("removed") == 0


async def test_a_node_that_hangs_holds_nothing_up(
    node: Anvil, sqlite: Database, make_chain: MakeChain, address: str
) -> None:
    """The second of two takes questions and never answers: payments are seen as fast as ever."""
    async with Anvil.start() as other:
        other.pause()
        chain = make_chain(node, sqlite, rpc_urls=(node.http_url, other.http_url), rpc_timeout=30.0)
        indexer = chain.indexer()
        async with running(indexer):
            async with asyncio.timeout(5):
                await chain.level(indexer)
                await chain.open(address)
                for place in range(5):
                    await contracts.receipt(node, await node.send(address, 1 + place))
                await node.mine(4)
                await chain.confirmed(address, 5)
            assert indexer.health().is_healthy
        other.resume()


@pytest.mark.parametrize("ahead", [60, pytest.param(500, marks=pytest.mark.long)])
async def test_uneven_nodes_behind_one_address(
    sqlite: Database, make_chain: MakeChain, tmp_path: Path, address: str, ahead: int
) -> None:
    """Each request goes to either; one is far behind. It waits and tries again, and takes nothing back."""
    chance = random.Random(5)
    async with (
        two_of_one_chain(tmp_path, 20) as (good, behind),
        Balancer.before([good.http_url, behind.http_url], lambda: int(chance.random() < 0.3)) as one,
    ):
        chain = make_chain(good, sqlite, rpc_urls=(one.http_url,), ws_url=good.ws_url)
        indexer = chain.indexer()
        async with running(indexer):

            async def begun() -> bool:
                return indexer.health().cursor == 20

            await until(begun, "it stands where both are")
            await chain.open(address)
            paid = []
            for place in range(6):
                await good.mine(ahead // 6)
                await contracts.receipt(good, await good.send(address, 100 + place))
                await contracts.receipt(good, await contracts.pay_by_forwarder(good, address, 200 + place))
                paid += [100 + place, 200 + place]
            await good.mine(4)
            found = await chain.confirmed(address, 12)
    # Each once. In which block a contract's payment is found may be a later one, where the node that was asked kept
    # the trace to itself.
    assert sorted(deposit.amount for deposit in found) == sorted(paid)
    kinds = [event.kind.value for event in await chain.events()]
    assert (kinds.count("seen"), kinds.count("confirmed"), kinds.count("removed")) == (12, 12, 0)


async def test_two_nodes_behind_one_address_that_disagree(
    sqlite: Database, make_chain: MakeChain, tmp_path: Path, address: str
) -> None:
    """A payment stands on one of two branches: it is not confirmed before they agree, and then once."""
    chance = random.Random(6)
    async with (
        two_of_one_chain(tmp_path, 20) as (good, other),
        Balancer.before([good.http_url, other.http_url], lambda: chance.randrange(2)) as one,
    ):
        chain = make_chain(good, sqlite, rpc_urls=(one.http_url,), ws_url=None, poll_interval=0.02)
        indexer = chain.indexer()
        async with running(indexer):

            async def begun() -> bool:
                return indexer.health().cursor == 20

            await until(begun, "it stands where both are")
            await chain.open(address)
            await other.rpc("evm_increaseTime", 77)
            await other.mine(2)
            await contracts.receipt(good, await good.send(address, ONE))
            await good.mine()

            async def flips() -> bool:
                return [event.kind.value for event in await chain.events()].count("removed") >= 3

            await until(flips, "it has been on both branches")
            assert not any(deposit.confirmed for deposit in await chain.deposits(address))
            one.choose = lambda: 0
            await good.mine(4)
            [deposit] = await chain.confirmed(address)
            await chain.level(indexer)
            await chain.checked(indexer)
    assert deposit.amount == ONE
    assert [event.kind.value for event in await chain.events()].count("confirmed") == 1
