"""Nodes, wires and processes fail, and nothing is lost, doubled or skipped."""

import asyncio
import random
from pathlib import Path

import pytest
import sqlalchemy as sa

from indexer.model import Baseline, BlockRef, ChainUnavailable
from indexer.store import StaleFence
from indexer.tables import blocks, cursor
from runtime.database import Database, Transaction
from sandbox import contracts
from sandbox.anvil import Anvil
from tests.indexer.conftest import MakeChain, running, until
from tests.indexer.proxies import LesserNode, Wire, unreliable

ONE = 10**18


@pytest.mark.parametrize("blocks_away", [300, pytest.param(5000, marks=pytest.mark.long)])
async def test_down_for_many_blocks(
    node: Anvil, indexed: Database, make_chain: MakeChain, address: str, blocks_away: int
) -> None:
    """Everything paid meanwhile is found, the cursor has read each block, and nothing is told twice."""
    chain = make_chain(node, indexed, chunk=20)
    first = chain.indexer()
    async with running(first):
        await chain.level(first)
        await chain.open(address)
        await chain.level(first)
    amounts = []
    for place in range(10):
        await node.mine(blocks_away // 10 - 2)
        await contracts.receipt(node, await node.send(address, 100 + place))
        await contracts.receipt(node, await contracts.pay_by_forwarder(node, address, 200 + place))
        amounts += [100 + place, 200 + place]
    await node.mine(4)
    second = chain.indexer()
    async with running(second):
        await chain.level(second)
        await chain.checked(second)
    assert [deposit.amount for deposit in await chain.confirmed(address, 20)] == amounts
    kinds = [event.kind.value for event in await chain.events()]
    assert (kinds.count("seen"), kinds.count("confirmed")) == (20, 20)
    async with indexed.snapshot() as connection:
        kept = list(await connection.scalars(sa.select(blocks.c.number).order_by(blocks.c.number)))
    assert kept == list(range(kept[-1] - 127, kept[-1] + 1))


async def test_down_for_300_blocks_without_traces(
    node: Anvil, sqlite: Database, make_chain: MakeChain, address: str
) -> None:
    """What contracts paid is found by halving the range: block, transaction and all."""
    async with LesserNode.before(node.http_url) as lesser:
        lesser.refused = {"trace_block"}
        chain = make_chain(node, sqlite, rpc_urls=(lesser.http_url,))
        first = chain.indexer()
        async with running(first):
            await chain.level(first)
            await chain.open(address)
            await chain.level(first)
        paid = []
        for place in range(3):
            await node.mine(97)
            tx = await contracts.pay_by_forwarder(node, address, 200 + place)
            paid.append((200 + place, tx, int((await contracts.receipt(node, tx))["blockNumber"], 16)))
        await node.mine(20)
        second = chain.indexer()
        async with running(second):
            await chain.level(second)
            await chain.checked(second)
        found = await chain.confirmed(address, 3)
    assert [(deposit.amount, deposit.tx_hash, deposit.block.number) for deposit in found] == paid


async def test_node_killed_and_restarted_in_its_past(
    sqlite: Database, make_chain: MakeChain, tmp_path: Path, address: str
) -> None:
    state = tmp_path / "state.json"
    async with Anvil.start(state_file=state) as node:
        chain = make_chain(node, sqlite)
        indexer = chain.indexer()
        async with running(indexer):
            await chain.level(indexer)
            await chain.open(address)
            await node.mine(5)
            await chain.level(indexer)

            async def written() -> bool:
                return state.exists() and (await node.block_number(), state.stat().st_mtime_ns)[1] > before

            before = state.stat().st_mtime_ns if state.exists() else 0
            await until(written, "the state is on disk")
            await contracts.receipt(node, await node.send(address, ONE))
            await chain.seen(address)
            await node.kill()

            async def noticed() -> bool:
                return indexer.health().error is not None

            await until(noticed, "the indexer misses its node")
            await node.restart()
            lost = await node.balance(address) == 0
            await node.rpc("evm_increaseTime", 60)
            await node.mine(8)
            await chain.level(indexer)
            await chain.checked(indexer)
            found = await chain.deposits(address)
            assert sum(deposit.amount for deposit in found) == (0 if lost else ONE)
            await contracts.receipt(node, await node.send(address, 2 * ONE))
            await node.mine(4)
            await chain.level(indexer)
            await chain.checked(indexer)
            assert sum(deposit.amount for deposit in await chain.deposits(address)) == await node.balance(address)


@pytest.mark.parametrize("drops", [20, pytest.param(200, marks=pytest.mark.long)])
async def test_websocket_dropped_again_and_again(
    sqlite: Database, make_chain: MakeChain, address: str, drops: int
) -> None:
    async with Anvil.start(block_time=0.05) as node, Wire.to(node.port) as wire:
        chain = make_chain(node, sqlite, ws_url=wire.ws_url, block_time=0.1)
        indexer = chain.indexer()
        async with running(indexer):
            await chain.level(indexer)
            await chain.open(address)
            for place in range(drops):
                await node.send(address, 100 + place)
                await node.mine(9)
                wire.cut()
                await asyncio.sleep(0.05)  # long enough to be opened again now and then
            found = await chain.confirmed(address, drops)

            async def live() -> bool:
                return indexer.health().heads == "websocket"

            await until(live, "the socket is back")
    assert sorted(deposit.amount for deposit in found) == [100 + place for place in range(drops)]
    assert wire.connections > 3


async def test_a_silent_websocket_is_noticed_and_polling_takes_over(
    sqlite: Database, make_chain: MakeChain, address: str
) -> None:
    block_time = 0.3
    async with Anvil.start(block_time=block_time) as node, Wire.to(node.port) as wire:
        chain = make_chain(node, sqlite, ws_url=wire.ws_url, block_time=block_time, poll_interval=60.0)
        indexer = chain.indexer()
        async with running(indexer):

            async def live() -> bool:
                return indexer.health().heads == "websocket"

            await until(live, "the socket is open")
            await chain.level(indexer)
            await chain.open(address)
            wire.mute()
            muted_at = asyncio.get_running_loop().time()

            async def polling() -> bool:
                return indexer.health().heads == "polling"

            await until(polling, "the silence is noticed")
            assert asyncio.get_running_loop().time() - muted_at < 4 * block_time + 0.5
            await node.send(address, ONE)
            await chain.confirmed(address)
            wire.unmute()
            await until(live, "the socket is back")


async def test_a_quiet_chain_is_no_silent_socket(node: Anvil, sqlite: Database, make_chain: MakeChain) -> None:
    async with Wire.to(node.port) as wire:
        chain = make_chain(node, sqlite, ws_url=wire.ws_url, block_time=0.02)
        indexer = chain.indexer()
        async with running(indexer):
            await chain.level(indexer)
            await asyncio.sleep(0.5)  # many times three block times without a block
            assert indexer.health().heads == "websocket"
            assert indexer.health().is_healthy
            await node.mine()
            await chain.level(indexer)
        assert wire.connections == 1


async def test_a_node_that_is_behind_makes_it_wait(
    sqlite: Database, make_chain: MakeChain, tmp_path: Path, address: str
) -> None:
    """The node in front is replaced by one with an older state of the same chain: nothing is taken back."""
    state = tmp_path / "state.json"
    async with Anvil.start(state_file=state) as node:
        chain = make_chain(node, sqlite, ws_url=None)
        indexer = chain.indexer()
        async with running(indexer):
            await chain.level(indexer)
            await chain.open(address)
            await node.mine(20)
            snapshot = await node.rpc("evm_snapshot")
            await contracts.receipt(node, await node.send(address, ONE))
            await node.mine(200)
            await chain.confirmed(address)
            await chain.level(indexer)
            told = await chain.events()
            await node.rpc("evm_revert", snapshot)

            async def waits() -> bool:
                health = indexer.health()
                return health.head == 20 and health.cursor == 221 and (health.lag_seconds or 0) > 0.2

            await until(waits, "the indexer waits")
            assert await chain.events() == told
            assert indexer.health().halted is None


async def test_wrong_chain_is_refused_with_instructions(sqlite: Database, make_chain: MakeChain, address: str) -> None:
    async with Anvil.start(chain_id=1) as other:
        chain = make_chain(other, sqlite)
        indexer = chain.indexer()
        async with running(indexer):

            async def halted() -> bool:
                return indexer.health().halted is not None

            await until(halted, "it is refused")
            reason = indexer.health().halted or ""
            assert "chain 1, not on 28525" in reason
            assert "CIRCLE_LAYER_RPC_URL" in reason
            with pytest.raises(ChainUnavailable):
                await indexer.baseline(address)
        assert indexer.health().cursor is None


async def test_another_genesis_is_refused_with_instructions(
    indexed: Database, make_chain: MakeChain, address: str
) -> None:
    """Anvil started afresh behind the same URL, while the indexer runs and when it starts."""
    async with Anvil.start() as node:
        chain = make_chain(node, indexed)
        indexer = chain.indexer()

        async def halted() -> bool:
            return "another genesis" in (indexer.health().halted or "")

        async with running(indexer):
            await chain.level(indexer)
            await chain.open(address)
            await contracts.receipt(node, await node.send(address, ONE))
            await node.mine(4)
            await chain.confirmed(address)
            await chain.level(indexer)
            before = (await chain.deposits(address), await chain.events(), indexer.health().cursor)
            await node.kill()
            await asyncio.sleep(1.1)  # Anvil's genesis is as old as its process, in whole seconds
            await node.restart()
            await node.mine(3)
            await until(halted, "it is refused")
            await node.mine(30)
            await until(halted, "it is refused")
            assert (await chain.deposits(address), await chain.events(), indexer.health().cursor) == before
        indexer = chain.indexer()
        async with running(indexer):
            await until(halted, "it is refused at the start too")
        assert "DATABASE_URL" in (indexer.health().halted or "")


async def test_two_nodes_of_which_one_is_dead(
    node: Anvil, sqlite: Database, make_chain: MakeChain, address: str
) -> None:
    async with LesserNode.before(node.http_url) as first:
        chain = make_chain(node, sqlite, rpc_urls=("http://127.0.0.1:1", first.http_url, node.http_url))
        indexer = chain.indexer()
        async with running(indexer):
            await chain.level(indexer)
            await chain.open(address)
            await contracts.receipt(node, await node.send(address, 1))
            await chain.seen(address)
            first.down = True
            await contracts.receipt(node, await node.send(address, 2))
            await node.mine(4)
            assert [deposit.amount for deposit in await chain.confirmed(address, 2)] == [1, 2]
            first.down = False
            before = first.requests

            async def back() -> bool:
                return first.requests > before

            await node.mine()
            await asyncio.sleep(chain.config.cool_down)
            await node.mine()
            await until(back, "the preferred node is used again after its rest")


@pytest.mark.parametrize("traces", [True, False])
async def test_a_node_that_errs_in_every_twentieth_answer(
    node: Anvil, sqlite: Database, make_chain: MakeChain, address: str, traces: bool
) -> None:
    """Errors, nulls, answers left out of a batch, hashes that disagree: no block is passed that was not read whole."""
    async with LesserNode.before(node.http_url) as bad:
        bad.refused = set() if traces else {"trace_block"}
        chain = make_chain(node, sqlite, rpc_urls=(bad.http_url,), ws_url=None, chunk=10)
        indexer = chain.indexer()
        async with running(indexer):
            await chain.level(indexer)
            await chain.open(address)
            await chain.level(indexer)
            bad.tamper = unreliable(random.Random(7), 0.05)
            for place in range(12):
                await contracts.receipt(node, await node.send(address, 100 + place))
                await contracts.receipt(node, await contracts.pay_by_forwarder(node, address, 200 + place))
                await node.mine(3)
            await node.mine(4)
            found = await chain.confirmed(address, 24)
    assert sorted(deposit.amount for deposit in found) == [base + place for base in (100, 200) for place in range(12)]
    kinds = [event.kind.value for event in await chain.events()]
    assert (kinds.count("seen"), kinds.count("confirmed"), kinds.count("removed")) == (24, 24, 0)


@pytest.mark.parametrize("refused", [set(), {"trace_block"}, {"trace_block", "debug_traceBlockByHash"}])
async def test_a_watch_that_comes_after_its_blocks_were_read(
    node: Anvil, sqlite: Database, make_chain: MakeChain, address: str, refused: set[str]
) -> None:
    """Money that came between the baseline and the watch is found, also where a contract paid it."""
    async with LesserNode.before(node.http_url) as lesser:
        lesser.refused = refused
        chain = make_chain(node, sqlite, rpc_urls=(lesser.http_url,))
        indexer = chain.indexer()
        async with running(indexer):
            await chain.level(indexer)
            baseline = await indexer.baseline(address)
            assert baseline.is_fresh
            await node.mine(3)
            await contracts.receipt(node, await node.send(address, 5))
            await contracts.receipt(node, await contracts.pay_by_forwarder(node, address, 6))
            await node.mine(10)
            await chain.level(indexer)
            await chain.open(address, baseline)
            assert [deposit.amount for deposit in await chain.confirmed(address, 2)] == [5, 6]


@pytest.mark.parametrize("refused", [set(), {"trace_block"}])
async def test_late_money_at_a_dormant_address(
    node: Anvil, indexed: Database, make_chain: MakeChain, address: str, refused: set[str]
) -> None:
    """A transfer at once, a contract's payment by the slow sweep at the latest; also over a restart."""
    async with LesserNode.before(node.http_url) as lesser:
        lesser.refused = refused
        chain = make_chain(node, indexed, rpc_urls=(lesser.http_url,), dormant_every=10)
        first = chain.indexer()
        async with running(first):
            await chain.level(first)
            await chain.open(address)
            await chain.level(first)
            await chain.close(address)
            await chain.level(first)
            assert (first.health().open_addresses, first.health().dormant_addresses) == (0, 1)
            await node.mine(30)
            await contracts.receipt(node, await node.send(address, 5))
            await chain.seen(address)
            await chain.level(first)
        tx = await contracts.pay_by_forwarder(node, address, 6)
        await contracts.receipt(node, tx)
        second = chain.indexer()
        async with running(second):
            await node.mine(20)
            late = await chain.confirmed(address, 2)
            assert [(deposit.amount, deposit.tx_hash) for deposit in late][1] == (6, tx)
            await chain.open(address)
            await chain.level(second)
            assert second.health().open_addresses == 1
            await contracts.receipt(node, await node.send(address, 7))
            await node.mine(4)
            assert [deposit.amount for deposit in await chain.confirmed(address, 3)] == [5, 6, 7]


class Killed(Exception):
    """The process ended before its commit."""


async def test_killed_in_any_transaction(indexed: Database, make_chain: MakeChain, address: str) -> None:
    """The process dies in its transactions again and again; the next one goes on from the database."""
    chance = random.Random(3)
    kills = 0

    async def deadly(_tx: Transaction) -> int:
        nonlocal kills
        if chance.random() < 0.3:
            kills += 1
            raise Killed
        return 0

    async with Anvil.start(block_time=0.05) as node:
        chain = make_chain(node, indexed)
        chain.fence = deadly
        paid = [*(100 + place for place in range(8)), *(200 + place for place in range(8))]

        async def pay() -> None:
            for place in range(8):
                await node.send(address, 100 + place)
                await contracts.receipt(node, await contracts.pay_by_forwarder(node, address, 200 + place))

        async def begun() -> bool:
            async with indexed.snapshot() as connection:
                return await connection.scalar(sa.select(cursor.c.number)) is not None

        async def keep_running() -> None:
            while True:
                try:
                    await chain.indexer().run()
                except* Killed:
                    pass  # started again

        chain.indexer()
        async with asyncio.TaskGroup() as group:
            life = group.create_task(keep_running())
            await until(begun, "the first blocks are kept")
            await chain.open(address)
            await pay()
            found = await chain.confirmed(address, 16)
            life.cancel()
    assert sorted(deposit.amount for deposit in found) == paid
    assert kills > 5
    kinds = [event.kind.value for event in await chain.events()]
    assert (kinds.count("seen"), kinds.count("confirmed")) == (16, 16)
    assert [event.seq for event in await chain.events()] == list(range(1, len(kinds) + 1))


async def test_an_older_lease_cannot_write(node: Anvil, indexed: Database, make_chain: MakeChain) -> None:
    """A process that slept through its lease finds that another one has written, and stops."""
    token = 2

    async def lease(_tx: Transaction) -> int:
        return token

    chain = make_chain(node, indexed)
    chain.fence = lease
    newer = chain.indexer()
    async with running(newer):
        await chain.level(newer)
        await node.mine()
        await chain.level(newer)
    token = 1
    await node.mine()
    with pytest.raises(ExceptionGroup) as stopped:
        await chain.indexer().run()
    assert stopped.group_contains(StaleFence)
    async with indexed.snapshot() as connection:
        assert await connection.scalar(sa.select(cursor.c.number)) == 1


async def test_readers_are_woken(node: Anvil, indexed: Database, make_chain: MakeChain, address: str) -> None:
    """A reader that asks, finds nothing and waits misses nothing that was written in between."""
    chain = make_chain(node, indexed)
    indexer = chain.indexer()
    async with running(indexer):
        await chain.level(indexer)
        await chain.open(address)
        await indexer.changed()  # the first call is for free
        await contracts.receipt(node, await node.send(address, ONE))
        await chain.seen(address)
        async with asyncio.timeout(1):
            await indexer.changed()
        waiting = asyncio.create_task(indexer.changed())
        await node.mine()
        async with asyncio.timeout(5):
            await waiting


async def test_an_unreachable_chain_says_so(sqlite: Database, make_chain: MakeChain, node: Anvil, address: str) -> None:
    chain = make_chain(node, sqlite, rpc_urls=("http://user:secret@127.0.0.1:1/v3/another-secret",), ws_url=None)
    indexer = chain.indexer()
    with pytest.raises(ChainUnavailable) as refused:
        await indexer.baseline(address)
    assert "secret" not in str(refused.value)
    async with running(indexer):

        async def told() -> bool:
            return indexer.health().error is not None

        await until(told, "the error is shown")
        assert "secret" not in str(indexer.health())
        async with sqlite.transaction() as tx:  # a watch is taken all the same
            await indexer.watch(tx, Baseline(address, BlockRef(0, "0x" + "00" * 32), 0, 0))
