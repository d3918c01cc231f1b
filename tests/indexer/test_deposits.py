"""Every native credit to a watched address is found exactly once, whatever made it; and none that was reverted."""

from collections.abc import Awaitable, Callable

import pytest

from runtime.database import Database
from sandbox import contracts
from sandbox.anvil import Anvil
from tests.indexer.conftest import Chain, MakeChain, running

Payer = Callable[[Anvil, str], Awaitable[str]]

ONE = 10**18
PAYERS = [
    pytest.param(lambda node, to: node.send(to, ONE), [ONE], id="direct"),
    pytest.param(lambda node, to: contracts.pay_by_forwarder(node, to, 7), [7], id="contract"),
    pytest.param(lambda node, to: contracts.pay_from_depth(node, to, 7, depth=9), [7], id="depth 9"),
    pytest.param(lambda node, to: contracts.pay_from_depth(node, to, 7, depth=50), [7], id="depth 50"),
    pytest.param(lambda node, to: contracts.pay_twice(node, to, 3, 4), [3, 4], id="twice in one transaction"),
    pytest.param(lambda node, to: contracts.pay_by_delegatecall(node, to, 7), [7], id="delegatecall"),
    pytest.param(lambda node, to: contracts.pay_by_constructor(node, to, 7), [7], id="constructor"),
    pytest.param(lambda node, to: contracts.pay_by_selfdestruct(node, to, 7), [7], id="selfdestruct"),
    pytest.param(lambda node, to: contracts.pay_and_revert(node, to, 7), [], id="reverted"),
    pytest.param(lambda node, to: contracts.pay_and_revert_inside(node, to, 7), [], id="reverted inside"),
]


async def balance_agrees(chain: Chain, address: str) -> bool:
    return sum(deposit.amount for deposit in await chain.deposits(address)) == await chain.node.balance(address)


@pytest.mark.parametrize(("pay", "amounts"), PAYERS)
async def test_with_traces(
    node: Anvil, sqlite: Database, make_chain: MakeChain, address: str, pay: Payer, amounts: list[int]
) -> None:
    chain = make_chain(node, sqlite)
    indexer = chain.indexer()
    async with running(indexer):
        await chain.level(indexer)
        await chain.open(address)
        tx = await pay(node, address)
        await contracts.receipt(node, tx)
        await chain.level(indexer)
        assert [deposit.amount for deposit in await chain.deposits(address)] == amounts
        await node.mine(4)
        await chain.checked(indexer)
    deposits = await chain.deposits(address)
    assert [(deposit.amount, deposit.tx_hash) for deposit in deposits] == [(amount, tx) for amount in amounts]
    assert await balance_agrees(chain, address)


async def test_direct_is_told_step_by_step(node: Anvil, indexed: Database, make_chain: MakeChain, address: str) -> None:
    chain = make_chain(node, indexed)
    indexer = chain.indexer()
    async with running(indexer):
        await chain.level(indexer)
        await chain.open(address)
        await contracts.receipt(node, await node.send(address, ONE))
        for _ in range(4):
            await chain.level(indexer)
            await node.mine()
        await chain.confirmed(address)
    assert await chain.told(address) == ["seen 0", "deeper 1", "deeper 2", "confirmed 3"]
    seqs = [event.seq for event in await chain.events()]
    assert seqs == list(range(1, len(seqs) + 1))
    [deposit] = await chain.deposits(address)
    assert deposit.sender == (await node.accounts())[0].lower()
    async with chain.database.snapshot() as connection:
        assert await indexer.read_until(connection) is not None
