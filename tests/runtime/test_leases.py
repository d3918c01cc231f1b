"""What only one process may do, one process does; who lost a lease without knowing writes nothing more."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.clock import SystemClock
from runtime.database import Database
from runtime.leases import Lease, LeaseLost, Leases, fenced
from runtime.process import DatabaseInUse, exclusive
from runtime.tables import metadata


@pytest.fixture(autouse=True)
async def _tables(database: Database) -> None:
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)


def leases(database: Database, owner: str, seconds: float = 30.0) -> Leases:
    return Leases(database, SystemClock(), owner=owner, seconds=seconds)


async def test_one_of_many_gets_it(database: Database) -> None:
    got = await asyncio.gather(*(leases(database, f"process {number}").acquire("telegram") for number in range(10)))
    [lease] = [one for one in got if one is not None]
    assert lease.token == 1
    other = await leases(database, "late").acquire("indexer")
    assert other is not None


async def test_a_released_or_expired_lease_goes_to_the_next_with_a_greater_token(database: Database) -> None:
    first = await leases(database, "first", seconds=0.0).acquire("telegram")
    assert first is not None
    second = await leases(database, "second").acquire("telegram")
    assert second == Lease("telegram", "second", 2)
    assert await leases(database, "third").acquire("telegram") is None
    await leases(database, "second").release(second)
    third = await leases(database, "third").acquire("telegram")
    assert third == Lease("telegram", "third", 3)


async def test_who_lost_it_can_neither_write_nor_renew(database: Database) -> None:
    stalled = leases(database, "stalled", seconds=0.0)
    old = await stalled.acquire("telegram")
    assert old is not None
    async with database.transaction() as tx:
        await fenced(tx, old)  # run out, but nobody has taken it
    new = await leases(database, "next").acquire("telegram")
    assert new is not None
    with pytest.raises(LeaseLost):
        async with database.transaction() as tx:
            await fenced(tx, old)
    with pytest.raises(LeaseLost):
        await stalled.renew(old)
    await stalled.release(old)  # no harm
    async with database.transaction() as tx:
        await fenced(tx, new)


async def test_the_same_owner_takes_it_over_at_once_after_a_crash(database: Database) -> None:
    before = await leases(database, "only").acquire("telegram")
    after = await leases(database, "only").acquire("telegram")
    assert before is not None
    assert after is not None
    assert after.token == before.token + 1
    # Of itself a process on SQLite has a name that stays, for nobody else can have the file.
    names = {Leases(database, SystemClock()).owner for _ in range(2)}
    assert len(names) == (1 if database.is_sqlite else 2)


async def test_work_under_a_lease_is_kept_up_passed_on_and_cut_off_when_lost(database: Database) -> None:
    holders: list[str] = []
    running = asyncio.Event()

    async def work(lease: Lease) -> None:
        holders.append(lease.owner)
        running.set()
        await asyncio.Event().wait()

    one = asyncio.create_task(leases(database, "one", seconds=0.3).hold("indexer", work))
    await asyncio.wait_for(running.wait(), 5)
    running.clear()
    two = asyncio.create_task(leases(database, "two", seconds=0.3).hold("indexer", work))
    await asyncio.sleep(0.5)  # longer than it lasts: it is being renewed
    assert holders == ["one"]
    one.cancel()
    await asyncio.wait([one])
    await asyncio.wait_for(running.wait(), 5)
    assert holders == ["one", "two"]

    assert await leases(database, "two").acquire("indexer") is not None  # its heir, so to speak
    with pytest.raises(LeaseLost):
        await asyncio.wait_for(two, 5)


def test_a_sqlite_file_has_one_process_and_a_killed_one_frees_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'layover.db'}"
    script = f"""
import time
from runtime.process import exclusive
with exclusive({url!r}):
    print("held", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(DatabaseInUse, match=f"pid {child.pid}"), exclusive(url):
            pass
        child.kill()
    with exclusive(url):
        pass
