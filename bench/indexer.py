"""The indexer's benchmark: its parts in order, on chains it builds itself."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import backfill
from bench.bank import database_watching, own_node
from bench.busy_chain import BusyChain, deposit_addresses
from bench.report import Figure
from indexer.model import BlockRef

TRANSFERS = 20  # in a block
HITS = 3  # of them to watched addresses


@dataclass(frozen=True, slots=True)
class Scale:
    """How much work."""

    blocks: int
    watched: int
    runs: int
    sample: int  # blocks or addresses of which the usual way is measured


FULL = Scale(blocks=5_000, watched=1_000, runs=3, sample=100)
QUICK = Scale(blocks=30, watched=20, runs=1, sample=5)


async def run(scale: Scale, folder: Path, only: Sequence[str] | None) -> list[Figure]:
    figures: list[Figure] = []
    parts = {"backfill": _backfill}
    for name, part in parts.items():
        if only is None or name in only:
            say(f"{name} …")
            figures += await part(scale, folder)
    return figures


async def _backfill(scale: Scale, folder: Path) -> list[Figure]:
    template = folder / "before.db"
    watched = deposit_addresses(scale.watched)
    async with BusyChain.start() as chain:
        genesis = await chain.anvil.rpc("eth_getBlockByNumber", "0x0", False)
        config = own_node(chain.anvil.http_url, None)
        await database_watching(template, config, watched, BlockRef(0, genesis["hash"]))
        say(f"  building {scale.blocks:,} blocks …")
        await chain.build(scale.blocks, TRANSFERS, HITS, watched)
        say("  reading them …")
        blocks = range(1, scale.blocks + 1)
        return await backfill.beside_the_usual_way(
            template, chain.anvil.http_url, blocks, chain.paid, watched, runs=scale.runs, sample=scale.sample
        )


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
