"""The sweep's few bytes of EVM code find exactly the balances that are not as expected."""

import random

import aiohttp
import pytest

from indexer.abilities import Sweep
from indexer.addresses import checksum_address
from indexer.model import BlockRef
from indexer.probe import probe
from indexer.rpc import Node
from indexer.sweep import balances, created_by, differences, encode, moved_nonces
from indexer.sweep_code import BALANCE, NONCE, sweep_code, token_balance
from sandbox.anvil import Anvil
from tests.indexer.proxies import LesserNode


def node_of(url: str, session: aiohttp.ClientSession) -> Node:
    return Node(url, session, timeout=30, batch_size=100, connections=4)


async def holders(node: Anvil, chance: random.Random, count: int) -> dict[str, int]:
    """Addresses and what they hold: nothing, a little, more than 96 bits."""
    held = {}
    for _ in range(count):
        address = checksum_address(f"0x{chance.getrandbits(160):040x}")
        held[address] = chance.choice([0, 1, 10**18, 2**96 - 1, 2**96, 2**96 + 5, 2**200])
        await node.rpc("anvil_setBalance", address, hex(held[address]))
    await node.mine()
    return held


async def head_of(node: Anvil) -> BlockRef:
    block = await node.rpc("eth_getBlockByNumber", "latest", False)
    return BlockRef(int(block["number"], 16), block["hash"])


LADDER = [Sweep.OVERRIDE, Sweep.CREATION, Sweep.BATCHES]


def step_down(lesser: LesserNode, way: Sweep) -> None:
    """A node on which that is the best way."""
    lesser.refuses_overrides = way is not Sweep.OVERRIDE
    lesser.refuses_creation = way is Sweep.BATCHES


def many(count: int) -> dict[str, int]:
    """Addresses that hold nothing; the first of them begins as creation code must not (EIP-3541)."""
    return {checksum_address(f"0x{(0xEF << 152) + number:040x}"): 0 for number in range(1, count + 1)}


@pytest.mark.parametrize("way", LADDER)
async def test_only_what_changed_comes_back(node: Anvil, session: aiohttp.ClientSession, way: Sweep) -> None:
    chance = random.Random(1)
    held = await holders(node, chance, 60)
    block = await head_of(node)
    async with LesserNode.before(node.http_url) as lesser:
        step_down(lesser, way)
        client = node_of(lesser.http_url, session)
        client.abilities = await probe(client)
        assert client.abilities.sweep is way
        assert await differences(client, block, held) == {}
        wrong = dict.fromkeys(chance.sample(sorted(held), 20), 7)
        assert await differences(client, block, held | wrong) == {address: held[address] for address in wrong}
        assert await differences(client, block, {}) == {}
        assert await differences(client, block, dict.fromkeys(many(3), 5)) == many(3)
        assert await balances(client, block, list(held)) == held


@pytest.mark.parametrize(
    ("way", "cap", "refuses"),
    [
        (Sweep.OVERRIDE, None, False),
        (Sweep.OVERRIDE, 50_000_000, False),
        (Sweep.OVERRIDE, 16_777_216, True),
        (Sweep.CREATION, 3_000_000, False),
        (Sweep.CREATION, 16_777_216, True),
    ],
)
async def test_the_gas_of_a_call_is_found_by_asking(
    node: Anvil, session: aiohttp.ClientSession, way: Sweep, cap: int | None, refuses: bool
) -> None:
    """Nodes that refuse more gas, and nodes that give less than was asked for and do not say so."""
    held = await holders(node, random.Random(2), 5)
    block = await head_of(node)
    async with LesserNode.before(node.http_url) as lesser:
        step_down(lesser, way)
        lesser.gas_cap, lesser.gas_limit = (None, cap) if refuses else (cap, None)
        client = node_of(lesser.http_url, session)
        client.abilities = await probe(client)
        assert client.abilities.sweep is way
        assert client.abilities.gas <= (cap or 10**9)
        assert client.abilities.gas >= 0.9 * (cap or 10**9) or cap == 16_777_216
        before = lesser.requests
        assert await differences(client, block, many(9_000) | dict.fromkeys(held, 3)) == held
        most = {Sweep.OVERRIDE: 1, Sweep.CREATION: 1}[way] if cap is None or cap > 40_000_000 else 4
        assert lesser.requests - before <= most
        assert max(lesser.batches) <= 100


@pytest.mark.parametrize("way", LADDER[:2])
async def test_more_findings_than_a_call_can_return(node: Anvil, session: aiohttp.ClientSession, way: Sweep) -> None:
    """What creation code returns is limited as a contract is (EIP-170): halved until it fits."""
    block = await head_of(node)
    async with LesserNode.before(node.http_url) as lesser:
        step_down(lesser, way)
        lesser.gas_cap = 30_000_000
        client = node_of(lesser.http_url, session)
        client.abilities = await probe(client)
        assert await differences(client, block, dict.fromkeys(many(5_000), 1)) == many(5_000)


@pytest.mark.parametrize("as_geth", [True, False])
async def test_a_node_that_takes_only_small_requests(
    node: Anvil, session: aiohttp.ClientSession, as_geth: bool
) -> None:
    """By number of calls or by bytes: what it takes is learnt from its refusals, and kept to."""
    held = await holders(node, random.Random(3), 5)
    block = await head_of(node)
    async with LesserNode.before(node.http_url) as lesser:
        lesser.largest_batch, lesser.largest_body, lesser.refuses_as_geth = 10, 300_000, as_geth
        client = node_of(lesser.http_url, session)
        client.abilities = await probe(client)
        for _ in range(2):
            assert await differences(client, block, many(20_000) | dict.fromkeys(held, 3)) == held
        accounts = list(many(95))
        assert await balances(client, block, accounts) == many(95)
        assert client.batch_size == 10
        assert client.body_size < 300_000
        before = lesser.requests
        await balances(client, block, accounts)
        assert lesser.requests - before == 10


async def test_nonces_that_moved(node: Anvil, session: aiohttp.ClientSession) -> None:
    """What an address has sent shows also where its balance is what it was."""
    accounts = await node.accounts()
    client = node_of(node.http_url, session)
    client.abilities = await probe(client)
    nobody = list(many(2_000))
    expected = {address: created_by(address, 0) for address in [*accounts, *nobody]}
    assert await moved_nonces(client, await head_of(node), expected) == set()
    for sender, times in ((accounts[1], 1), (accounts[2], 200)):
        for _ in range(times):
            await node.send(accounts[0], 1, sender=sender)
    block = await head_of(node)
    assert await moved_nonces(client, block, expected) == {accounts[1], accounts[2]}
    now = expected | {accounts[1]: created_by(accounts[1], 1), accounts[2]: created_by(accounts[2], 200)}
    assert await moved_nonces(client, block, now) == set()


def test_the_code_is_small_and_old() -> None:
    """Known to every chain since Constantinople: no PUSH0 (5f) as an instruction."""
    for measure in (BALANCE, NONCE, token_balance("0x" + "ab" * 20)):
        for creation in (True, False):
            code = bytes.fromhex(sweep_code(measure, creation=creation)[2:])
            place, instructions = 0, []
            while place < len(code):
                instructions.append(code[place])
                place += 1 + (code[place] - 0x5F if 0x60 <= code[place] <= 0x7F else 0)
            assert 0x5F not in instructions
            assert len(code) < 200
    assert encode({"0x" + "ab" * 20: 2**96 + 1}) == "ab" * 20 + f"{1:024x}"
