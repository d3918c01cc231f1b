"""Several nodes as one: each is checked for the right chain and probed before it is used, and rests after a failure.

The preferred node is used as long as it keeps up: every now and then all are asked how far they are, and one that is
behind the others is left aside until it has caught up. A piece of work is done on one node from its start to its end.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import aiohttp
import structlog

from indexer.budget import Spending
from indexer.config import ChainConfig
from indexer.model import ChainUnavailable
from indexer.probe import probe
from indexer.rpc import BODY_SIZE, BlockGone, Call, CallRefused, Node, NodeFailed
from indexer.token import token_decimals
from indexer.wire import Header, quantity
from runtime.clock import Clock

T = TypeVar("T")
_LOOK_EVERY = 3  # block times between two questions how far the nodes are
_TOLERATED = 2  # blocks that a node may be behind the others
log = structlog.get_logger()


class NodeBehind(ChainUnavailable):
    """The node has not got as far as what is stored. Others may have; else there is nothing to do but wait."""

    def __init__(self, node: str, head: int, stored: int) -> None:
        super().__init__(f"the node {node} is at block {head}, and {stored} have been read already")


class WrongChain(ChainUnavailable):
    """The node speaks for another chain than the one this database belongs to."""


class WrongChainId(WrongChain):
    def __init__(self, node: str, wanted: int, found: int) -> None:
        super().__init__(
            f"the node {node} is on chain {found}, not on {wanted}. "
            "Correct CIRCLE_LAYER_RPC_URL or CIRCLE_LAYER_CHAIN_ID. Nothing was read from it."
        )


class WrongGenesis(WrongChain):
    def __init__(self, node: str, wanted: str, found: str) -> None:
        super().__init__(
            f"the node {node} has another genesis block ({found[:18]}…) than the chain in this database "
            f"({wanted[:18]}…). If the URL is wrong, correct CIRCLE_LAYER_RPC_URL. If this is a development chain that "
            "was started afresh, start with a fresh DATABASE_URL too, or start the node from its saved state. "
            "Nothing was changed."
        )


class WrongToken(WrongChain):
    def __init__(self, node: str, token: str, wanted: int, found: int | None) -> None:
        said = "no ERC-20 token answers there" if found is None else f"that token has {found} decimals, not {wanted}"
        super().__init__(
            f"CIRCLE_LAYER_TOKEN_ADDRESS is {token}, and the node {node} says: {said}. "
            "Correct the address or CIRCLE_LAYER_TOKEN_DECIMALS. Nothing was counted."
        )


class WrongAsset(WrongChain):
    """What is to be counted is not what was counted in this database so far."""

    def __init__(self, configured: str | None, counted: str | None) -> None:
        super().__init__(
            f"this database counts {_asset(counted)}, and the configuration says {_asset(configured)}. Amounts of the "
            "two must not be mixed: set CIRCLE_LAYER_TOKEN_ADDRESS as it was, or use another DATABASE_URL. "
            "Nothing was changed."
        )


def _asset(token: str | None) -> str:
    return "the native coin" if token is None else f"the token {token}"


@dataclass(slots=True)
class _Member:
    node: Node
    checked: bool = False
    head: int | None = None  # when it was last asked
    rests_until: datetime | None = None


class NodePool:
    """The configured nodes in order of preference. ``use`` runs a piece of work on one of them, whole."""

    def __init__(self, config: ChainConfig, session: aiohttp.ClientSession, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._genesis: str | None = None
        self._members = [_Member(_node(url, session, config)) for url in config.rpc_urls]

    def expect_genesis(self, genesis: str) -> None:
        """From now on only nodes with that genesis block are used."""
        if self._genesis != genesis:
            self._genesis = genesis
            self.doubt()

    def expect_asset(self, counted: str | None) -> None:
        """Raises WrongAsset where the database counts something else than these nodes are asked about."""
        if counted != self._config.token:
            raise WrongAsset(self._config.token, counted)

    def doubt(self) -> None:
        """Something does not fit: check every node's chain again before it is used."""
        for member in self._members:
            member.checked = False

    async def use(self, work: Callable[[Node], Awaitable[T]]) -> T:
        """Run the work on the first node that can; on the next one from the start where a node fails.

        Raises NodeBehind where all that can are behind, ChainUnavailable where none can, WrongChain where one is there
        but of another chain, and whatever else the work raises.
        """
        failures: list[ChainUnavailable] = []
        for member in self._in_order():
            try:
                await self._check(member)
                return await work(member.node)
            except (NodeFailed, WrongChain) as failure:
                self._rest(member, failure)
                failures.append(failure)
            except CallRefused as failure:
                if failure.is_final and len(self._members) == 1:
                    raise
                failures.append(failure)
            except (BlockGone, NodeBehind) as failure:
                failures.append(failure)
        raise _worst(failures)

    def report(self) -> Sequence[dict[str, object]]:
        """Each node's state, for /health."""
        now = self._clock.now()
        return [
            {
                "node": member.node.name,
                "resting": _rests(member, now),
                "head": member.head,
                "abilities": member.node.abilities.report(),
                "batch_size": member.node.batch_size,
                "limits": member.node.abilities.limits(self._config.confirmations, self._config.window),
                "budget": asdict(member.node.budget.spending()),
            }
            for member in self._members
        ]

    def spending(self) -> list[tuple[str, Spending]]:
        """Each node's name and what was asked of it."""
        return [(member.node.name, member.node.budget.spending()) for member in self._members]

    def _in_order(self) -> list[_Member]:
        """Those that rest last, those that are behind before them; else by preference (the sort is stable)."""
        now = self._clock.now()
        best = max((member.head for member in self._members if member.head is not None), default=0)

        def is_behind(member: _Member) -> bool:
            return member.head is not None and best - member.head > _TOLERATED

        return sorted(self._members, key=lambda member: (_rests(member, now), is_behind(member)))

    async def watch(self, changed: Callable[[], None]) -> None:
        """Ask all nodes now and then how far they are, where there are several. ``changed``: another one is used now.

        On its own, so that a node which does not answer holds nothing up.
        """
        while len(self._members) > 1:
            first = self._in_order()[0]
            async with asyncio.TaskGroup() as group:
                for member in self._members:
                    if not _rests(member, self._clock.now()):
                        group.create_task(self._ask_head(member))
            if self._in_order()[0] is not first:
                log.info("node_preferred", node=self._in_order()[0].node.name)
                changed()
            await self._clock.sleep(_LOOK_EVERY * self._config.block_time)

    async def _ask_head(self, member: _Member) -> None:
        try:
            await self._check(member)
            head = quantity(await member.node.call("eth_blockNumber", [], str))
        except (NodeFailed, WrongChain, CallRefused) as failure:
            self._rest(member, failure)
            head = None
        member.head = head

    async def _check(self, member: _Member) -> None:
        if member.checked:
            return
        node = member.node
        node.batch_size, node.body_size = self._config.batch_size, BODY_SIZE  # what it does not take, it now says
        full = [Call("eth_chainId", [], str)] * max(1, node.batch_size - 1)
        genesis, chain_id, *_ = await node.batch([Call("eth_getBlockByNumber", ["0x0", False], Header), *full])
        if quantity(chain_id) != self._config.chain_id:
            raise WrongChainId(node.name, self._config.chain_id, quantity(chain_id))
        if self._genesis is not None and genesis.hash != self._genesis:
            raise WrongGenesis(node.name, self._genesis, genesis.hash)
        if node.token is not None:
            decimals = await token_decimals(node, node.token)
            if decimals != self._config.token_decimals:
                raise WrongToken(node.name, node.token, self._config.token_decimals, decimals)
        node.abilities = await probe(node)
        member.checked, member.rests_until = True, None
        log.info("node_checked", node=node.name, **node.abilities.report())

    def _rest(self, member: _Member, failure: ChainUnavailable) -> None:
        member.checked = False
        now = self._clock.now()
        if not _rests(member, now):
            log.warning("node_failed", node=member.node.name, error=str(failure))
        member.rests_until = now + timedelta(seconds=self._config.cool_down)


def _worst(failures: Sequence[ChainUnavailable]) -> ChainUnavailable:
    """What to say when no node could: what a person must mend first, then what is worth another try at once."""
    for kind in (WrongChain, BlockGone, CallRefused):
        for failure in failures:
            if isinstance(failure, kind):
                return failure
    if len(failures) == 1 or all(isinstance(failure, NodeBehind) for failure in failures):
        return failures[0]
    return ChainUnavailable("; ".join(str(failure) for failure in failures))


def _rests(member: _Member, now: datetime) -> bool:
    return member.rests_until is not None and member.rests_until > now


def _node(url: str, session: aiohttp.ClientSession, config: ChainConfig) -> Node:
    return Node(
        url,
        session,
        timeout=config.rpc_timeout,
        batch_size=config.batch_size,
        connections=config.connections,
        requests_per_minute=config.requests_per_minute,
        token=config.token,
    )
