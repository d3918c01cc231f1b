"""Units of work: durable when they have been left, or as if they had never been, whatever happens around them."""

import asyncio
import random
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from runtime.database import Database, UnsupportedDatabase
from runtime.group_commit import NotWritten

metadata = sa.MetaData()
numbers = sa.Table("numbers", metadata, sa.Column("number", sa.Integer, primary_key=True))
accounts = sa.Table(
    "accounts", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("balance", sa.Integer)
)


@pytest.fixture
async def opened(database: Database) -> Database:
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    return database


async def write(database: Database, *values: int) -> None:
    async with database.transaction() as tx:
        for number in values:
            await tx.execute(sa.insert(numbers).values(number=number))


async def written(database: Database) -> set[int]:
    async with database.snapshot() as connection:
        return set((await connection.execute(sa.select(numbers.c.number))).scalars())


async def test_a_failed_unit_leaves_nothing_and_its_neighbours_stay(opened: Database) -> None:
    async def fail(number: int) -> None:
        await write(opened, number, 0)  # the second insert breaks the primary key

    await write(opened, 0)
    results = await asyncio.gather(
        *(fail(number) if number % 3 == 0 else write(opened, number) for number in range(1, 100)),
        return_exceptions=True,
    )
    good = {number for number in range(1, 100) if number % 3}
    assert await written(opened) == good | {0}
    failed = {number for number, result in enumerate(results, 1) if isinstance(result, sa.exc.IntegrityError)}
    assert failed == set(range(1, 100)) - good


@pytest.mark.parametrize("seed", range(5))
async def test_cancelled_units_strand_nobody_and_leave_no_half(opened: Database, seed: int) -> None:
    chance = random.Random(seed)
    returned: set[int] = set()

    async def unit(number: int) -> None:
        await write(opened, number, number + 1000, number + 2000)
        returned.add(number)

    tasks = [asyncio.create_task(unit(number)) for number in range(120)]
    while not all(task.done() for task in tasks):
        await asyncio.sleep(chance.random() * 0.003)
        chance.choice(tasks).cancel()
    await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 20)
    await asyncio.wait_for(write(opened, 5000), 5)

    found = await written(opened)
    assert {5000} | {number + part for number in returned for part in (0, 1000, 2000)} <= found
    for number in range(120):
        assert len({number, number + 1000, number + 2000} & found) in (0, 3)
    assert any(task.cancelled() for task in tasks)


async def test_a_time_out_inside_a_unit_undoes_it_and_only_it(opened: Database) -> None:
    async def too_slow() -> None:
        with pytest.raises(TimeoutError):  # noqa: PT012
            async with asyncio.timeout(0.05), opened.transaction() as tx:
                await tx.execute(sa.insert(numbers).values(number=1))
                for _ in range(1000):
                    await tx.execute(sa.select(numbers))

    await asyncio.gather(write(opened, 0), too_slow(), write(opened, 2))
    assert await written(opened) == {0, 2}


async def test_a_snapshot_is_one_moment(opened: Database) -> None:
    async with opened.transaction() as tx:
        await tx.execute(sa.insert(accounts), [{"id": 1, "balance": 500}, {"id": 2, "balance": 500}])

    async def move(amount: int) -> None:
        async with opened.transaction() as tx:
            for account, change in ((1, -amount), (2, amount)):
                await tx.execute(
                    sa.update(accounts).where(accounts.c.id == account).values(balance=accounts.c.balance + change)
                )

    async def read() -> int:
        async with opened.snapshot() as connection:
            balances = [
                (await connection.execute(sa.select(accounts.c.balance).where(accounts.c.id == account))).scalar_one()
                for account in (1, 2)
            ]
        return sum(balances)

    results = await asyncio.gather(*(work for n in range(50) for work in (move(n), read())))
    assert {result for result in results if result is not None} == {1000}


async def test_followers_run_after_the_commit_and_not_after_a_failure(opened: Database) -> None:
    followed: list[str] = []
    async with opened.transaction() as tx:
        tx.after_commit(lambda: followed.append("kept"))
        assert followed == []
    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        async with opened.transaction() as tx:
            tx.after_commit(lambda: followed.append("undone"))
            raise ZeroDivisionError
    assert followed == ["kept"]


@pytest.mark.parametrize(
    "poison",
    [
        "INSERT INTO children VALUES (99)",  # a deferred foreign key: COMMIT itself fails
        "INSERT OR ROLLBACK INTO numbers VALUES (0)",  # SQLite ends the whole transaction, as on a full disk
    ],
)
async def test_a_group_that_cannot_be_written_fails_for_everybody_in_it_and_the_next_goes_on(
    sqlite_url: str, poison: str
) -> None:
    async with Database.open(sqlite_url) as database:
        async with database.engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
            await connection.exec_driver_sql(
                "CREATE TABLE children (number INTEGER REFERENCES numbers DEFERRABLE INITIALLY DEFERRED)"
            )
        await write(database, 0)

        async def spoil() -> None:
            async with database.transaction() as tx:
                await tx.execute(sa.text(poison))

        results = await asyncio.gather(write(database, 1), write(database, 2), spoil(), return_exceptions=True)
        assert all(isinstance(result, NotWritten | sa.exc.IntegrityError) for result in results)
        assert isinstance(results[0], NotWritten)
        assert await written(database) == {0}
        await asyncio.gather(write(database, 1), write(database, 3))
        assert await written(database) == {0, 1, 3}


async def test_a_killed_process_has_lost_nothing_it_was_told_is_durable(database_url: str) -> None:
    script = Path(__file__).with_name("writer_process.py")
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(script), database_url, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    told = [int(await asyncio.wait_for(child.stdout.readline(), 20)) for _ in range(300)]
    child.kill()
    rest = await child.stdout.read()
    await child.wait()
    told += [int(line) for line in rest.split(b"\n")[:-1]]

    async with Database.open(database_url) as database:
        assert set(told) <= await written(database)


@pytest.mark.parametrize("url", ["mysql://localhost/layover", "sqlite://", "sqlite:///:memory:"])
async def test_other_databases_are_refused_with_what_to_do(url: str) -> None:
    with pytest.raises(UnsupportedDatabase, match="sqlite:///path"):
        async with Database.open(url):
            pass
