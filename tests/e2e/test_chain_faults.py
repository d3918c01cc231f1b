"""When the chain does not go to plan, told as the traveller lives it: through the whole daemon, on a real chain."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from payments.payment import State
from sandbox import contracts
from sandbox.traveller import Traveller
from scripts.ticket_check import missing_words
from tests.e2e import travel
from tests.e2e.stage import Stage, until
from tests.e2e.travel import ONE, Due, book, hear, state_of
from tests.indexer.proxies import LesserNode, Wire

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Chain:
    """The stage, and what stands between its daemon and the node: blocks come only when they are mined."""

    def __init__(self, stage: Stage, first_node: LesserNode, wire: Wire) -> None:
        self.stage = stage
        self.anvil = stage.anvil
        self.first_node = first_node
        self.wire = wire

    def traveller(self) -> Traveller:
        return self.stage.world.whatsapp_user("Zoë")

    async def pay(self, due: Due, wei: int) -> str:
        """Sent and in a block. The hash."""
        sent = await self.anvil.send(due.address, wei)
        await contracts.receipt(self.anvil, sent)
        return sent

    async def in_state(self, due: Due, state: State) -> None:
        async def reached() -> bool:
            return await state_of(self.stage, due) is state

        await until(reached, within=travel.WITHIN, what=f"the payment is {state}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chain(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Chain]:
    """A daemon with two nodes, the first of which can fail, and a WebSocket that can be cut."""
    folder = tmp_path_factory.mktemp("chain")
    async with (
        Stage.open(folder, block_time=None, chain_state=folder / "chain.json") as stage,
        LesserNode.before(stage.anvil.http_url) as first_node,
        Wire.to(stage.anvil.port) as wire,
    ):
        stage.variables["CIRCLE_LAYER_RPC_URL"] = first_node.http_url
        stage.variables["CIRCLE_LAYER_RPC_URLS"] = f"http://127.0.0.1:1 {stage.anvil.http_url}"
        stage.variables["CIRCLE_LAYER_WS_URL"] = wire.ws_url
        await stage.start_daemon()
        yield Chain(stage, first_node, wire)


async def expect_ticket(traveller: Traveller, sent: str, *, since: int | None = None) -> None:
    """The PDF, which names the traveller and the transaction."""
    paper = (await travel.ticket(traveller, since=since)).file
    assert paper is not None
    assert not missing_words(paper.content, ["Zoë", "Šimić", sent])


async def test_a_reorg_takes_the_count_back_and_counts_again(chain: Chain) -> None:
    traveller = chain.traveller()
    due = await book(traveller)
    await chain.pay(due, ONE)
    await hear(traveller, "0 of 3 confirmations")
    await chain.anvil.mine()
    await hear(traveller, "1 of 3 confirmations")

    await chain.anvil.reorg(2)
    told = await hear(traveller, "took back the block with your payment")
    assert "You do not need to do anything" in told
    await chain.in_state(due, State.PENDING)

    again = await chain.pay(due, ONE)
    await hear(traveller, "0 of 3 confirmations")
    await chain.anvil.mine(3)
    await expect_ticket(traveller, again)


async def test_one_wei_short_is_told_and_not_paid_until_it_comes(chain: Chain) -> None:
    traveller = chain.traveller()
    due = await book(traveller)
    await chain.pay(due, ONE - 1)
    await chain.anvil.mine(5)
    told = await hear(traveller, "I received 0.999999999999999999 of 1.00 CLAYER")
    assert "send the remaining 0.000000000000000001 CLAYER to the same address" in told
    assert await state_of(chain.stage, due) is State.UNDERPAID

    await traveller.say("is it paid now?")
    await hear(traveller, "send the remaining 0.000000000000000001 CLAYER")
    last = await chain.pay(due, 1)
    await chain.anvil.mine(3)
    await expect_ticket(traveller, last)


async def test_a_transfer_that_reverts_is_not_paid(chain: Chain) -> None:
    traveller = chain.traveller()
    due = await book(traveller)
    for refused in (contracts.pay_and_revert, contracts.pay_and_revert_inside):
        await contracts.receipt(chain.anvil, await refused(chain.anvil, due.address, ONE))
    await chain.anvil.mine(5)
    paid = await chain.pay(due, ONE)
    await chain.anvil.mine()
    await hear(traveller, "I see your payment of 1.00 CLAYER. 1 of 3 confirmations")  # and of nothing before it
    await chain.anvil.mine(2)
    await expect_ticket(traveller, paid)


async def test_a_transfer_by_a_contract_is_paid(chain: Chain) -> None:
    traveller = chain.traveller()
    due = await book(traveller)
    paid = await contracts.pay_from_depth(chain.anvil, due.address, ONE, depth=9)
    await contracts.receipt(chain.anvil, paid)
    await chain.anvil.mine(3)
    await expect_ticket(traveller, paid)


async def test_too_much_is_told_and_ticketed(chain: Chain) -> None:
    traveller = chain.traveller()
    due = await book(traveller)
    paid = await chain.pay(due, ONE + ONE // 2)
    await chain.anvil.mine(3)
    told = await hear(traveller, "You sent 0.50 CLAYER more than was due")
    assert "recorded as yours" in told
    await expect_ticket(traveller, paid)
    assert await state_of(chain.stage, due) is State.OVERPAID


async def test_money_after_cancelling_is_recorded_and_told(chain: Chain) -> None:
    """Also when the traveller is in the middle of another trip by then."""
    traveller = chain.traveller()
    due = await book(traveller)
    await traveller.say("/cancel")
    await hear(traveller, "Cancel this payment?")
    await traveller.say("yes")
    await hear(traveller, "Payment cancelled")
    await hear(traveller, "how would you like to pay")

    await chain.pay(due, ONE)
    await chain.anvil.mine(3)
    told = await hear(traveller, "Your payment of 1.00 CLAYER arrived after the payment was cancelled")
    assert "kept it safe" in told
    await chain.in_state(due, State.LATE)
    assert sum("Payment cancelled" in message.text for message in traveller.heard) == 1

    other = await travel.start_paying(traveller)
    assert other.address != due.address
    paid = await chain.pay(other, ONE)
    await chain.anvil.mine(3)
    await expect_ticket(traveller, paid)


async def test_the_node_is_restarted_while_a_payment_is_counted(chain: Chain) -> None:
    traveller = chain.traveller()
    due = await book(traveller)
    paid = await chain.pay(due, ONE)
    await chain.anvil.mine()
    await hear(traveller, "1 of 3 confirmations")
    await until(chain_is_on_disk(chain), within=travel.WITHIN, what="the node has written its state")
    await chain.anvil.kill()
    await traveller.say("/status")  # the chat goes on without a chain
    await hear(traveller, "I see your payment")
    await chain.anvil.restart()
    await chain.anvil.mine(6)  # a restarted Anvil knows no balances at blocks before its restart
    await expect_ticket(traveller, paid)
    await travel.until_ready(chain.stage)


async def test_the_websocket_is_cut(chain: Chain) -> None:
    traveller = chain.traveller()
    due = await book(traveller)
    chain.wire.cut()
    paid = await chain.pay(due, ONE)
    await hear(traveller, "I see your payment")
    chain.wire.cut()
    await chain.anvil.mine(3)
    await expect_ticket(traveller, paid)


async def test_one_of_the_nodes_is_dead(chain: Chain) -> None:
    """From opening the payment to its last confirmation."""
    traveller = chain.traveller()
    chain.first_node.down = True
    try:
        due = await book(traveller)
        paid = await chain.pay(due, ONE)
        await chain.anvil.mine(3)
        await expect_ticket(traveller, paid)
    finally:
        chain.first_node.down = False


async def test_a_payment_sent_while_the_daemon_is_down(chain: Chain) -> None:
    traveller = chain.stage.world.telegram_user("Zoë")
    due = await book(traveller)
    await chain.stage.kill_daemon()
    paid = await chain.pay(due, ONE)
    await chain.anvil.mine(3)
    await traveller.say("I have paid")
    await chain.stage.start_daemon()
    await expect_ticket(traveller, paid)


@pytest.mark.long
async def test_money_that_comes_late(tmp_path: Path) -> None:
    """Part of it in time, the rest after the time was up: both told, all of it recorded."""
    async with Stage.open(tmp_path) as stage:
        stage.variables["CIRCLE_LAYER_PAYMENT_TIMEOUT"] = "60"
        await stage.start_daemon()
        traveller = stage.world.telegram_user("Zoë")
        due = await book(traveller)
        await stage.anvil.send(due.address, 4 * ONE // 10)
        await hear(traveller, "I received 0.40 of 1.00 CLAYER")
        told = await traveller.expect("The time to pay is up. I received 0.40 of 1.00 CLAYER", within=90)
        assert "recorded as yours" in told.text
        await hear(traveller, "how would you like to pay")

        await stage.anvil.send(due.address, 6 * ONE // 10)
        assert "kept it safe" in await hear(traveller, "Your payment of 1.00 CLAYER arrived after the time was up")
        assert await state_of(stage, due) is State.LATE


def chain_is_on_disk(chain: Chain) -> Callable[[], Awaitable[bool]]:
    """Whether the node has written its state since now."""
    written = chain.stage.folder / "chain.json"
    before = written.stat().st_mtime_ns if written.exists() else 0

    async def is_newer() -> bool:
        return written.exists() and written.stat().st_mtime_ns > before

    return is_newer


async def test_the_wrong_chain(tmp_path: Path) -> None:
    """The daemon runs, /health says what is wrong, the chat goes on, and the method fails with a clear word."""
    async with Stage.open(tmp_path, block_time=None) as stage:
        stage.variables["CIRCLE_LAYER_CHAIN_ID"] = "1"
        await stage.start_daemon(ready=False)
        await until(lambda: halted(stage), within=60, what="/health says that the chain is halted")
        traveller = stage.world.whatsapp_user("Zoë")
        await travel.ask_for_trip(traveller)
        await travel.search(traveller)
        await travel.choose(traveller)
        await travel.introduce(traveller, "Zoë Šimić")
        await traveller.say("On-chain")
        told = await hear(traveller, "Paying on chain is not possible right now")
        assert "Nothing was charged" in told
        await hear(traveller, "how would you like to pay")
        await traveller.say("/help")
        await hear(traveller, "Choose how to pay")


async def halted(stage: Stage) -> bool:
    try:
        status, parts = await travel.health(stage)
    except OSError:  # it is still starting
        return False
    reason = parts["chain"]["halted"]
    assert reason is None or ("28525" in str(reason) and "CIRCLE_LAYER_CHAIN_ID" in str(reason)), reason
    return status == 503 and reason is not None
