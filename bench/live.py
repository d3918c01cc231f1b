"""Blocks as they come, one by one: how long until a deposit is seen, stored, and the balances are checked."""

import asyncio
import gc
import logging
import statistics
import sys
import time
from collections.abc import AsyncIterator, MutableMapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from bench import usual
from bench.bank import indexing, insert_open, new_database, own_node, reached
from bench.busy_chain import BusyChain
from bench.processes import spoken
from bench.report import Figure
from indexer.indexer import Indexer
from sandbox.child_process import ChildProcess

_WARM_UP = 6  # blocks that are not counted; from the fourth on each confirms deposits
_PAUSE = 0.03  # seconds of quiet before each block
_WITHIN = 20.0  # seconds
_MOST = 50_000  # open deposits that Layover is made for


@dataclass(frozen=True, slots=True)
class Block:
    """Moments of one block, in milliseconds after it was ordered from the node."""

    head: float  # a bare subscriber heard of it
    seen: float  # its deposits are known
    stored: float  # they are durable
    checked: float  # balances are checked and older deposits confirmed, durably: all work is done


@dataclass(frozen=True, slots=True)
class Followed:
    blocks: Sequence[Block]
    requests: float  # a block
    calls: float  # a block
    cpu: float  # milliseconds a block, of this process

    def middle(self, what: str) -> float:
        return float(statistics.median(getattr(block, what) for block in self.blocks))

    def worst(self, what: str) -> float:
        """The 99th of 100."""
        ordered = sorted(getattr(block, what) for block in self.blocks)
        return float(ordered[min(len(ordered) - 1, round(0.99 * (len(ordered) - 1)))])


class _Moments:
    """When blocks were read, taken from the indexer's own log."""

    def __init__(self) -> None:
        self.read: dict[int, float] = {}

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if event["event"] == "blocks_read":
            self.read[event["upto"]] = time.perf_counter()
        raise structlog.DropEvent


@dataclass(frozen=True, slots=True)
class Work:
    """``hits`` of each block's transfers go to watched addresses, in turn."""

    watched: Sequence[str]
    blocks: int
    transfers: int
    hits: int


async def follow(chain: BusyChain, url: str, work: Work, folder: Path) -> Followed:
    """Mine block after block with all addresses open, and wait for each to be done with. ``url``: read from there."""
    moments = _Moments()
    structlog.configure(processors=[moments], wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    try:
        async with (
            _following(chain, url, work.watched, folder / "following.db") as indexer,
            _listening(chain.anvil.ws_url, folder / "heads.log") as heads,
        ):
            before = _spent(indexer)
            found, cpu = await _mine(chain, indexer, work)
            requests, calls = (after - was for after, was in zip(_spent(indexer), before, strict=True))
    finally:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    blocks = [
        Block(*(1000 * (at - ordered) for at in (heads[number], moments.read[number], stored, checked)))
        for number, ordered, stored, checked in found
    ]
    mined = _WARM_UP + work.blocks
    return Followed(blocks, requests / mined, calls / mined, 1000 * cpu / work.blocks)


def _spent(indexer: Indexer) -> tuple[int, int]:
    [(_, spending)] = indexer.nodes.spending()
    return spending.requests, spending.calls


@asynccontextmanager
async def _following(chain: BusyChain, url: str, watched: Sequence[str], file: Path) -> AsyncIterator[Indexer]:
    """An indexer that is level with the chain, all addresses open since its newest block."""
    tip = await chain.newest()
    async with new_database(file) as database:
        async with indexing(own_node(url, None), database) as indexer:
            await reached(indexer, tip.number)
        await insert_open(database, watched, tip)
        async with indexing(own_node(url, chain.anvil.ws_url), database) as indexer:
            await reached(indexer, tip.number)
            gc.collect()
            yield indexer


@asynccontextmanager
async def _listening(url: str, file: Path) -> AsyncIterator[dict[int, float]]:
    """When each head came to a bare subscriber; filled in at the end of the block."""
    with file.open("wb") as output:
        process = await ChildProcess.spawn(sys.executable, "-m", "bench.subscriber", url, output=output)
    heads: dict[int, float] = {}
    try:
        await spoken(file)
        yield heads
        await asyncio.sleep(_PAUSE)  # the last head is on its way
    finally:
        await process.stop(patience=1)
    for line in (await asyncio.to_thread(file.read_text)).splitlines()[1:]:
        number, at = line.split()
        heads[int(number)] = float(at)


async def _mine(chain: BusyChain, indexer: Indexer, work: Work) -> tuple[list[tuple[int, float, float, float]], float]:
    """(number, ordered, stored, checked) of each block, and the CPU seconds they took."""
    found, cpu = [], 0.0
    await indexer.changed()
    for place in range(_WARM_UP + work.blocks):
        if place == _WARM_UP:
            gc.collect()
        turn = place * work.hits
        await chain.fill(work.transfers, [work.watched[(turn + hit) % len(work.watched)] for hit in range(work.hits)])
        await asyncio.sleep(_PAUSE)
        ordered, used = time.perf_counter(), time.process_time()
        await chain.mine()
        async with asyncio.timeout(_WITHIN):
            await indexer.changed()
            stored = time.perf_counter()
            if place >= indexer.config.confirmations:  # those of some blocks ago are confirmed after the check
                await indexer.changed()
        checked = time.perf_counter()
        if place >= _WARM_UP:
            cpu += time.process_time() - used
            found.append(((await chain.newest()).number, ordered, stored, checked))
    return found, cpu


async def each_block(chain: BusyChain, work: Work, folder: Path, sample: int) -> list[Figure]:
    """From a node with traces, beside asking for each balance with web3.py (of ``sample`` addresses)."""
    url = chain.anvil.http_url
    followed = await follow(chain, url, work, folder)
    asked = work.watched[:sample]
    poll = 1000 * await asyncio.to_thread(usual.ask_balances, url, asked) * len(work.watched) / len(asked)
    done = statistics.mean(block.checked - block.head for block in followed.blocks)
    name = f"a block with {len(work.watched):,} open, from its head to the last check"
    goal = 40.0 if len(work.watched) == _MOST else None
    load = f"{followed.requests:.1f} requests of {followed.calls:.1f} calls, {followed.cpu:.1f} ms of our CPU"
    return [
        Figure(name, done, "ms", goal=goal, beside=poll, note=f"{load}; the poll from {len(asked)} addresses"),
        *_latencies(followed, f"{len(work.watched):,} open, with traces", None),
    ]


async def full_blocks(chain: BusyChain, url: str, work: Work, folder: Path) -> list[Figure]:
    """From a node without traces."""
    followed = await follow(chain, url, work, folder)
    return _latencies(followed, f"{len(work.watched):,} open, with full blocks", 10.0)


def _latencies(followed: Followed, how: str, goal: float | None) -> list[Figure]:
    """``goal``: for a deposit to be seen; by default twice what the bare subscriber takes."""
    head, seen = followed.middle("head"), followed.middle("seen")
    later = statistics.median(block.stored - block.seen for block in followed.blocks)
    p99 = f"p99 {followed.worst('seen'):.1f}"
    beside = f"a bare newHeads subscriber {head:.1f}, p99 {followed.worst('head'):.1f}"
    return [
        Figure(f"mined → deposit seen, {how}", seen, "ms", goal=goal or 2 * head, note=f"{p99}; {beside}"),
        Figure("… → stored durably, more", later, "ms", goal=5.0, note=f"p99 in all {followed.worst('stored'):.1f}"),
    ]
