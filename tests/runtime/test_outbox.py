"""Letters leave in order, once, at the pace the provider allows, and none is lost."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runtime.backoff import Backoff
from runtime.clock import SystemClock
from runtime.database import Database
from runtime.dead_letters import NoDeadLetter
from runtime.outbox import (
    Courier,
    Deliver,
    DeliveryStatus,
    Letter,
    NoChannel,
    Outbox,
    Receipt,
    RetryLater,
    Undeliverable,
)
from runtime.rates import ChannelRates, Rate
from runtime.tables import metadata

Until = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]

QUICK = Backoff(first=0.01, ceiling=0.05, attempts=3)


@pytest.fixture(autouse=True)
async def _tables(database: Database) -> None:
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)


@pytest.fixture
def outbox() -> Outbox:
    return Outbox(SystemClock())


class Provider:
    """The other side: takes letters, shows what it was given, and can be told to fail."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, str, tuple[str, ...]]] = []
        self.errors: list[Exception] = []
        self.troubles: dict[str, list[Exception]] = {}
        self.arrived = asyncio.Condition()
        self.hold = asyncio.Event()
        self.hold.set()

    async def deliver(self, letter: Letter) -> Receipt:
        await self.hold.wait()
        if self.errors:
            raise self.errors.pop(0)
        if troubles := self.troubles.get(letter.payload["text"]):
            raise troubles.pop(0)
        async with self.arrived:
            self.shown.append((letter.lane, letter.payload["text"], letter.sent_ids))
            self.arrived.notify_all()
            return Receipt(letter.sent_ids or (f"m{len(self.shown)}",))

    async def has(self, count: int) -> None:
        async with asyncio.timeout(15), self.arrived:
            await self.arrived.wait_for(lambda: len(self.shown) >= count)

    def texts(self, lane: str | None = None) -> list[str]:
        return [text for shown_in, text, _ in self.shown if lane in (None, shown_in)]


@pytest.fixture
def provider() -> Provider:
    return Provider()


@asynccontextmanager
async def sending(*couriers: Courier) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        for courier in couriers:
            group.create_task(courier.run())
        yield
        for courier in couriers:
            courier.stop()


def courier(database: Database, outbox: Outbox, deliver: Deliver, channel: str = "telegram", **options: Any) -> Courier:
    options = {"backoff": QUICK, **options}
    return Courier(database, SystemClock(), outbox, channel=channel, deliver=deliver, **options)


async def post(database: Database, outbox: Outbox, lane: str, *texts: str, slot: str | None = None) -> None:
    for text in texts:
        async with database.transaction() as tx:
            await outbox.post(tx, lane=lane, payload={"text": text}, slot=slot)


async def test_each_lane_in_order_and_only_what_was_committed(
    database: Database, outbox: Outbox, provider: Provider
) -> None:
    async with sending(courier(database, outbox, provider.deliver)):
        with pytest.raises(ZeroDivisionError):  # noqa: PT012
            async with database.transaction() as tx:
                await outbox.post(tx, lane="telegram:1", payload={"text": "never"})
                raise ZeroDivisionError
        lanes = [f"telegram:{number}" for number in range(5)]
        texts = [f"{number}" for number in range(10)]
        await asyncio.gather(*(post(database, outbox, lane, *texts) for lane in lanes))
        await provider.has(50)
    assert {lane: provider.texts(lane) for lane in lanes} == dict.fromkeys(lanes, texts)


async def test_unsent_letters_of_a_slot_pile_up_into_one_at_the_oldest_place(
    database: Database, outbox: Outbox, provider: Provider
) -> None:
    lane = "telegram:1"
    await post(database, outbox, lane, "before")
    await post(database, outbox, lane, "1/3", slot="payment")
    await post(database, outbox, lane, "after")
    await post(database, outbox, lane, "2/3", "3/3", slot="payment")
    async with sending(courier(database, outbox, provider.deliver)):
        await provider.has(3)
        assert provider.texts() == ["before", "3/3", "after"]

        await post(database, outbox, lane, "paid", slot="payment")
        await provider.has(4)
    assert provider.shown[3] == (lane, "paid", ("m2",))  # an edit of the message that was sent


async def test_a_letter_superseded_while_it_is_sent_becomes_an_edit(
    database: Database, outbox: Outbox, provider: Provider
) -> None:
    lane = "telegram:1"
    begun = asyncio.Event()

    async def deliver(letter: Letter) -> Receipt:
        begun.set()
        return await provider.deliver(letter)

    provider.hold.clear()
    async with sending(courier(database, outbox, deliver)):
        await post(database, outbox, lane, "1/3", slot="payment")
        await begun.wait()
        await post(database, outbox, lane, "2/3", slot="payment")
        provider.hold.set()
        await provider.has(2)
    assert provider.shown == [(lane, "1/3", ()), (lane, "2/3", ("m1",))]


async def test_flood_control_pauses_the_lane_or_the_channel_and_counts_no_attempt(
    database: Database, outbox: Outbox, provider: Provider
) -> None:
    clock = asyncio.get_running_loop().time
    async with sending(courier(database, outbox, provider.deliver, concurrency=1)):
        began = clock()
        provider.troubles = {"waits": [RetryLater(0.3, whole_channel=False)]}
        await post(database, outbox, "telegram:slow", "waits")
        await post(database, outbox, "telegram:other", "passes")
        await provider.has(2)
        assert provider.texts() == ["passes", "waits"]
        assert clock() - began >= 0.3

        provider.errors = [RetryLater(0.3, whole_channel=True)]
        began = clock()
        await post(database, outbox, "telegram:1", "all")
        await post(database, outbox, "telegram:2", "wait")
        await provider.has(4)
        assert clock() - began >= 0.3
    assert await outbox.dead_letters(database) == []


async def test_the_rates_are_kept(database: Database, outbox: Outbox, provider: Provider) -> None:
    rates = ChannelRates(overall=Rate(100, burst=1), per_lane=Rate(10, burst=3))
    clock = asyncio.get_running_loop().time
    await post(database, outbox, "telegram:1", *"abcdef")
    for number in range(20, 40):
        await post(database, outbox, f"telegram:{number}", "x")
    began = clock()
    async with sending(courier(database, outbox, provider.deliver, rates=rates)):
        await provider.has(26)
        assert clock() - began >= 0.29  # 6 in one lane: 3 at once, then one every 0.1 s; 26 in all at 100 a second
        assert provider.texts("telegram:1") == list("abcdef")


async def test_what_fails_is_tried_again_and_dies_in_the_end_without_holding_up_its_lane(
    database: Database, outbox: Outbox, provider: Provider
) -> None:
    provider.troubles = {
        "late": [ValueError("once")],
        "dead": [ValueError("poison")] * 3,
        "blocked": [Undeliverable("the traveller blocked the bot")],
    }
    async with sending(courier(database, outbox, provider.deliver)):
        await post(database, outbox, "telegram:1", "late", "dead", "blocked", "fine")
        await provider.has(2)
        assert provider.texts() == ["late", "fine"]

        dead = await outbox.dead_letters(database)
        assert {(letter.payload["text"], letter.attempts) for letter in dead} == {("dead", 3), ("blocked", 1)}
        [blocked] = [letter for letter in dead if letter.payload["text"] == "blocked"]
        assert "the traveller blocked the bot" in blocked.error
        assert await outbox.dead_letter(database, blocked.id) == blocked

        async with database.transaction() as tx:
            await outbox.replay(tx, blocked.id)
        await provider.has(3)
        assert provider.texts() == ["late", "fine", "blocked"]
    with pytest.raises(NoDeadLetter):
        await outbox.dead_letter(database, "nonsense")


async def test_a_delivery_that_hangs_is_cut_off_and_tried_again(
    database: Database, outbox: Outbox, provider: Provider
) -> None:
    is_first = True

    async def deliver(letter: Letter) -> Receipt:
        nonlocal is_first
        if is_first:
            is_first = False
            await asyncio.Event().wait()
        return await provider.deliver(letter)

    async with sending(courier(database, outbox, deliver, deliver_seconds=0.1)):
        await post(database, outbox, "telegram:1", "hello")
        await provider.has(1)


async def test_a_killed_process_repeats_at_most_the_letter_in_flight(
    database_url: str, database: Database, outbox: Outbox
) -> None:
    async def process(fate: str) -> list[str]:
        script = Path(__file__).with_name("courier_process.py")
        child = await asyncio.create_subprocess_exec(
            sys.executable, str(script), database_url, fate, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await asyncio.wait_for(child.communicate(), 20)
        assert child.returncode == (-signal.SIGKILL if fate == "die" else 0)
        return output.decode().split()

    await post(database, outbox, "telegram:1", "a", "b", "c")
    assert await process("die") == ["a", "b"]
    assert await process("live") == ["b", "c"]


async def test_a_stop_in_the_middle_lets_the_next_start_go_on_at_once(
    database: Database, outbox: Outbox, provider: Provider
) -> None:
    begun = asyncio.Event()

    async def hang(letter: Letter) -> Receipt:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    await post(database, outbox, "telegram:1", "a")
    cut_off = asyncio.create_task(courier(database, outbox, hang).run())
    await begun.wait()
    cut_off.cancel()
    await asyncio.wait([cut_off])
    async with sending(courier(database, outbox, provider.deliver)), asyncio.timeout(3):
        await provider.has(1)


async def test_two_processes_send_no_letter_twice(postgresql_url: str, provider: Provider) -> None:
    async with Database.open(postgresql_url) as one, Database.open(postgresql_url) as other:
        async with one.engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        outboxes = Outbox(SystemClock()), Outbox(SystemClock())
        async with sending(
            courier(one, outboxes[0], provider.deliver, poll_seconds=0.02),
            courier(other, outboxes[1], provider.deliver, poll_seconds=0.02),
        ):
            lanes = [f"telegram:{number}" for number in range(5)]
            texts = [str(number) for number in range(20)]
            for text in texts:
                for number, lane in enumerate(lanes):
                    await post(one, outboxes[number % 2], lane, text)
            await provider.has(100)
        assert {lane: provider.texts(lane) for lane in lanes} == dict.fromkeys(lanes, texts)


async def test_a_provider_tells_later_what_became_of_a_message(
    database: Database, outbox: Outbox, provider: Provider, until: Until
) -> None:
    async with database.transaction() as tx:
        assert await outbox.note_status(tx, "m1", DeliveryStatus.SENT) is None  # quicker than the answer
    async with sending(courier(database, outbox, provider.deliver)):
        await post(database, outbox, "telegram:1", "hello", slot="greeting")
        await provider.has(1)

        async def is_known() -> bool:
            return await outbox.sent_message(database, "m1") is not None

        await until(is_known)
    async with database.transaction() as tx:
        await outbox.note_status(tx, "m1", DeliveryStatus.READ)
        message = await outbox.note_status(tx, "m1", DeliveryStatus.DELIVERED, "overtaken")
    assert message is not None
    assert (message.lane, message.slot, message.status) == ("telegram:1", "greeting", DeliveryStatus.READ)
    async with database.transaction() as tx:
        message = await outbox.note_status(tx, "m1", DeliveryStatus.FAILED, "63016")
    assert message is not None
    assert (message.status, message.detail) == (DeliveryStatus.FAILED, "63016")


@pytest.mark.parametrize("is_early", [True, False])
async def test_what_was_sent_and_did_not_arrive_is_a_dead_letter_that_can_be_replayed(
    database: Database, outbox: Outbox, provider: Provider, until: Until, is_early: bool
) -> None:
    async def fails() -> None:
        async with database.transaction() as tx:
            await outbox.note_status(tx, "m1", DeliveryStatus.FAILED, "error 63016")

    async def is_settled() -> bool:
        dead = await outbox.dead_letters(database)
        return bool(dead) if is_early else await outbox.sent_message(database, "m1") is not None

    if is_early:  # quicker than the answer to the sending
        await fails()
    async with sending(courier(database, outbox, provider.deliver)):
        await post(database, outbox, "telegram:1", "your ticket", slot="ticket")
        await until(is_settled)
        await fails()
        [dead] = await outbox.dead_letters(database)
        assert (dead.payload, dead.error) == ({"text": "your ticket"}, "sent, but not delivered: error 63016")

        async with database.transaction() as tx:
            assert await outbox.replay(tx, dead.id)
        await provider.has(2)
        await fails()  # said again of the first message
    assert provider.shown[1] == ("telegram:1", "your ticket", ())
    assert await outbox.dead_letters(database) == []


async def test_a_replayed_letter_never_takes_the_place_of_a_newer_one(
    database: Database, outbox: Outbox, provider: Provider, until: Until
) -> None:
    async def is_dead() -> bool:
        return len(await outbox.dead_letters(database)) == 1

    provider.errors.append(Undeliverable("not today"))
    async with sending(courier(database, outbox, provider.deliver)):
        await post(database, outbox, "telegram:1", "1/3", slot="payment")
        await until(is_dead)
    [dead] = await outbox.dead_letters(database)
    await post(database, outbox, "telegram:1", "2/3", slot="payment")
    async with database.transaction() as tx:
        assert not await outbox.replay(tx, dead.id)
    await post(database, outbox, "telegram:1", "3/3", slot="payment")
    async with sending(courier(database, outbox, provider.deliver)):
        await provider.has(1)
    assert provider.texts() == ["3/3"]
    assert await outbox.dead_letters(database) == []


async def test_sent_letters_are_forgotten_after_their_time(
    database: Database, outbox: Outbox, provider: Provider, until: Until
) -> None:
    async with sending(courier(database, outbox, provider.deliver)):
        await post(database, outbox, "telegram:1", "hello")

        async def is_known() -> bool:
            return await outbox.sent_message(database, "m1") is not None

        await until(is_known)
    await post(database, outbox, "telegram:1", "unsent")
    async with database.transaction() as tx:
        assert await outbox.delete_sent(tx, older_than=timedelta(days=1)) == 0
        assert await outbox.delete_sent(tx, older_than=timedelta(0)) == 1
        assert await outbox.delete_dead(tx, older_than=timedelta(0)) == 0
    assert await outbox.sent_message(database, "m1") is None


async def test_a_lane_names_its_channel(database: Database, outbox: Outbox) -> None:
    for lane in ("telegram", ":4711", "telegram:"):
        with pytest.raises(NoChannel):
            await post(database, outbox, lane, "x")
