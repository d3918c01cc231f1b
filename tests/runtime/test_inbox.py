"""Facts are written down once, handled in order within their lane, and never lost."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import sqlalchemy as sa

from runtime.backoff import Backoff
from runtime.clock import SystemClock
from runtime.database import Database, Transaction
from runtime.dead_letters import NoDeadLetter
from runtime.inbox import Fact, Handler, Inbox, InboxWorker
from runtime.tables import inbox as inbox_table
from runtime.tables import metadata

Until = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]
Settled = Callable[[Database], Awaitable[None]]

QUICK = Backoff(first=0.01, ceiling=0.05, attempts=3)

effects_metadata = sa.MetaData()
effects = sa.Table(
    "effects",
    effects_metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("lane", sa.String(50)),
    sa.Column("number", sa.Integer),
)


@pytest.fixture(autouse=True)
async def _tables(database: Database) -> None:
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
        await connection.run_sync(effects_metadata.create_all)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox(SystemClock())


@asynccontextmanager
async def working(*workers: InboxWorker) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        for worker in workers:
            group.create_task(worker.run())
        yield
        for worker in workers:
            worker.stop()


async def put(database: Database, inbox: Inbox, lane: str, number: int, *, source: str = "test") -> bool:
    async with database.transaction() as tx:
        return await inbox.put(
            tx, topic="chat", source=source, external_id=f"{lane}/{number}", lane=lane, payload={"number": number}
        )


async def write_effect(tx: Transaction, fact: Fact) -> None:
    await tx.execute(sa.insert(effects).values(lane=fact.lane, number=fact.payload["number"]))


async def effects_by_lane(database: Database) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    async with database.snapshot() as connection:
        for row in await connection.execute(sa.select(effects).order_by(effects.c.id)):
            found[row.lane].append(row.number)
    return dict(found)


async def count_unsettled(database: Database) -> int:
    async with database.snapshot() as connection:
        counting = sa.select(sa.func.count()).where(inbox_table.c.handled_at.is_(None), inbox_table.c.dead_at.is_(None))
        return (await connection.execute(counting)).scalar_one()


@pytest.fixture
def settled(until: Until) -> Settled:
    async def wait(database: Database) -> None:
        async def is_settled() -> bool:
            return await count_unsettled(database) == 0

        await until(is_settled)

    return wait


def worker(database: Database, inbox: Inbox, handler: Handler, **options: object) -> InboxWorker:
    options = {"backoff": QUICK, **options}
    return InboxWorker(
        database,
        SystemClock(),
        inbox,
        topic="chat",
        handler=handler,
        **options,  # type: ignore[arg-type]
    )


async def test_the_same_fact_twice_is_one_fact(database: Database, inbox: Inbox, settled: Settled) -> None:
    told = await asyncio.gather(*(put(database, inbox, "telegram:1", 7) for _ in range(20)))
    assert sorted(told) == [False] * 19 + [True]
    assert await put(database, inbox, "telegram:1", 7, source="another source") is True

    async with working(worker(database, inbox, write_effect)):
        await settled(database)
    assert await effects_by_lane(database) == {"telegram:1": [7, 7]}


async def test_lanes_go_side_by_side_and_each_in_order(database: Database, inbox: Inbox, settled: Settled) -> None:
    lanes = [f"telegram:{n}" for n in range(8)]
    waiting_in_handler = 0
    most_at_once = 0

    async def handle(tx: Transaction, fact: Fact) -> None:
        nonlocal waiting_in_handler, most_at_once
        waiting_in_handler += 1
        most_at_once = max(most_at_once, waiting_in_handler)
        await write_effect(tx, fact)
        waiting_in_handler -= 1

    async with working(worker(database, inbox, handle)):
        for number in range(10):
            await asyncio.gather(*(put(database, inbox, lane, number) for lane in lanes))
        await settled(database)
    assert await effects_by_lane(database) == {lane: list(range(10)) for lane in lanes}
    if not database.is_sqlite:  # its one writer takes the units in turn
        assert most_at_once > 1


async def test_what_a_failed_handler_wrote_is_gone_and_only_its_lane_waits(
    database: Database, inbox: Inbox, settled: Settled
) -> None:
    failures_left = 2

    async def handle(tx: Transaction, fact: Fact) -> None:
        nonlocal failures_left
        await write_effect(tx, fact)
        if fact.lane == "bad" and fact.payload["number"] == 0 and failures_left:
            failures_left -= 1
            raise ValueError("not yet")

    for number in range(3):
        await put(database, inbox, "bad", number)
        await put(database, inbox, "good", number)
    async with working(worker(database, inbox, handle)):
        await settled(database)
    assert await effects_by_lane(database) == {"bad": [0, 1, 2], "good": [0, 1, 2]}


async def test_a_fact_that_keeps_failing_dies_and_its_lane_goes_on(
    database: Database, inbox: Inbox, settled: Settled
) -> None:
    poison = True

    async def handle(tx: Transaction, fact: Fact) -> None:
        await write_effect(tx, fact)
        if poison and fact.payload["number"] == 0:
            raise ValueError("poison\x00")

    for number in range(3):
        await put(database, inbox, "lane", number)
    async with working(worker(database, inbox, handle)):
        await settled(database)
        assert await effects_by_lane(database) == {"lane": [1, 2]}

        [dead] = await inbox.dead_letters(database)
        assert (dead.name, dead.lane, dead.payload, dead.attempts) == ("chat", "lane", {"number": 0}, 3)
        assert dead.error.startswith("ValueError: poison")
        assert await inbox.dead_letter(database, dead.id) == dead

        poison = False
        async with database.transaction() as tx:
            await inbox.replay(tx, dead.id)
        await settled(database)
    assert await effects_by_lane(database) == {"lane": [1, 2, 0]}
    assert await inbox.dead_letters(database) == []
    with pytest.raises(NoDeadLetter):
        async with database.transaction() as tx:
            await inbox.replay(tx, dead.id)


async def test_out_of_order_topics_let_later_facts_pass_a_waiting_one(
    database: Database, inbox: Inbox, settled: Settled
) -> None:
    async def handle(tx: Transaction, fact: Fact) -> None:
        if fact.payload["number"] == 0 and fact.attempts == 0:
            raise ValueError("later")
        await write_effect(tx, fact)

    for number in range(3):
        await put(database, inbox, "lane", number)
    async with working(worker(database, inbox, handle, in_order=False, backoff=Backoff(first=1.0))):
        await settled(database)
    assert await effects_by_lane(database) == {"lane": [1, 2, 0]}


async def test_a_fact_put_by_another_process_is_found_by_polling(
    database: Database, inbox: Inbox, settled: Settled
) -> None:
    async with working(worker(database, inbox, write_effect, poll_seconds=0.05)):
        await put(database, Inbox(SystemClock()), "lane", 1)
        await settled(database)
    assert await effects_by_lane(database) == {"lane": [1]}


async def test_two_processes_never_handle_one_lane_at_once(postgresql_url: str, settled: Settled) -> None:
    async with Database.open(postgresql_url) as one, Database.open(postgresql_url) as other:
        async with one.engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
            await connection.run_sync(effects_metadata.create_all)
        in_hand: set[str] = set()

        async def handle(tx: Transaction, fact: Fact) -> None:
            assert fact.lane not in in_hand
            in_hand.add(fact.lane)
            await write_effect(tx, fact)
            await tx.execute(sa.text("SELECT pg_sleep(0.002)"))
            in_hand.discard(fact.lane)

        inboxes = Inbox(SystemClock()), Inbox(SystemClock())
        async with working(worker(one, inboxes[0], handle), worker(other, inboxes[1], handle)):
            for number in range(20):
                for lane in range(4):
                    await put(one, inboxes[number % 2], f"lane:{lane}", number)
            await settled(one)
        assert await effects_by_lane(one) == {f"lane:{lane}": list(range(20)) for lane in range(4)}
        assert await inboxes[0].dead_letters(one) == []


async def test_handled_facts_are_forgotten_after_their_time(database: Database, inbox: Inbox, settled: Settled) -> None:
    await put(database, inbox, "lane", 1)
    async with working(worker(database, inbox, write_effect)):
        await settled(database)
    await put(database, inbox, "lane", 2)
    async with database.transaction() as tx:
        assert await inbox.delete_handled(tx, older_than=timedelta(days=1)) == 0
    async with database.transaction() as tx:
        assert await inbox.delete_handled(tx, older_than=timedelta(0)) == 1
    assert await count_unsettled(database) == 1
