"""Back-fill: a chain that went on without us, read and stored durably."""

import asyncio
import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import usual
from bench.bank import NotIndexed, copy_of, indexing, own_node, reached, stored
from bench.busy_chain import Paid
from bench.report import Figure
from indexer.config import ChainConfig


@dataclass(frozen=True, slots=True)
class Filled:
    """One run: seconds to everything stored, to everything checked, and CPU seconds of this process until stored."""

    stored: float
    checked: float
    cpu: float


async def fill(template: Path, config: ChainConfig, head: int, paid: Sequence[Paid], *, check: bool = True) -> Filled:
    """Read on from the template's block to ``head``. Raises NotIndexed unless exactly ``paid`` is stored."""
    async with copy_of(template, "filled.db") as database:
        gc.collect()
        begin, cpu = time.perf_counter(), time.process_time()
        async with indexing(config, database) as indexer:
            await reached(indexer, head)
            spent, used = time.perf_counter() - begin, time.process_time() - cpu
            if check:
                await reached(indexer, head - config.confirmations, verified=True)
            checked = time.perf_counter() - begin
        if await stored(database) != sorted((payment.address, payment.amount) for payment in paid):
            raise NotIndexed("what is stored is not what was paid")
    return Filled(spent, checked, used)


async def from_recording(template: Path, url: str, blocks: range, paid: Sequence[Paid], *, runs: int) -> list[Figure]:
    """From full blocks that a process plays back: no node takes part."""
    best = min(
        [await fill(template, own_node(url, None), blocks[-1], paid, check=False) for _ in range(runs)], key=_stored
    )
    work, note = (
        f"the same from {len(blocks):,} recorded full blocks",
        f"best of {runs}; with a receipt for each deposit",
    )
    cpu = best.cpu * 1e6 / len(blocks)
    return [
        Figure(work, len(blocks) / best.stored, "blocks/s", goal=15_000, at_least=True, note=note),
        Figure("… of it our own CPU, storing included", cpu, "µs a block", goal=40),
    ]


def _stored(run: Filled) -> float:
    return run.stored


async def beside_the_usual_way(
    template: Path, url: str, blocks: range, paid: Sequence[Paid], watched: Sequence[str], *, runs: int, sample: int
) -> list[Figure]:
    """From a node with traces, and a loop with web3.py over a sample of the same blocks."""
    config = own_node(url, None)
    best = min([await fill(template, config, blocks[-1], paid) for _ in range(runs)], key=_stored)
    numbers = list(blocks)[:: max(1, len(blocks) // sample)]
    loop, _ = await asyncio.to_thread(usual.read_blocks, url, numbers, set(watched))
    loop *= len(blocks) / len(numbers)
    work = f"back-fill of {len(blocks):,} blocks, {len(paid):,} deposits, node with traces"
    note = f"best of {runs}; web3.py extrapolated from {len(numbers)} blocks"
    return [
        Figure(work, best.stored, "s", goal=1.0, beside=loop, note=note),
        Figure("… of it our own CPU", best.cpu * 1e6 / len(blocks), "µs a block"),
        Figure("… until the balances are checked too", best.checked, "s"),
    ]
