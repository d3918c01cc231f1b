"""Every native credit to a watched address is found exactly once, whatever made it; and none that was reverted."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from indexer.addresses import checksum_address
from runtime.database import Database
from sandbox import contracts
from sandbox.anvil import Anvil
from tests.indexer.conftest import Chain, MakeChain, running
from tests.indexer.proxies import LesserNode

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


WITHOUT_TRACES = {"trace_block"}
NOTHING_SPECIAL = {
    "by_hash": False,
    "sweep": "batches",
    "gas": 0,
    "traces": False,
    "debug_traces": False,
    "history": None,
}
WITHOUT_ANY = {"trace_block", "debug_traceBlockByHash", "debug_traceTransaction"}


@pytest.mark.parametrize(("pay", "amounts"), PAYERS)
async def test_on_a_node_without_trace_block(
    node: Anvil, sqlite: Database, make_chain: MakeChain, address: str, pay: Payer, amounts: list[int]
) -> None:
    """Transactions are seen at the head; what contracts paid, at the confirmed block, explained by callTracer."""
    async with LesserNode.before(node.http_url) as lesser:
        lesser.refused = WITHOUT_TRACES
        chain = make_chain(node, sqlite, rpc_urls=(lesser.http_url,))
        indexer = chain.indexer()
        async with running(indexer):
            await chain.level(indexer)
            await chain.open(address)
            tx = await pay(node, address)
            await contracts.receipt(node, tx)
            await node.mine(4)
            await chain.level(indexer)
            await chain.checked(indexer)
    deposits = await chain.deposits(address)
    assert [(deposit.amount, deposit.tx_hash) for deposit in deposits] == [(amount, tx) for amount in amounts]
    assert all(deposit.confirmed for deposit in deposits)


@pytest.mark.parametrize(("pay", "amounts"), PAYERS)
async def test_on_a_public_node(
    node: Anvil, sqlite: Database, make_chain: MakeChain, address: str, pay: Payer, amounts: list[int]
) -> None:
    """No traces, no receipts by the block, no overrides, ten calls a batch, a cap on gas and on what is sent."""
    async with LesserNode.before(node.http_url) as lesser:
        lesser.refused = WITHOUT_ANY | {"eth_getBlockReceipts"}
        lesser.refuses_overrides = True
        lesser.largest_batch, lesser.gas_cap, lesser.largest_body = 10, 5_000_000, 100_000
        chain = make_chain(node, sqlite, rpc_urls=(lesser.http_url,))
        indexer = chain.indexer()
        async with running(indexer):
            await chain.level(indexer)
            await chain.open(address)
            receipt = await contracts.receipt(node, await pay(node, address))
            await node.mine(4)
            await chain.level(indexer)
            await chain.checked(indexer)
        [report] = indexer.health().nodes
        assert report["abilities"]["sweep"] == "creation"  # type: ignore[index]
        assert report["abilities"]["gas"] < 5_000_000  # type: ignore[index]
    deposits = await chain.deposits(address)
    assert sum(deposit.amount for deposit in deposits) == sum(amounts) == await node.balance(address)
    assert all(deposit.block.number == int(receipt["blockNumber"], 16) and deposit.confirmed for deposit in deposits)


@pytest.mark.parametrize(("pay", "amounts"), [PAYERS[0], PAYERS[2], PAYERS[4], PAYERS[7], PAYERS[8], PAYERS[9]])
async def test_on_a_node_that_can_do_nothing_special(
    node: Anvil, sqlite: Database, make_chain: MakeChain, address: str, pay: Payer, amounts: list[int]
) -> None:
    """No traces, no overrides, no blocks by hash, ten calls a batch: what contracts paid is known by its block."""
    async with LesserNode.before(node.http_url) as lesser:
        lesser.refused = WITHOUT_ANY
        lesser.refuses_overrides = lesser.refuses_hashes = lesser.refuses_creation = True
        lesser.largest_batch = 10
        chain = make_chain(node, sqlite, rpc_urls=(lesser.http_url,), ws_url=None)
        indexer = chain.indexer()
        async with running(indexer):
            await chain.level(indexer)
            await chain.open(address)
            receipt = await contracts.receipt(node, await pay(node, address))
            await node.mine(4)
            await chain.level(indexer)
            await chain.checked(indexer)
        [report] = indexer.health().nodes
        assert report["abilities"] == NOTHING_SPECIAL
        assert len(report["limits"]) == 3  # type: ignore[arg-type]
    deposits = await chain.deposits(address)
    assert sum(deposit.amount for deposit in deposits) == sum(amounts) == await node.balance(address)
    assert all(deposit.block.number == int(receipt["blockNumber"], 16) and deposit.confirmed for deposit in deposits)


@pytest.mark.parametrize("refused", [set(), WITHOUT_TRACES, WITHOUT_ANY])
async def test_direct_and_by_contract_in_one_block(
    node: Anvil, sqlite: Database, make_chain: MakeChain, address: str, refused: set[str]
) -> None:
    splitter = await contracts.deploy(node, contracts.SPLITTER)
    async with LesserNode.before(node.http_url) as lesser:
        lesser.refused = refused
        chain = make_chain(node, sqlite, rpc_urls=(lesser.http_url,))
        indexer = chain.indexer()
        async with running(indexer):
            await chain.level(indexer)
            await chain.open(address)
            await node.rpc("evm_setAutomine", False)
            sender = (await node.accounts())[1]
            await node.send(address, 5, sender=sender)
            await contracts.transact(node, splitter, contracts.call_data(address, 3, address), 7)
            await node.send(address, 6, sender=sender)
            await node.mine(5)
            await chain.level(indexer)
            await chain.checked(indexer)
    expected = [3, 4, 5, 6] if refused != WITHOUT_ANY else [5, 6, 7]
    assert sorted(deposit.amount for deposit in await chain.confirmed(address, len(expected))) == expected


@pytest.mark.parametrize("way", ["override", "creation", "batches"])
async def test_a_block_reward_is_a_deposit(
    node: Anvil, sqlite: Database, make_chain: MakeChain, address: str, way: str
) -> None:
    """Whatever no transaction and no trace tells: fees to the block's producer, a credit in the state."""
    async with AsyncExitStack() as stack:
        lesser = await stack.enter_async_context(LesserNode.before(node.http_url))
        lesser.refuses_overrides, lesser.refuses_creation = way != "override", way == "batches"
        chain = make_chain(node, sqlite, rpc_urls=(lesser.http_url,))
        indexer = chain.indexer()
        await stack.enter_async_context(running(indexer))
        await chain.level(indexer)
        await chain.open(address)
        await node.rpc("anvil_setCoinbase", address)
        await contracts.receipt(node, await node.send((await node.accounts())[3], ONE))
        await node.mine(4)
        await chain.checked(indexer)
        await node.rpc("anvil_setBalance", address, hex(await node.balance(address) + 11))
        await node.mine(5)
        await chain.checked(indexer)
    reward, credit = await chain.confirmed(address, 2)
    assert (reward.tx_hash, credit.tx_hash, credit.amount) == (None, None, 11)
    assert await balance_agrees(chain, address)


@pytest.mark.parametrize("refused", [set(), WITHOUT_ANY])
async def test_an_address_that_spends_keeps_its_count(
    node: Anvil, sqlite: Database, make_chain: MakeChain, refused: set[str]
) -> None:
    """Value and gas that a watched address sent are no missing money, also where it fails to send."""
    accounts = await node.accounts()
    spender, payer = accounts[5], accounts[6]
    forwarder = await contracts.deploy(node, contracts.REVERTING_FORWARDER)
    async with LesserNode.before(node.http_url) as lesser:
        lesser.refused = refused
        chain = make_chain(node, sqlite, rpc_urls=(lesser.http_url,))
        indexer = chain.indexer()
        async with running(indexer):
            await chain.level(indexer)
            await chain.open(spender)
            await contracts.receipt(node, await node.send(spender, 77, sender=payer))
            await contracts.receipt(node, await node.send(payer, ONE, sender=spender))
            await contracts.receipt(node, await node.send(spender, 5, sender=spender))
            data = contracts.call_data(payer)
            await contracts.receipt(node, await contracts.transact(node, forwarder, data, 9, sender=spender))
            await contracts.receipt(node, await contracts.pay_by_forwarder(node, spender, 88))
            await node.mine(4)
            await chain.level(indexer)
            await chain.checked(indexer)
            assert indexer.health().short_addresses == 0
    assert [deposit.amount for deposit in await chain.confirmed(spender, 2)] == [77, 88]


async def test_a_deposit_that_the_balance_does_not_bear_out_is_not_confirmed(
    node: Anvil, sqlite: Database, make_chain: MakeChain, address: str
) -> None:
    chain = make_chain(node, sqlite)
    indexer = chain.indexer()
    async with running(indexer):
        await chain.level(indexer)
        await chain.open(address)
        await contracts.receipt(node, await node.send(address, 10))
        await node.mine(4)
        await chain.confirmed(address)
        await node.rpc("anvil_setBalance", address, hex(3))  # seven are gone, and nobody sent them
        await contracts.receipt(node, await node.send(address, 10))
        await node.mine(5)
        await chain.level(indexer)
        await chain.checked(indexer)
        assert [deposit.confirmed for deposit in await chain.deposits(address)] == [True, False]
        assert indexer.health().short_addresses == 1
        assert not indexer.health().is_healthy
        await node.rpc("anvil_setBalance", address, hex(20))
        await node.mine(5)
        await chain.confirmed(address, 2)
        assert indexer.health().is_healthy


async def test_many_addresses_by_one_call(node: Anvil, sqlite: Database, make_chain: MakeChain) -> None:
    """The number of requests a block does not grow with the number of open addresses."""
    async with LesserNode.before(node.http_url) as counting:
        chain = make_chain(node, sqlite, rpc_urls=(counting.http_url,))
        indexer = chain.indexer()
        async with running(indexer):
            await chain.level(indexer)
            first = await indexer.baseline(f"0x{1:040x}")
            async with sqlite.transaction() as tx:
                for number in range(1, 2001):
                    await indexer.watch(tx, replace(first, address=checksum_address(f"0x{number << 64:040x}")))
            await chain.level(indexer)
            payments = [checksum_address(f"0x{number << 64:040x}") for number in (1, 999, 2000)]
            before = counting.requests
            for place, payment in enumerate(payments):
                await contracts.receipt(node, await contracts.pay_by_forwarder(node, payment, 7 + place))
            await node.mine(4)
            await chain.level(indexer)
            await chain.checked(indexer)
            blocks = 6 + 4
            assert counting.requests - before <= 5 * blocks
    for place, payment in enumerate(payments):
        assert [deposit.amount for deposit in await chain.confirmed(payment)] == [7 + place]
