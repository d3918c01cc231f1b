"""Blocks read again on request: what was missed is found, what is right stays as it is, nothing counts twice."""

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from indexer import rescans
from indexer.indexer import Indexer
from indexer.model import Deposit
from indexer.rescans import Report
from indexer.tables import deposits, events, spends
from runtime.database import Database
from sandbox import contracts
from sandbox.anvil import Anvil
from tests.indexer.conftest import Chain, MakeChain, running, until
from tests.indexer.proxies import LesserNode

NOW = datetime(2026, 11, 20, tzinfo=UTC)


async def rescan(chain: Chain, first: int) -> Report:
    """Asks as an operator does, and waits for what came of it."""
    async with chain.database.transaction() as tx:
        asked = await rescans.request(tx, first, NOW)

    async def finished() -> Report | None:
        async with chain.database.snapshot() as connection:
            return (await rescans.get(connection, asked)).report

    report: Report = await until(finished, "the rescan has ended")
    return report


async def forget(database: Database, *tables: sa.Table) -> None:
    """As if they had never been seen."""
    async with database.transaction() as tx:
        for table in tables:
            await tx.execute(sa.delete(table))


def told(found: Sequence[Deposit]) -> list[tuple[int, int, str | None]]:
    return [(deposit.block.number, deposit.amount, deposit.tx_hash) for deposit in found]


async def settle(chain: Chain, indexer: Indexer) -> None:
    """Deep enough, read and checked."""
    await chain.node.mine(chain.config.confirmations)
    await chain.level(indexer)
    await chain.checked(indexer)


async def test_what_was_missed_is_found_once_with_its_transactions(
    node: Anvil, indexed: Database, make_chain: MakeChain, address: str
) -> None:
    chain = make_chain(node, indexed)
    async with running(indexer := chain.indexer()):
        await chain.open(address)
        await chain.level(indexer)
        await chain.close(address)  # a resting address is checked seldom: a miss stays for long
        await contracts.receipt(node, await node.send(address, 5))
        forwarder = await contracts.deploy(node, contracts.FORWARDER)
        await contracts.transact(node, forwarder, contracts.call_data(address), 7)
        await settle(chain, indexer)
        right = told(await chain.deposits(address))
    assert [amount for _, amount, _ in right] == [5, 7]
    await forget(indexed, deposits, events)

    async with running(indexer := chain.indexer()):
        report = await rescan(chain, 0)
        assert (report.deposits, report.amount, report.spends, report.short) == (2, "12", 0, ())
        assert told(await chain.confirmed(address, 2)) == right
        told_before = await chain.told(address)
        again = await rescan(chain, 1)
        assert (again.deposits, again.spends, again.error) == (0, 0, None)
        assert told(await chain.deposits(address)) == right
        assert await chain.told(address) == told_before
        assert indexer.health().short_addresses == 0


async def test_nothing_changes_where_all_is_right_though_blocks_now_tell_more(
    node: Anvil, sqlite: Database, make_chain: MakeChain, address: str
) -> None:
    """Known by the balance alone, then read again by traces: the same money is not counted twice."""
    async with LesserNode.before(node.http_url) as poor:
        poor.refused = {"trace_block", "debug_traceBlockByHash"}
        chain = make_chain(node, sqlite, rpc_urls=(poor.http_url,))
        async with running(indexer := chain.indexer()):
            await chain.open(address)
            forwarder = await contracts.deploy(node, contracts.FORWARDER)
            await contracts.transact(node, forwarder, contracts.call_data(address), 7)
            await settle(chain, indexer)
            [known] = await chain.confirmed(address)
            assert known.tx_hash is None
    chain = make_chain(node, sqlite)
    async with running(indexer := chain.indexer()):
        report = await rescan(chain, 0)
        assert (report.deposits, report.counted, report.short) == (0, 1, ())
        assert [deposit.id for deposit in await chain.deposits(address)] == [known.id]
        await node.mine(2)
        await chain.checked(indexer)
        assert indexer.health().is_healthy


async def test_money_that_came_and_went_unseen_is_found_with_its_way_out(
    node: Anvil, sqlite: Database, make_chain: MakeChain
) -> None:
    address = (await node.accounts())[3]
    chain = make_chain(node, sqlite)
    async with running(indexer := chain.indexer()):
        await chain.open(address)
        await chain.level(indexer)
        await contracts.receipt(node, await node.send(address, 10**18))
        await contracts.receipt(node, await node.send((await node.accounts())[0], 10**17, sender=address))
        await settle(chain, indexer)
        right = told(await chain.deposits(address))
    await forget(sqlite, spends)
    async with running(indexer := chain.indexer()):
        await node.mine()
        await chain.level(indexer)
        await until(lambda: _short(indexer), "the balance is below what is stored")
        report = await rescan(chain, 0)
        assert (report.deposits, report.spends, report.short) == (0, 2, ())  # the value, and the gas
        await node.mine()
        await chain.checked(indexer)
        assert indexer.health().is_healthy
        assert told(await chain.deposits(address)) == right


async def _short(indexer: Indexer) -> bool:
    return indexer.health().short_addresses == 1


async def test_a_token_is_read_again_as_exactly(
    node: Anvil, sqlite: Database, make_chain: MakeChain, address: str
) -> None:
    token = await contracts.deploy_token(node)
    chain = make_chain(node, sqlite, token=token, token_decimals=6)
    async with running(indexer := chain.indexer()):
        await chain.level(indexer)
        await chain.open(address)
        await chain.level(indexer)
        await chain.close(address)
        await contracts.receipt(node, await contracts.pay_token(node, token, address, 500))
        await settle(chain, indexer)
        right = told(await chain.confirmed(address))
    await forget(sqlite, deposits, events)
    async with running(indexer := chain.indexer()):
        assert (await rescan(chain, 0)).amount == "500"
        assert told(await chain.confirmed(address)) == right
        assert (await rescan(chain, 1)).deposits == 0
        assert told(await chain.deposits(address)) == right


async def test_a_block_the_chain_has_not_reached_leaves_nothing_to_read(
    node: Anvil, sqlite: Database, make_chain: MakeChain, address: str
) -> None:
    chain = make_chain(node, sqlite)
    async with running(indexer := chain.indexer()):
        await chain.open(address)
        await chain.level(indexer)
        report = await rescan(chain, 1000)
        assert (report.last < report.first, report.deposits, report.error) == (True, 0, None)
