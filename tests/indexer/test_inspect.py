"""Single questions of operators and scripts: a balance deep enough, and what became of a transaction."""

import aiohttp
import pytest
from aiohttp import web

from indexer.addresses import BadAddress
from indexer.config import ChainConfig
from indexer.inspect import BadTransactionHash, Inspector
from indexer.model import ChainUnavailable, TransactionState
from indexer.nodes import NodePool
from runtime.clock import SystemClock
from sandbox import contracts
from sandbox.anvil import Anvil
from tests.indexer.proxies import Answer, LesserNode


def inspector_of(url: str, session: aiohttp.ClientSession) -> Inspector:
    config = ChainConfig(rpc_urls=(url,), explorer_base_url="https://explorer.example/")
    return Inspector(NodePool(config, session, SystemClock()), config)


async def test_a_balance_counts_when_it_is_deep_enough(
    node: Anvil, session: aiohttp.ClientSession, address: str
) -> None:
    inspector = inspector_of(node.http_url, session)
    await contracts.receipt(node, await node.send(address, 5))
    await node.mine(2)
    assert (await inspector.check_native_balance(address)).balance == 0
    assert (await inspector.check_native_balance(address, 2)).balance == 5
    await node.mine()
    found = await inspector.check_native_balance(address.lower())
    assert (found.balance, found.block.number, found.confirmations) == (5, 1, 3)
    assert found.explorer_url == f"https://explorer.example/address/{address}"
    with pytest.raises(BadAddress):
        await inspector.check_native_balance(address[:-1])


async def test_what_became_of_a_transaction(node: Anvil, session: aiohttp.ClientSession, address: str) -> None:
    inspector = inspector_of(node.http_url, session)
    await node.rpc("evm_setAutomine", False)
    tx = await node.send(address, 5)
    assert (await inspector.get_transaction_status(tx)).state is TransactionState.PENDING
    for confirmations in range(4):
        await node.mine()
        status = await inspector.get_transaction_status(tx.upper().replace("X", "x"))
        assert status.confirmations == confirmations
        assert status.state is (TransactionState.MINED if confirmations < 3 else TransactionState.CONFIRMED)
    assert status.explorer_url == f"https://explorer.example/tx/{tx}"
    assert status.block is not None
    assert status.block.number == 1
    await node.rpc("evm_setAutomine", True)
    failed = await contracts.pay_and_revert(node, address, 5)
    await contracts.receipt(node, failed)
    assert (await inspector.get_transaction_status(failed)).state is TransactionState.REVERTED
    assert (await inspector.get_transaction_status("0x" + "00" * 32)).state is TransactionState.UNKNOWN
    for bad in ("", "0x12", "0x" + "g" * 64, address):
        with pytest.raises(BadTransactionHash):
            await inspector.get_transaction_status(bad)


@pytest.mark.parametrize(
    "answer", [b"<html>", b"[]", b'{"id": "one"}', b'{"jsonrpc":"2.0","id":null,"error":{"code":-32005}}']
)
async def test_what_is_no_answer_is_told_as_that(session: aiohttp.ClientSession, answer: bytes) -> None:
    async def serve(_request: web.Request) -> web.Response:
        return web.Response(body=answer)

    app = web.Application()
    app.router.add_post("/", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        inspector = inspector_of(f"http://127.0.0.1:{runner.addresses[0][1]}", session)
        with pytest.raises(ChainUnavailable):
            await inspector.get_transaction_status("0x" + "00" * 32)
    finally:
        await runner.cleanup()


async def test_a_call_that_fails_once_is_asked_again(node: Anvil, session: aiohttp.ClientSession, address: str) -> None:
    failed: set[str] = set()

    def once(method: str, answer: Answer) -> Answer | None:
        if method in failed:
            return answer
        failed.add(method)
        return {"jsonrpc": "2.0", "id": answer["id"], "error": {"code": -32000, "message": "try again"}}

    async with LesserNode.before(node.http_url) as flaky:
        flaky.tamper = once
        assert (await inspector_of(flaky.http_url, session).check_native_balance(address, 0)).balance == 0
    assert "eth_getBalance" in failed
