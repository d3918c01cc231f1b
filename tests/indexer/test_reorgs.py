"""What the chain takes back is taken back here, and what it says anew is counted anew."""

import pytest

from indexer.model import ChainEventKind
from runtime.database import Database
from sandbox import contracts
from sandbox.anvil import Anvil
from tests.indexer.conftest import MakeChain, running, until
from tests.indexer.proxies import Answer, LesserNode

ONE = 10**18


@pytest.mark.parametrize("depth", [1, 2, 6, 30, 64])
async def test_a_payment_that_is_removed(
    node: Anvil, indexed: Database, make_chain: MakeChain, address: str, depth: int
) -> None:
    """Also long after it was confirmed: the events say seen, confirmed, removed."""
    chain = make_chain(node, indexed)
    indexer = chain.indexer()
    async with running(indexer):
        await chain.level(indexer)
        await chain.open(address)
        await node.mine(3)
        await contracts.receipt(node, await node.send(address, ONE))
        await node.mine(depth - 1)
        await chain.level(indexer)
        await chain.seen(address)
        await node.reorg(depth)

        async def gone() -> bool:
            return await chain.deposits(address) == []

        await until(gone, "the payment is taken back")
        await node.mine(4)
        await chain.level(indexer)
        await chain.checked(indexer)
        assert await chain.deposits(address) == []
        # and a payment after it is counted from the start
        await contracts.receipt(node, await node.send(address, 2 * ONE))
        await node.mine(4)
        assert [deposit.amount for deposit in await chain.confirmed(address)] == [2 * ONE]
    kinds = [event.kind for event in await chain.events()]
    assert kinds.count(ChainEventKind.REMOVED) == 1
    assert kinds.count(ChainEventKind.SEEN) == 2


async def test_a_payment_that_moves_to_another_block(
    node: Anvil, indexed: Database, make_chain: MakeChain, address: str
) -> None:
    """Two times, and never more than one credit."""
    chain = make_chain(node, indexed)
    indexer = chain.indexer()
    transfer = {"from": (await node.accounts())[2], "to": address, "value": hex(ONE), "gas": hex(21000)}
    async with running(indexer):
        await chain.level(indexer)
        await chain.open(address)
        await contracts.receipt(node, await node.send(address, ONE))
        first = (await chain.seen(address))[0]
        for place in (1, 0):
            await node.mine()
            await chain.level(indexer)
            [before] = await chain.deposits(address)
            await node.reorg(2, [(transfer, place)])

            async def moved(old: int = before.id) -> bool:
                return [deposit.id for deposit in await chain.deposits(address)] not in ([old], [])

            await until(moved, "the payment stands in its new block")
        await node.mine(4)
        [last] = await chain.confirmed(address)
    assert last.amount == ONE
    assert last.id != first.id
    assert await node.balance(address) == ONE
    told = [event.kind.value for event in await chain.events() if event.kind is not ChainEventKind.DEEPER]
    assert told == ["seen", "removed", "seen", "removed", "seen", "confirmed"]


@pytest.mark.parametrize("way", ["evm_revert", "anvil_rollback"])
async def test_a_silent_rewind(node: Anvil, sqlite: Database, make_chain: MakeChain, address: str, way: str) -> None:
    """Nothing is announced, and the node looks as if it were behind, until it goes on differently."""
    chain = make_chain(node, sqlite)
    indexer = chain.indexer()
    async with running(indexer):
        await chain.level(indexer)
        await chain.open(address)
        await node.mine(5)
        snapshot = await node.rpc("evm_snapshot")
        await contracts.receipt(node, await node.send(address, ONE))
        await node.mine(9)
        await chain.confirmed(address)
        await chain.level(indexer)
        if way == "evm_revert":
            await node.rpc("evm_revert", snapshot)
        else:
            await node.rpc("anvil_rollback", 10)

        async def noticed() -> bool:
            return indexer.health().head == 5

        await until(noticed, "the indexer sees a lower head")
        assert len(await chain.deposits(address)) == 1  # it may merely be behind
        await node.rpc("evm_increaseTime", 60)  # or the same block would be mined again
        await node.mine(2)
        await chain.level(indexer)
        assert await chain.deposits(address) == []
        await contracts.receipt(node, await node.send(address, 3 * ONE))
        await node.mine(4)
        assert [deposit.amount for deposit in await chain.confirmed(address)] == [3 * ONE]


async def test_found_by_balance_and_taken_back(
    node: Anvil, sqlite: Database, make_chain: MakeChain, address: str
) -> None:
    """A credit without a transaction is taken back like any other, and found again."""
    chain = make_chain(node, sqlite)
    indexer = chain.indexer()
    async with running(indexer):
        await chain.level(indexer)
        await chain.open(address)
        await node.mine(2)
        await node.rpc("anvil_setBalance", address, hex(7))
        await node.mine(4)
        await chain.confirmed(address)
        await node.reorg(5)
        await node.mine(4)
        await chain.level(indexer)
        await chain.checked(indexer)
        assert sum(deposit.amount for deposit in await chain.deposits(address)) == await node.balance(address)


async def test_deeper_than_the_kept_window(node: Anvil, indexed: Database, make_chain: MakeChain, address: str) -> None:
    """It halts, says what to do, and touches nothing."""
    chain = make_chain(node, indexed, window=10, chunk=5)
    indexer = chain.indexer()
    await node.mine(20)
    async with running(indexer):
        await chain.level(indexer)
        await chain.open(address)
        await contracts.receipt(node, await node.send(address, ONE))
        await node.mine(15)
        await chain.confirmed(address)
        await chain.level(indexer)
        before = (await chain.deposits(address), await chain.events(), indexer.health().cursor)
        await node.reorg(14)

        async def halted() -> bool:
            return indexer.health().halted is not None

        await until(halted, "the indexer halts")
        reason = indexer.health().halted or ""
        assert "deeper than the 10 blocks kept" in reason
        assert "DATABASE_URL" in reason
        await node.mine(3)
        assert (await chain.deposits(address), await chain.events(), indexer.health().cursor) == before


async def test_halted_until_the_node_is_back_on_the_chain(
    node: Anvil, sqlite: Database, make_chain: MakeChain, address: str
) -> None:
    def on_another_branch(_method: str, answer: Answer) -> Answer | None:
        block = answer.get("result")
        if isinstance(block, dict) and block.get("number", "0x0") != "0x0":
            return answer | {"result": block | {"hash": "0x" + block["hash"][:1:-1]}}
        return answer

    async with LesserNode.before(node.http_url) as lesser:
        await node.mine(30)
        chain = make_chain(node, sqlite, rpc_urls=(lesser.http_url,), ws_url=None, window=10, chunk=5)
        indexer = chain.indexer()
        async with running(indexer):
            await chain.level(indexer)
            await chain.open(address)
            await chain.level(indexer)
            lesser.tamper = on_another_branch

            async def halted() -> bool:
                return indexer.health().halted is not None

            await until(halted, "the indexer halts")
            await contracts.receipt(node, await node.send(address, ONE))
            await node.mine(4)
            lesser.tamper = None
            await chain.confirmed(address)
            await chain.level(indexer)
            assert indexer.health().is_healthy


async def test_a_watch_whose_baseline_was_reorganised_away(
    node: Anvil, sqlite: Database, make_chain: MakeChain, address: str
) -> None:
    """What is paid in the blocks that replace the baseline's is found."""
    chain = make_chain(node, sqlite)
    indexer = chain.indexer()
    transfer = {"from": (await node.accounts())[2], "to": address, "value": hex(ONE), "gas": hex(21000)}
    await node.mine(5)
    async with running(indexer):
        await chain.level(indexer)
        await node.mine()
        await chain.level(indexer)
        await chain.open(address)
        await chain.level(indexer)
        await node.reorg(2, [(transfer, 0)])
        await node.mine(4)
        assert [deposit.amount for deposit in await chain.confirmed(address)] == [ONE]


async def test_a_baseline_that_was_stale_when_it_came(
    node: Anvil, sqlite: Database, make_chain: MakeChain, address: str
) -> None:
    """Read on a branch that was gone before the watch was stored."""
    chain = make_chain(node, sqlite)
    indexer = chain.indexer()
    transfer = {"from": (await node.accounts())[2], "to": address, "value": hex(ONE), "gas": hex(21000)}
    await node.mine(5)
    async with running(indexer):
        await chain.level(indexer)
        baseline = await indexer.baseline(address)
        await node.reorg(1, [(transfer, 0)])
        await node.mine(2)
        await chain.level(indexer)
        await chain.open(address, baseline)
        await node.mine(4)
        assert [deposit.amount for deposit in await chain.confirmed(address)] == [ONE]


async def test_an_address_that_is_opened_again_after_its_payment_was_removed(
    node: Anvil, indexed: Database, make_chain: MakeChain, address: str
) -> None:
    """Paid, rested, taken back by a reorg, asked for again: counted from nothing, once, and nothing is missing."""
    chain = make_chain(node, indexed)
    indexer = chain.indexer()
    async with running(indexer):
        await chain.level(indexer)
        await chain.open(address)
        await node.mine(3)
        await contracts.receipt(node, await node.send(address, ONE))
        await node.mine(4)
        [first] = await chain.confirmed(address)
        await chain.close(address)
        await chain.level(indexer)
        await node.reorg(6)

        async def gone() -> bool:
            return await chain.deposits(address) == []

        await until(gone, "the payment is taken back")
        again = await chain.open(address)
        assert again.is_fresh
        await chain.level(indexer)
        await contracts.receipt(node, await node.send(address, ONE))
        await node.mine(4)
        [second] = await chain.confirmed(address)
        await chain.level(indexer)
        await chain.checked(indexer)
        assert indexer.health().is_healthy
    assert second.id != first.id
    kinds = [event.kind.value for event in await chain.events() if event.kind is not ChainEventKind.DEEPER]
    assert kinds == ["seen", "confirmed", "removed", "seen", "confirmed"]
