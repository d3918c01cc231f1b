"""The servers fail when they are told to, as the real ones do, and the clients meet it as they would."""

import asyncio
import time

import aiohttp
import pytest
from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramNetworkError, TelegramRetryAfter, TelegramServerError
from requests.exceptions import ConnectionError as RequestsConnectionError
from twilio.base.exceptions import TwilioRestException

from sandbox.faults import Fault, FaultKind, Faults, InvalidFault
from sandbox.telegram import TelegramUser
from sandbox.world import World
from tests.sandbox.twilio_client import TwilioClient


@pytest.fixture
async def ada(world: World) -> TelegramUser:
    person = world.telegram_user()
    await person.start()
    return person


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.TOO_MANY_REQUESTS, TelegramRetryAfter),
        (FaultKind.SERVER_ERROR, TelegramServerError),
        (FaultKind.BAD_GATEWAY, ClientDecodeError),
        (FaultKind.DROP, TelegramNetworkError),
    ],
)
async def test_a_telegram_call_fails_and_nothing_is_done(
    world: World, bot: Bot, ada: TelegramUser, kind: FaultKind, error: type[Exception]
) -> None:
    world.telegram.faults.add(Fault(kind, "sendMessage", retry_after=7))
    with pytest.raises(error) as met:
        await bot.send_message(ada.id, "first")
    if isinstance(met.value, TelegramRetryAfter):
        assert met.value.retry_after == 7
    assert ada.heard == []
    await bot.send_message(ada.id, "second")
    assert [m.text for m in ada.heard] == ["second"]
    assert [(s.operation, s.kind) for s in world.telegram.faults.struck] == [("sendMessage", kind)]


async def test_an_answer_can_be_lost_after_the_work_was_done(world: World, bot: Bot, ada: TelegramUser) -> None:
    world.telegram.faults.add(Fault(FaultKind.LOSE_ANSWER, "sendMessage"))
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(ada.id, "it arrives")
    assert [m.text for m in ada.heard] == ["it arrives"]


async def test_an_answer_can_be_late(world: World, bot: Bot, ada: TelegramUser) -> None:
    world.telegram.faults.add(Fault(FaultKind.DELAY, delay=0.1))
    began = time.monotonic()
    await bot.send_message(ada.id, "late")
    assert time.monotonic() - began >= 0.1


async def test_faults_are_set_and_cleared_from_another_process(world: World, bot: Bot, ada: TelegramUser) -> None:
    url = f"{world.telegram_url}/_sandbox/faults"
    async with aiohttp.ClientSession() as session:
        fault = {"kind": "server_error", "operation": "sendmessage", "times": None}
        async with session.post(url, json=fault) as answer:
            assert answer.status == 201
        for _ in range(2):
            with pytest.raises(TelegramServerError):
                await bot.send_message(ada.id, "x")
        async with session.get(url) as answer:
            assert [(f["kind"], f["struck"]) for f in await answer.json()] == [("server_error", 2)]
        await session.delete(url)
        await bot.send_message(ada.id, "x")
        async with session.post(url, json={"kind": "explode"}) as answer:
            assert answer.status == 422
            assert "bad_gateway" in await answer.text()
        async with session.post(url, json={"kind": "drop", "times": "often"}) as answer:
            assert await answer.text() == "times must be a number"


@pytest.mark.parametrize(
    ("kind", "status", "code"), [(FaultKind.TOO_MANY_REQUESTS, 429, 20429), (FaultKind.SERVER_ERROR, 500, 20500)]
)
async def test_twilio_refuses_in_its_own_words(world: World, kind: FaultKind, status: int, code: int) -> None:
    world.twilio.faults.add(Fault(kind, "POST Messages"))
    with pytest.raises(TwilioRestException) as refused:
        await TwilioClient(world).send("+12025550001", "x")
    assert (refused.value.status, refused.value.code) == (status, code)
    assert world.twilio.messages == {}


async def test_twilio_can_hang_up_before_and_after_the_work(world: World) -> None:
    for kind, messages in ((FaultKind.DROP, 0), (FaultKind.LOSE_ANSWER, 1)):
        world.twilio.faults.add(Fault(kind, "POST Messages"))
        with pytest.raises(RequestsConnectionError):
            await TwilioClient(world).send("+12025550001", "x")
        assert len(world.twilio.messages) == messages


def struck(faults: Faults, calls: int) -> list[bool]:
    return [bool(faults._strike("sendMessage")) for _ in range(calls)]


async def test_chance_is_the_same_in_every_run() -> None:
    async def run() -> list[bool]:
        faults = Faults()
        faults.add(Fault(FaultKind.DROP, times=None, probability=0.3, seed=7))
        return struck(faults, 50)

    first, second = await asyncio.gather(run(), run())
    assert first == second
    assert 5 < sum(first) < 25


def test_a_fault_waits_for_its_call_and_is_used_up() -> None:
    faults = Faults()
    faults.add(Fault(FaultKind.DROP, "sendMessage", after=2, times=2))
    assert struck(faults, 6) == [False, False, True, True, False, False]


def test_nonsense_is_refused() -> None:
    with pytest.raises(InvalidFault, match="delay"):
        Fault(FaultKind.DELAY)
    with pytest.raises(InvalidFault, match="probability"):
        Fault(FaultKind.DROP, probability=0)
