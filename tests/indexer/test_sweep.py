"""The sweep's few bytes of EVM code find exactly the balances that are not as expected."""

import random

import aiohttp
import pytest

from indexer.addresses import checksum_address
from indexer.model import BlockRef
from indexer.probe import probe
from indexer.rpc import Node
from indexer.sweep import CODE, balances, differences, encode
from sandbox.anvil import Anvil
from tests.indexer.proxies import Answer, LesserNode


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


@pytest.mark.parametrize("override", [True, False])
async def test_only_what_changed_comes_back(node: Anvil, session: aiohttp.ClientSession, override: bool) -> None:
    chance = random.Random(1)
    held = await holders(node, chance, 60)
    block = await head_of(node)
    async with LesserNode.before(node.http_url) as lesser:
        lesser.refuses_overrides = not override
        client = node_of(lesser.http_url, session)
        client.abilities = await probe(client)
        assert client.abilities.override is override
        assert await differences(client, block, held) == {}
        wrong = dict.fromkeys(chance.sample(sorted(held), 20), 7)
        assert await differences(client, block, held | wrong) == {address: held[address] for address in wrong}
        assert await differences(client, block, {}) == {}
        assert await balances(client, block, list(held)) == held


async def test_halved_where_the_gas_does_not_reach(node: Anvil, session: aiohttp.ClientSession) -> None:
    """A node that caps the gas of a call: the records go in several calls."""
    held = await holders(node, random.Random(2), 5)
    many = held | {checksum_address(f"0x{number << 80:040x}"): 0 for number in range(1, 7000)}
    largest = 0

    def capped(method: str, answer: Answer) -> Answer | None:
        nonlocal largest
        if method != "eth_call":
            return answer
        largest += 1
        if largest % 3 == 2:  # some of the calls, as if they had cost too much
            return {"jsonrpc": "2.0", "id": answer["id"], "error": {"code": 3, "message": "out of gas"}}
        return answer

    async with LesserNode.before(node.http_url) as lesser:
        client = node_of(lesser.http_url, session)
        client.abilities = await probe(client)
        lesser.tamper = capped
        block = await head_of(node)
        wrong = dict.fromkeys(held, 3)
        assert await differences(client, block, many | wrong) == held
        assert largest > 2


def test_the_code_is_small_and_old() -> None:
    """Known to every chain since Constantinople: no PUSH0 (5f) as an instruction."""
    code = bytes.fromhex(CODE[2:])
    place, instructions = 0, []
    while place < len(code):
        instructions.append(code[place])
        place += 1 + (code[place] - 0x5F if 0x60 <= code[place] <= 0x7F else 0)
    assert 0x5F not in instructions
    assert len(code) < 70
    assert encode({"0x" + "ab" * 20: 2**96 + 1}) == "0x" + "ab" * 20 + f"{1:024x}"
