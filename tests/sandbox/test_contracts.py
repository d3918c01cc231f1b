"""The contracts that the chain's tests stand on pay what they say, and are no plain transfers."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from sandbox import contracts
from sandbox.anvil import Anvil

RECIPIENT = "0x00000000000000000000000000000000C0fFee01"


@pytest_asyncio.fixture
async def node() -> AsyncIterator[Anvil]:
    async with Anvil.start() as anvil:
        yield anvil


Payer = Callable[[Anvil, str], Awaitable[str]]


@pytest.mark.parametrize(
    ("pay", "paid", "status"),
    [
        pytest.param(lambda node, to: contracts.pay_by_forwarder(node, to, 7), 7, "0x1", id="forwarder"),
        pytest.param(lambda node, to: contracts.pay_twice(node, to, 3, 4), 7, "0x1", id="twice"),
        pytest.param(lambda node, to: contracts.pay_by_delegatecall(node, to, 7), 7, "0x1", id="delegatecall"),
        pytest.param(lambda node, to: contracts.pay_from_depth(node, to, 7, depth=60), 7, "0x1", id="depth"),
        pytest.param(lambda node, to: contracts.pay_by_constructor(node, to, 7), 7, "0x1", id="constructor"),
        pytest.param(lambda node, to: contracts.pay_by_selfdestruct(node, to, 7), 7, "0x1", id="selfdestruct"),
        pytest.param(lambda node, to: contracts.pay_and_revert(node, to, 7), 0, "0x0", id="reverted"),
        pytest.param(lambda node, to: contracts.pay_and_revert_inside(node, to, 7), 0, "0x1", id="reverted inside"),
    ],
)
async def test_a_contract_pays_what_it_says(node: Anvil, pay: Payer, paid: int, status: str) -> None:
    transaction = await pay(node, RECIPIENT)
    assert (await contracts.receipt(node, transaction))["status"] == status
    assert await node.balance(RECIPIENT) == paid
    sent = await node.rpc("eth_getTransactionByHash", transaction)
    assert (sent["to"] or "").lower() != RECIPIENT.lower()


async def test_two_recipients_in_one_transaction(node: Anvil) -> None:
    other = "0x00000000000000000000000000000000c0ffee02"
    await contracts.receipt(node, await contracts.pay_twice(node, RECIPIENT, 3, 4, other=other))
    assert (await node.balance(RECIPIENT), await node.balance(other)) == (3, 4)


async def test_a_payment_from_the_depth_is_made_by_the_innermost_call(node: Anvil) -> None:
    transaction = await contracts.pay_from_depth(node, RECIPIENT, 7, depth=5)
    await contracts.receipt(node, transaction)
    traces = await node.rpc("trace_transaction", transaction)
    [paying] = [trace for trace in traces if trace["action"]["to"].lower() == RECIPIENT.lower()]
    assert paying["traceAddress"] == [0] * 6
