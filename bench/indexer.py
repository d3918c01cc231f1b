"""The indexer's benchmark: its parts in order, on chains it builds itself."""

import asyncio
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import backfill, derivation, live, memory, replay
from bench.bank import database_watching, own_node
from bench.busy_chain import BusyChain, deposit_addresses
from bench.live import Work
from bench.plain_node import without_traces
from bench.report import Figure

TRANSFERS = 20  # in a block
HITS = 3  # of them to watched addresses


@dataclass(frozen=True, slots=True)
class Scale:
    """How much work."""

    blocks: int
    watched: int
    runs: int
    sample: int  # blocks or addresses of which the usual way is measured
    open_counts: tuple[int, ...]  # how many addresses are open while blocks come one by one
    per_count: int  # blocks for each of them
    derived: int  # addresses


FULL = Scale(
    blocks=5_000,
    watched=1_000,
    runs=3,
    sample=100,
    open_counts=(100, 1_000, 10_000, 50_000),
    per_count=60,
    derived=20_000,
)
QUICK = Scale(blocks=30, watched=20, runs=1, sample=5, open_counts=(20,), per_count=4, derived=50)


async def run(scale: Scale, folder: Path, only: Sequence[str] | None) -> list[Figure]:
    figures: list[Figure] = []
    parts = {"backfill": _backfill, "live": _live, "derivation": _derivation, "memory": _memory}
    for name, part in parts.items():
        if only is None or name in only:
            say(f"{name} …")
            figures += await part(scale, folder)
    return figures


async def _backfill(scale: Scale, folder: Path) -> list[Figure]:
    template = folder / "before.db"
    watched = deposit_addresses(scale.watched)
    async with BusyChain.start() as chain:
        url = chain.anvil.http_url
        await database_watching(template, own_node(url, None), watched, await chain.newest())
        say(f"  building {scale.blocks:,} blocks …")
        await chain.build(scale.blocks, TRANSFERS, HITS, watched)
        say("  reading them from the node …")
        blocks = range(1, scale.blocks + 1)
        figures = await backfill.beside_the_usual_way(
            template, url, blocks, chain.paid, watched, runs=scale.runs, sample=scale.sample
        )
        say("  recording them …")
        recording = await replay.record(url, blocks, [payment.tx_hash for payment in chain.paid])
    say("  reading them from the recording …")
    async with replay.playing(recording, folder) as url:
        return figures + await backfill.from_recording(template, url, blocks, chain.paid, runs=scale.runs)


async def _live(scale: Scale, folder: Path) -> list[Figure]:
    figures: list[Figure] = []
    watched = deposit_addresses(scale.open_counts[-1])
    for count in scale.open_counts:
        say(f"  {count:,} open …")
        work = Work(watched[:count], scale.per_count, TRANSFERS, HITS)
        async with BusyChain.start() as chain:
            figures += await live.each_block(chain, work, folder, scale.sample)
        async with BusyChain.start() as chain, without_traces(chain.anvil.http_url, folder) as plain:
            figures += await live.full_blocks(chain, plain, work, folder)
    return figures


async def _derivation(scale: Scale, _folder: Path) -> list[Figure]:
    return await asyncio.to_thread(derivation.derive, scale.derived, scale.sample)


async def _memory(scale: Scale, folder: Path) -> list[Figure]:
    return await memory.whole_daemon(scale.open_counts[-1], folder, _free_port(), also_none=scale is FULL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
