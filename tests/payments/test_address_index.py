"""A deposit address's index is given once, ever: whoever asks, from wherever, and through a restart."""

import asyncio
import json
import sys
from pathlib import Path

from payments import addresses
from payments.tables import metadata
from runtime.database import Database

SCRIPT = Path(__file__).with_name("take_indexes.py")
ROOT = Path(__file__).parents[2]


async def _take_in_a_process(url: str, count: int) -> list[int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), url, str(count), cwd=ROOT, env={"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0
    taken: list[int] = json.loads(output)
    return taken


async def test_a_thousand_at_once_from_two_processes_and_none_twice(database_url: str) -> None:
    async with Database.open(database_url) as database, database.transaction() as tx:
        await tx.connection.run_sync(metadata.create_all)

    both = await asyncio.gather(*(_take_in_a_process(database_url, 500) for _ in range(2)))
    after_a_restart = await _take_in_a_process(database_url, 1)

    assert sorted(both[0] + both[1]) == list(range(1000))
    assert after_a_restart == [1000]


async def test_a_rollback_gives_nothing_away(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.connection.run_sync(metadata.create_all)
    try:
        async with database.transaction() as tx:
            await addresses.take_index(tx, "account")
            raise ConnectionError("the process fails before its commit")
    except ConnectionError:
        pass
    async with database.transaction() as tx:
        assert (await addresses.take_index(tx, "account")).index == 0
        assert (await addresses.take_index(tx, "another account")).index == 0
