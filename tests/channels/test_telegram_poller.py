"""No message is lost and none counts twice between Telegram and the inbox, whatever happens on the way."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from bot.channels.metrics import ChannelMetrics
from bot.channels.telegram.client import TelegramClient
from bot.channels.telegram.errors import TelegramTokenRefused
from bot.channels.telegram.poller import TelegramPoller
from bot.vitals import Vitals
from runtime import tables as runtime_tables
from runtime.backoff import Backoff
from runtime.database import Database
from runtime.inbox import Inbox
from runtime.leases import Lease, LeaseLost, Leases
from runtime.outbox import Outbox
from runtime.services import StopSignal, Supervisor
from sandbox.faults import Fault, FaultKind
from sandbox.specs import Specs
from sandbox.telegram.server import TelegramServer

if TYPE_CHECKING:
    from tests.channels.conftest import Eventually, Stored, TurnableClock


BOT = 7000000001


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    server = TelegramServer(specs=Specs.from_environment())
    async with server.running():
        yield server
    assert [v for v in server.specs.violations if v.side == "request"] == []


@pytest.fixture
async def client(telegram: TelegramServer) -> AsyncIterator[TelegramClient]:
    async with TelegramClient.open(telegram.token, telegram.url) as opened:
        yield opened


class Polling:
    """A poller of one process, and single steps of it."""

    def __init__(self, poller: TelegramPoller, leases: Leases) -> None:
        self.poller = poller
        self._leases = leases
        self._lease: Lease | None = None

    async def once(self) -> int:
        self._lease = self._lease or await self._leases.acquire(f"poll.telegram:{BOT}")
        assert self._lease is not None
        return await self.poller.poll_once(self._lease)


MakePolling = Callable[..., Polling]


@pytest.fixture
def polling(client: TelegramClient, database: Database, metrics: ChannelMetrics, clock: "TurnableClock") -> MakePolling:
    def make(*, process: str = "one", wait_seconds: int = 0, client: TelegramClient = client) -> Polling:
        leases = Leases(database, clock, owner=process, seconds=1.0)
        poller = TelegramPoller(
            client,
            database,
            Inbox(clock),
            Outbox(clock),
            clock,
            leases,
            metrics,
            commands=[("start", "Start a new trip")],
            wait_seconds=wait_seconds,
            backoff=Backoff(first=0.02, ceiling=0.1),
            chance=random.Random(1),
        )
        return Polling(poller, leases)

    return make


@asynccontextmanager
async def running(polling: Polling) -> AsyncIterator[Polling]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(polling.poller.run())
        yield polling
        task.cancel()


async def test_messages_and_presses_are_stored_in_order_and_then_confirmed(
    telegram: TelegramServer, polling: MakePolling, stored: "Stored"
) -> None:
    ada, tunde = telegram.new_traveller("Ada", last_name="Obi"), telegram.new_traveller("Tunde")
    await ada.start()
    for number in range(120):  # more than one batch
        await (ada if number % 2 else tunde).say(f"message {number}")
    poller = polling()
    assert await poller.once() == 100
    assert telegram.updates.pending == 121  # nothing is confirmed before it is asked on
    while await poller.once():
        pass
    assert telegram.updates.pending == 0
    inbound = await stored.inbound()
    assert [i.text for i in inbound] == ["/start", *(f"message {n}" for n in range(120))]
    assert {i.chat.address for i in inbound} == {ada.key, tunde.key}


async def test_a_crash_between_storing_and_confirming_repeats_nothing(
    telegram: TelegramServer, polling: MakePolling, stored: "Stored"
) -> None:
    ada = telegram.new_traveller()
    await ada.say("first")
    await polling().once()  # stored; this process dies before it asks again
    await ada.say("second")
    again = polling()
    assert await again.once() == 2  # Telegram says the first once more
    await again.once()
    assert [i.text for i in await stored.inbound()] == ["first", "second"]
    assert telegram.updates.pending == 0


async def test_what_could_not_be_stored_is_not_confirmed(
    telegram: TelegramServer,
    polling: MakePolling,
    stored: "Stored",
    database: Database,
) -> None:
    await telegram.new_traveller().say("precious")
    poller = polling()
    async with database.engine.begin() as connection:
        await connection.run_sync(runtime_tables.inbox.drop)
    with pytest.raises(Exception, match="inbox"):
        await poller.once()
    async with database.engine.begin() as connection:
        await connection.run_sync(runtime_tables.metadata.create_all)
    await poller.once()
    assert [i.text for i in await stored.inbound()] == ["precious"]


async def test_an_update_that_telegram_delivers_again_counts_once(
    telegram: TelegramServer, polling: MakePolling, stored: "Stored"
) -> None:
    ada = telegram.new_traveller()
    await ada.say("once")
    poller = polling()
    await poller.once()
    await ada.redeliver()
    await poller.once()
    await ada.say("twice")
    await poller.once()
    assert [i.text for i in await stored.inbound()] == ["once", "twice"]


async def test_updates_that_are_numbered_lower_after_a_quiet_week_are_read_and_confirmed(
    telegram: TelegramServer, polling: MakePolling, stored: "Stored"
) -> None:
    ada = telegram.new_traveller()
    await ada.say("before")
    poller = polling()
    assert [await poller.once(), await poller.once()] == [1, 0]
    telegram.updates.number_from(17)
    for words in ("after", "and on"):
        await ada.say(words)
        assert [await poller.once(), await poller.once()] == [1, 0]
    assert [i.text for i in await stored.inbound()] == ["before", "after", "and on"]
    assert telegram.updates.pending == 0


async def test_a_malformed_update_holds_up_nothing(
    telegram: TelegramServer, polling: MakePolling, stored: "Stored"
) -> None:
    ada = telegram.new_traveller()
    await ada.say("before")
    telegram.updates.put("message", {"chat": {"id": "no number"}, "text": ["no text"]})
    await ada.say("after")
    poller = polling()
    await poller.once()
    await poller.once()
    assert [i.text for i in await stored.inbound()] == ["before", "after"]
    assert telegram.updates.pending == 0


async def test_a_group_is_declined_once_and_then_left_alone(
    telegram: TelegramServer, polling: MakePolling, stored: "Stored"
) -> None:
    group = {"id": -1001, "type": "supergroup", "title": "Trips"}
    ada = {"id": 5, "is_bot": False, "first_name": "Ada"}
    states = {"old_chat_member": {"status": "left"}, "new_chat_member": {"status": "member"}}
    telegram.updates.put("my_chat_member", {"chat": group, "from": ada, "date": 0, **states})
    telegram.updates.put("message", {"message_id": 1, "date": 0, "chat": group, "from": ada, "text": "/start"})
    await polling().once()
    assert await stored.inbound() == []
    assert [letter["lane"] for letter in await stored.letters()] == ["telegram:-1001"]


class TestTrouble:
    """On one database: what matters here is between the poller and Telegram."""

    @pytest.fixture
    def database_url(self, sqlite_url: str) -> str:
        return sqlite_url

    @pytest.mark.parametrize("kind", list(FaultKind))
    async def test_goes_on_by_itself_after(
        self,
        kind: FaultKind,
        telegram: TelegramServer,
        polling: MakePolling,
        stored: "Stored",
        eventually: "Eventually",
    ) -> None:
        telegram.faults.add(Fault(kind, operation="getUpdates", times=2, delay=0.05, retry_after=1))
        ada = telegram.new_traveller()
        async with running(polling(wait_seconds=5)):
            for number in range(3):
                await ada.say(str(number))
            await eventually(lambda: _has(stored, 3))
        assert [i.text for i in await stored.inbound()] == ["0", "1", "2"]
        assert len(telegram.faults.struck) == 2

    async def test_waits_as_long_as_flood_control_says(
        self, telegram: TelegramServer, polling: MakePolling, eventually: "Eventually"
    ) -> None:
        telegram.faults.add(Fault(FaultKind.TOO_MANY_REQUESTS, operation="getUpdates", retry_after=1))
        loop = asyncio.get_running_loop()
        poller = polling()
        began = loop.time()
        async with running(poller):
            await eventually(lambda: _is(lambda: poller.poller.last_poll_at is not None))
        assert loop.time() - began >= 1.0

    async def test_takes_over_from_a_webhook_that_was_left_behind(
        self,
        telegram: TelegramServer,
        client: TelegramClient,
        polling: MakePolling,
        stored: "Stored",
        eventually: "Eventually",
    ) -> None:
        telegram.profile.webhook = "https://elsewhere.test/hook"
        await telegram.new_traveller().say("hello")
        async with running(polling()):
            await eventually(lambda: _has(stored, 1))

    async def test_a_stranger_who_polls_with_our_token_costs_nothing(
        self,
        telegram: TelegramServer,
        client: TelegramClient,
        polling: MakePolling,
        stored: "Stored",
        eventually: "Eventually",
        registry: CollectorRegistry,
    ) -> None:
        ada = telegram.new_traveller()
        async with running(polling(wait_seconds=5)):
            for number in range(5):
                await eventually(lambda: _is(lambda: telegram.updates.pending == 0))
                await client.get_updates(None, 0)  # ends our poll with 409
                await ada.say(str(number))
            await eventually(lambda: _has(stored, 5))
        assert [i.text for i in await stored.inbound()] == ["0", "1", "2", "3", "4"]
        conflicts = {"channel": "telegram", "reason": "TelegramConflict"}
        assert registry.get_sample_value("layover_channel_failures_total", conflicts)

    async def test_of_two_processes_one_polls_and_the_other_takes_over(
        self, telegram: TelegramServer, polling: MakePolling, stored: "Stored", eventually: "Eventually"
    ) -> None:
        ada = telegram.new_traveller()
        first, second = polling(process="one"), polling(process="two")
        async with AsyncExitStack() as first_process, AsyncExitStack() as second_process:
            await first_process.enter_async_context(running(first))
            await eventually(lambda: _is(lambda: first.poller.last_poll_at is not None))
            await second_process.enter_async_context(running(second))
            await ada.say("to the first")
            await eventually(lambda: _has(stored, 1))
            assert second.poller.last_poll_at is None
            await first_process.aclose()
            await ada.say("to the second")
            await eventually(lambda: _has(stored, 2))

    async def test_who_lost_its_lease_stores_nothing_more(
        self, telegram: TelegramServer, polling: MakePolling, stored: "Stored", clock: "TurnableClock"
    ) -> None:
        stalled, awake = polling(process="stalled"), polling(process="awake")
        await telegram.new_traveller().say("hello")
        await stalled.once()
        clock.turned = timedelta(seconds=5)  # it was not renewed
        await awake.once()
        await telegram.new_traveller().say("again")
        with pytest.raises(LeaseLost):
            await stalled.once()
        assert len(await stored.inbound()) == 1
        await awake.once()
        assert len(await stored.inbound()) == 2

    async def test_a_wrong_token_is_an_error_that_says_what_to_do(
        self, telegram: TelegramServer, polling: MakePolling
    ) -> None:
        async with TelegramClient.open("7000000001:wrong", telegram.url) as client:
            poller = polling(client=client)
            with pytest.raises(TelegramTokenRefused, match="TELEGRAM_BOT_TOKEN"):
                await poller.poller.run()
            assert "wrong" not in str(poller.poller.trouble)

    async def test_an_unreachable_telegram_shows_in_the_health_until_it_answers_again(
        self, telegram: TelegramServer, polling: MakePolling, clock: "TurnableClock", eventually: "Eventually"
    ) -> None:
        fault = telegram.faults.add(Fault(FaultKind.BAD_GATEWAY, operation="getUpdates", times=None))
        poller = polling().poller
        supervisor, stop, vitals = Supervisor([poller], clock), StopSignal(), Vitals(clock, None, [])
        vitals.watch(supervisor, [poller])

        def told() -> tuple[bool, str, object]:
            [part] = vitals.report().parts
            return vitals.report().is_ready, part.state, (part.details or {})["trouble"]

        async with asyncio.TaskGroup() as group:
            group.create_task(supervisor.run(stop))
            await eventually(lambda: _is(lambda: told() == (False, "failing", "TelegramUnavailable")))
            telegram.faults.remove(fault)
            await eventually(lambda: _is(lambda: told() == (True, "running", None)))
            stop.request("test")
        assert poller.last_poll_at is not None

    async def test_introduces_its_commands(
        self, telegram: TelegramServer, polling: MakePolling, eventually: "Eventually"
    ) -> None:
        telegram.faults.add(Fault(FaultKind.BAD_GATEWAY, operation="setMyCommands"))
        poller = polling()
        async with running(poller):
            await eventually(lambda: _is(lambda: poller.poller.last_poll_at is not None))
        assert telegram.calls["setMyCommands"] == 2


async def _has(stored: "Stored", count: int) -> bool:
    return len(await stored.inbound()) == count


async def _is(condition: Callable[[], bool]) -> bool:
    return condition()
