"""Whatever happens, in whatever order: in the end the deposits are what the canonical chain's balances say."""

import asyncio
import random
from contextlib import AsyncExitStack

import pytest

from indexer.addresses import checksum_address
from indexer.model import ChainEventKind
from runtime.database import Database
from sandbox import contracts
from sandbox.anvil import Anvil
from tests.indexer.conftest import Chain, MakeChain, running, until
from tests.indexer.proxies import LesserNode, Wire, unreliable

STEPS = 60
ADDRESSES = 6
LIMITS: list[set[str]] = [set(), {"trace_block"}, {"trace_block", "debug_traceBlockByHash"}]


class World:
    """A chain on which things happen by chance, and an indexer that is stopped and started among them."""

    def __init__(self, chain: Chain, wire: Wire, node: LesserNode, chance: random.Random) -> None:
        self._chain = chain
        self._anvil = chain.node
        self._wire = wire
        self._node = node
        self._chance = chance
        self._process = AsyncExitStack()
        self._snapshots: list[str] = []
        self.addresses = [checksum_address(f"0x{number << 70:040x}") for number in range(1, ADDRESSES + 1)]

    async def step(self) -> None:
        # weights: payments are common, disasters less so
        choices = [(self.pay, 8), (self.mine, 5), (self.reorg, 3), (self.rewind, 1), (self.cut, 2), (self.restart, 2)]
        choices += [(self.tier, 3), (self.breathe, 4), (self.err, 1)]
        [action] = self._chance.choices([choice for choice, _ in choices], [weight for _, weight in choices])
        await action()

    async def pay(self) -> None:
        node, to, wei = self._anvil, self._chance.choice(self.addresses), self._chance.randrange(1, 1000)
        match self._chance.randrange(6):
            case 0:
                tx = await contracts.pay_by_forwarder(node, to, wei)
            case 1:
                tx = await contracts.pay_twice(node, to, wei, wei, other=self._chance.choice(self.addresses))
            case 2:
                tx = await contracts.pay_by_selfdestruct(node, to, wei)
            case 3:
                tx = await contracts.pay_and_revert_inside(node, to, wei)
            case _:
                tx = await node.send(to, wei)
        await contracts.receipt(node, tx)

    async def mine(self) -> None:
        await self._anvil.mine(self._chance.randrange(1, 6))

    async def reorg(self) -> None:
        depth = min(self._chance.choice([1, 1, 2, 3, 6, 12]), await self._anvil.block_number() - 10)
        if depth > 0:
            to, wei = self._chance.choice(self.addresses), self._chance.randrange(1, 1000)
            transfer = {"from": self._payer, "to": to, "value": hex(wei), "gas": hex(21000)}
            self._snapshots.clear()
            await self._anvil.reorg(depth, [(transfer, self._chance.randrange(depth))] if wei % 2 else [])

    async def rewind(self) -> None:
        if self._snapshots:
            await self._anvil.rpc("evm_revert", self._snapshots.pop())
        else:
            self._snapshots.append(await self._anvil.rpc("evm_snapshot"))

    async def cut(self) -> None:
        self._wire.cut()

    async def restart(self) -> None:
        await self._process.aclose()
        self._process = AsyncExitStack()
        await self._process.enter_async_context(running(self._chain.indexer()))

    async def tier(self) -> None:
        address = self._chance.choice(self.addresses)
        await (self._chain.close(address) if self._chance.random() < 0.5 else self._chain.open(address))

    async def breathe(self) -> None:
        await asyncio.sleep(self._chance.random() / 10)

    async def err(self) -> None:
        healthy = self._node.tamper is not None
        self._node.tamper = None if healthy else unreliable(self._chance, 0.03)

    async def settle(self) -> None:
        """Peace: everything that is left to find is found."""
        self._node.tamper = None
        await self._anvil.rpc("evm_increaseTime", 600)
        await self.restart()
        for address in self.addresses:
            await self._chain.open(address)
        await self._anvil.mine(6)
        await self._chain.level(self._chain.newest)
        await self._chain.checked(self._chain.newest)

    async def end(self) -> None:
        await self._process.aclose()

    async def begin(self) -> None:
        self._payer = (await self._anvil.accounts())[4]
        await self._anvil.mine(10)
        await self.restart()
        await self._chain.level(self._chain.newest)
        for address in self.addresses:
            await self._chain.open(address)


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(4, 60))])
async def test_in_the_end_it_is_what_the_chain_says(
    node: Anvil, sqlite: Database, make_chain: MakeChain, seed: int
) -> None:
    chance = random.Random(seed)
    async with Wire.to(node.port) as wire, LesserNode.before(node.http_url) as lesser:
        lesser.refused = chance.choice(LIMITS)
        lesser.refuses_overrides = chance.random() < 0.3
        config = {"rpc_urls": (lesser.http_url,), "ws_url": wire.ws_url, "dormant_every": 7, "chunk": 5}
        chain = make_chain(node, sqlite, **config)
        world = World(chain, wire, lesser, chance)
        await world.begin()
        try:
            for _ in range(STEPS):
                await world.step()
            await world.settle()
            await _agrees(chain, world.addresses)
        finally:
            await world.end()


async def _agrees(chain: Chain, addresses: list[str]) -> None:
    standing: dict[int, int] = {}
    for address in addresses:

        async def right(address: str = address) -> bool:
            deposits = await chain.deposits(address)
            balance = await chain.node.balance(address)
            return sum(deposit.amount for deposit in deposits) == balance and all(each.confirmed for each in deposits)

        await until(right, f"the deposits of {address} are its balance")
        standing |= {deposit.id: deposit.amount for deposit in await chain.deposits(address)}
    events = await chain.events()
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    replayed: dict[int, int] = {}
    for event in events:
        if event.kind is ChainEventKind.SEEN:
            assert event.deposit_id not in replayed
            replayed[event.deposit_id] = event.amount
        elif event.kind is ChainEventKind.REMOVED:
            del replayed[event.deposit_id]
        else:
            assert event.deposit_id in replayed
    assert replayed == standing
