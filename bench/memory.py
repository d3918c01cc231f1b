"""The whole daemon as a process, both channels and the chain, with many deposits open: what it takes of memory."""

import asyncio
import subprocess
from pathlib import Path

from bench.bank import NotIndexed, indexing, insert_open, own_node, reached
from bench.busy_chain import deposit_addresses
from bench.report import Figure
from bot.schema import bring_up_to_date
from indexer.model import BlockRef
from runtime.database import Database
from sandbox.anvil import Anvil
from sandbox.world import World
from scripts.daemon_process import DaemonProcess, configuration

_BLOCKS = 8  # that it follows with all deposits open, before it is looked at
_WITHIN = 60.0  # seconds


async def whole_daemon(open_deposits: int, folder: Path, port: int, *, also_none: bool) -> list[Figure]:
    """Megabytes (2^20 bytes) resident with that many open, and with none."""
    many = await _resident(open_deposits, folder / "many", port)
    figures = [Figure(f"memory of the whole daemon, {open_deposits:,} open deposits", many, "MB", goal=300)]
    if also_none:
        figures.append(Figure("… with none", await _resident(0, folder / "none", port), "MB"))
    return figures


async def _resident(open_deposits: int, folder: Path, port: int) -> float:
    await asyncio.to_thread(folder.mkdir)
    async with Anvil.start() as anvil, World.start() as world:
        variables = configuration(world, anvil, port=port, folder=folder)
        world.connect(variables["BASE_URL"])
        await bring_up_to_date(variables["DATABASE_URL"])
        genesis = await anvil.rpc("eth_getBlockByNumber", "0x0", False)
        async with Database.open(variables["DATABASE_URL"]) as database:
            async with indexing(own_node(anvil.http_url, None), database) as indexer:
                await reached(indexer, 0)
            await insert_open(database, deposit_addresses(open_deposits), BlockRef(0, genesis["hash"]))
        async with DaemonProcess.start(variables, folder) as daemon:
            for _ in range(_BLOCKS):
                await anvil.mine()
                await asyncio.sleep(0.25)  # the time that a block takes is what is waited for
            await _has_read(variables["DATABASE_URL"], await anvil.block_number())
            return await asyncio.to_thread(_megabytes, daemon.pid)


async def _has_read(url: str, block: int) -> None:
    async with asyncio.timeout(_WITHIN), Database.open(url) as database:
        while True:
            async with database.snapshot() as connection:
                at = (await connection.exec_driver_sql("SELECT number FROM chain_cursor")).scalar()
            if at is None:
                raise NotIndexed("the daemon has no cursor")
            if at >= block:
                return
            await asyncio.sleep(0.05)


def _megabytes(process: int) -> float:
    said = subprocess.run(["ps", "-o", "rss=", "-p", str(process)], capture_output=True, text=True, check=True)
    return int(said.stdout) / 1024
