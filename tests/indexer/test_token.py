"""An ERC-20 instead of the native coin: counted as exactly, by its logs and by its balances."""

from collections.abc import Awaitable, Callable

import pytest

from indexer.nodes import WrongAsset
from runtime.database import Database
from sandbox import contracts
from sandbox.anvil import Anvil
from tests.indexer.conftest import MakeChain, running, until
from tests.indexer.proxies import Answer, LesserNode
from tests.indexer.test_budget import address_at, watch_many

Payer = Callable[[Anvil, str, str], Awaitable[str]]

PAYERS = [
    pytest.param(lambda node, token, to: contracts.pay_token(node, token, to, 500), [500], id="direct"),
    pytest.param(
        lambda node, token, to: contracts.pay_token_by_contract(node, token, to, 7, caller=contracts.TWICE_CALLER),
        [7, 7],
        id="twice in one transaction, by a contract",
    ),
    pytest.param(
        lambda node, token, to: contracts.pay_token_by_contract(node, token, to, 7, caller=contracts.REVERTING_CALLER),
        [],
        id="reverted",
    ),
    pytest.param(lambda node, token, to: contracts.pay_token(node, token, to, 10**16), [], id="more than there is"),
    pytest.param(lambda node, token, to: node.send(to, 500), [], id="the native coin"),
]


@pytest.mark.parametrize("able", [True, False], ids=["every ability", "none"])
@pytest.mark.parametrize(("pay", "amounts"), PAYERS)
async def test_what_arrived_is_counted(
    node: Anvil, sqlite: Database, make_chain: MakeChain, address: str, pay: Payer, amounts: list[int], able: bool
) -> None:
    """At the newest block, and once; nothing that was reverted, and not the native coin."""
    token = await contracts.deploy_token(node)
    other = await contracts.deploy_token(node)
    async with LesserNode.before(node.http_url) as lesser:
        if not able:
            lesser.refused = {"trace_block", "debug_traceBlockByHash"}
            lesser.refuses_overrides = lesser.refuses_creation = lesser.refuses_hashes = True
            lesser.largest_batch = 10
        chain = make_chain(node, sqlite, rpc_urls=(lesser.http_url,), token=token, token_decimals=6)
        indexer = chain.indexer()
        async with running(indexer):
            await chain.level(indexer)
            assert (await chain.open(address)).is_fresh
            await chain.level(indexer)
            tx = await pay(node, token, address)
            await contracts.receipt(node, tx)
            await contracts.receipt(node, await contracts.pay_token(node, other, address, 3))
            await chain.level(indexer)
            assert [deposit.amount for deposit in await chain.deposits(address)] == amounts
            await node.mine(4)
            await chain.level(indexer)
            await chain.checked(indexer)
            assert indexer.health().is_healthy
    deposits = await chain.deposits(address)
    assert [(deposit.amount, deposit.tx_hash) for deposit in deposits] == [(amount, tx) for amount in amounts]
    assert all(deposit.confirmed for deposit in deposits)


async def test_a_token_that_keeps_a_part(node: Anvil, sqlite: Database, make_chain: MakeChain, address: str) -> None:
    """Its log says 1,000 and 970 arrive: the deposit is 970. Two in one block, and money sent on, count as well."""
    token = await contracts.deploy_token(node, kept=3)
    accounts = await node.accounts()
    chain = make_chain(node, sqlite, token=token, token_decimals=6)
    indexer = chain.indexer()
    async with running(indexer):
        await chain.level(indexer)
        await chain.open(address)
        await chain.open(accounts[5])
        await contracts.receipt(node, await contracts.pay_token(node, token, address, 1000))
        await node.rpc("evm_setAutomine", False)
        await contracts.pay_token(node, token, address, 100)
        await contracts.pay_token(node, token, address, 200)
        await contracts.pay_token(node, token, accounts[5], 10_000)
        await node.mine()
        await contracts.pay_token(node, token, accounts[6], 9_000, sender=accounts[5])
        await node.mine(5)
        await chain.level(indexer)
        await chain.checked(indexer)
        assert sum(deposit.amount for deposit in await chain.confirmed(address, 3)) == 970 + 291
        assert [deposit.amount for deposit in await chain.confirmed(accounts[5])] == [9_700]
        assert indexer.health().short_addresses == 0


@pytest.mark.parametrize("many", [0, 60], ids=["asked by address", "all transfers"])
async def test_down_for_blocks_and_reorganised(
    node: Anvil, indexed: Database, make_chain: MakeChain, address: str, many: int
) -> None:
    token = await contracts.deploy_token(node)
    chain = make_chain(node, indexed, token=token, token_decimals=6, chunk=20)
    first = chain.indexer()
    async with running(first):
        await chain.level(first)
        if many:
            await watch_many(chain, first, many)
        await chain.open(address)
        await chain.level(first)
    for place in range(8):
        await contracts.receipt(node, await contracts.pay_token(node, token, address, 100 + place))
        await contracts.receipt(node, await contracts.pay_token(node, token, address_at(1000 + place), 9))
        await node.mine(10)
    second = chain.indexer()
    async with running(second):
        await chain.confirmed(address, 8)
        await contracts.receipt(node, await contracts.pay_token(node, token, address, 5000))
        await chain.seen(address, 9)
        await node.reorg(1)

        async def gone() -> bool:
            return len(await chain.deposits(address)) == 8

        await until(gone, "the last one is taken back")
        await node.mine(4)
        await chain.level(second)
        await chain.checked(second)
    assert [deposit.amount for deposit in await chain.deposits(address)] == [100 + place for place in range(8)]


async def test_an_index_of_logs_that_lags_behind(
    node: Anvil, sqlite: Database, make_chain: MakeChain, address: str
) -> None:
    """A node that gives a block but not yet its logs by number: they are asked for by the block's hash."""
    token = await contracts.deploy_token(node)
    lost = 0

    def forgetful(method: str, answer: Answer) -> Answer | None:
        nonlocal lost
        if method == "eth_getLogs" and answer.get("result") and lost < 1:
            lost += 1
            return answer | {"result": []}
        return answer

    async with LesserNode.before(node.http_url) as lesser:
        chain = make_chain(node, sqlite, rpc_urls=(lesser.http_url,), token=token, token_decimals=6)
        indexer = chain.indexer()
        async with running(indexer):
            await chain.level(indexer)
            await chain.open(address)
            await chain.level(indexer)
            lesser.tamper = forgetful
            tx = await contracts.pay_token(node, token, address, 12)
            await contracts.receipt(node, tx)
            await node.mine(4)
            [deposit] = await chain.confirmed(address)
    assert lost == 1, "nothing was kept back"
    assert (deposit.amount, deposit.tx_hash) == (12, tx)


@pytest.mark.parametrize("wrong", ["decimals", "address"])
async def test_a_wrong_token_is_refused(node: Anvil, sqlite: Database, make_chain: MakeChain, wrong: str) -> None:
    token = await contracts.deploy_token(node, decimals=6) if wrong == "decimals" else address_at(9)
    indexer = make_chain(node, sqlite, token=token, token_decimals=18).indexer()
    async with running(indexer):

        async def halted() -> bool:
            return indexer.health().halted is not None

        await until(halted, "it is refused")
        assert "CIRCLE_LAYER_TOKEN_ADDRESS" in (indexer.health().halted or "")
        assert ("6 decimals, not 18" in (indexer.health().halted or "")) is (wrong == "decimals")


async def test_a_database_counts_one_thing(node: Anvil, indexed: Database, make_chain: MakeChain, address: str) -> None:
    """Begun with the native coin, it takes no token, and the other way round."""
    token = await contracts.deploy_token(node)
    native = make_chain(node, indexed)
    async with running(native.indexer()):
        await native.level(native.newest)
    counting = make_chain(node, indexed, token=token, token_decimals=6)
    indexer = counting.indexer()
    async with running(indexer):

        async def halted() -> bool:
            return "DATABASE_URL" in (indexer.health().halted or "")

        await until(halted, "it is refused")
        with pytest.raises(WrongAsset):
            await indexer.baseline(address)


async def test_many_addresses_of_a_token(node: Anvil, sqlite: Database, make_chain: MakeChain) -> None:
    """A handful of requests a block for 5,000 addresses; what no log told is found by the balances."""
    token = await contracts.deploy_token(node)
    async with LesserNode.before(node.http_url) as lesser:
        lesser.largest_batch, lesser.gas_cap = 10, 50_000_000
        chain = make_chain(node, sqlite, rpc_urls=(lesser.http_url,), token=token, token_decimals=6)
        indexer = chain.indexer()
        async with running(indexer):
            await chain.level(indexer)
            await watch_many(chain, indexer, 5_000)
            before, first = lesser.requests, await node.block_number()
            silent, paid = address_at(2_345), address_at(4_321)
            await contracts.receipt(node, await contracts.pay_token(node, token, paid, 44))
            slot = f"0x{silent[2:].lower():0>64}"
            await node.rpc("anvil_setStorageAt", token, slot, f"0x{77:064x}")
            for _ in range(20):
                await node.mine()
                await chain.level(indexer)
            assert lesser.requests - before <= 5 * (await node.block_number() - first)
            assert [(deposit.amount, deposit.tx_hash) for deposit in await chain.confirmed(silent)] == [(77, None)]
            assert [deposit.amount for deposit in await chain.confirmed(paid)] == [44]
