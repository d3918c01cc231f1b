"""The page to play the traveller, and the same hands over HTTP for tests in another process."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiogram import Bot
from aiogram.types import BufferedInputFile, InlineKeyboardButton, InlineKeyboardMarkup

from sandbox.player import Pay
from sandbox.specs import Specs
from sandbox.world import World
from tests.sandbox.application import Application
from tests.sandbox.twilio_client import TwilioClient


class Hands:
    """Calls the control of a server, and reads its JSON."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._base = base

    async def do(self, path: str, **body: object) -> Any:
        async with self._session.post(f"{self._base}/{path}", json=body) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def see(self, path: str, expected: int = 200) -> Any:
        async with self._session.get(f"{self._base}/{path}") as answer:
            assert answer.status == expected
            return await (answer.json() if "json" in answer.content_type else answer.text())


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


async def test_a_traveller_is_played_over_http(world: World, bot: Bot, session: aiohttp.ClientSession) -> None:
    hands = Hands(session, f"{world.telegram_url}/_sandbox")
    ada = await hands.do("travellers", name="Ada")
    one = f"travellers/{ada['key']}"
    await hands.do(f"{one}/say", text="/start")
    keyboard = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="Yes", callback_data="y")]])
    await bot.send_message(ada["key"], "<b>Right?</b>", parse_mode="HTML", reply_markup=keyboard)
    message = await hands.see(f"{one}/wait?contains=Right&within=5")
    assert (message["text"], message["buttons"][0][0]["label"]) == ("Right?", "Yes")
    await hands.do(f"{one}/press", button="Yes", message=message["id"])
    await hands.do(f"{one}/file", kind="photo", filename="me.jpg", content=base64.b64encode(b"jpg").decode())
    kinds = [
        next(name for name in u.model_dump(exclude_none=True) if name != "update_id") for u in await bot.get_updates()
    ]
    assert kinds == ["message", "callback_query", "message"]

    await bot.send_document(ada["key"], BufferedInputFile(b"%PDF-1.7", "Ticket.pdf"))
    transcript = await hands.see(one)
    assert [m["kind"] for m in transcript["messages"]] == ["text", "text", "photo", "document"]
    async with session.get(f"{world.telegram_url}/_sandbox/{transcript['messages'][-1]['file']['path']}") as answer:
        assert (answer.content_type, await answer.read()) == ("application/pdf", b"%PDF-1.7")
    assert "/start" in await hands.see(f"{one}/wait?matches=never&within=0.02", expected=408)


async def test_both_channels_have_the_same_hands(world: World, session: aiohttp.ClientSession) -> None:
    async with Application(world.twilio_token).running() as application:
        hands = Hands(session, f"{world.twilio_url}/_sandbox")
        tunde = await hands.do("travellers", name="Tunde")
        one = f"travellers/{tunde['key']}"
        async with session.post(f"{world.twilio_url}/_sandbox/{one}/say", json={"text": "hi"}) as answer:
            assert answer.status == 409
            assert "connect" in await answer.text()
        world.connect(application.url)
        assert (await hands.do(f"{one}/say", text="hi"))["webhook"]["status"] == 200
        await TwilioClient(world).send(tunde["key"], "Where to?")
        assert (await hands.see(f"{one}/wait"))["text"] == "Where to?"


async def read_event(stream: aiohttp.StreamReader) -> dict[str, Any]:
    async with asyncio.timeout(5):
        while not (line := await stream.readline()).startswith(b"data: "):
            pass
    event: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
    return event


async def test_the_page_is_served_and_hears_what_happens(
    world: World, bot: Bot, session: aiohttp.ClientSession
) -> None:
    async with session.get(world.page_url) as answer:
        assert "Layover" in await answer.text()
    for name in ("style.css", "page.js", "text.js"):
        async with session.get(f"{world.page_url}/page/{name}") as answer:
            assert answer.status == 200
    hands = Hands(session, world.page_url)
    ada = await hands.do("telegram/_sandbox/travellers", name="Ada")
    async with session.get(f"{world.page_url}/events") as stream:
        await stream.content.readline()
        await hands.do(f"telegram/_sandbox/travellers/{ada['key']}/say", text="hello")
        await bot.send_message(ada["key"], "Where to?")
        said, answered = await read_event(stream.content), await read_event(stream.content)
    assert (said["channel"], said["key"], said["event"]["message"]["text"]) == ("telegram", ada["key"], "hello")
    assert (answered["event"]["number"], answered["event"]["message"]["sender"]) == (2, "bot")
    state = await hands.see("state")
    assert [event["number"] for event in state["chats"][0]["events"]] == [1, 2]


async def test_an_open_page_does_not_hold_up_the_end(session: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(2), World.start(specs=Specs()) as world:
        stream = await session.get(f"{world.page_url}/events")
        await stream.content.readline()
    stream.close()


async def test_the_page_pays_by_what_it_was_given(session: aiohttp.ClientSession) -> None:
    async def pay() -> str:
        return "Paid 1.00 CLAYER"

    async def broken() -> str:
        raise ValueError("no deposit is waiting")

    async with World.start(specs=Specs(), pay=Pay("fund --latest", pay)) as world:
        hands = Hands(session, world.page_url)
        assert (await hands.see("state"))["pay"] == {"command": "fund --latest", "button": True}
        assert await hands.do("pay") == {"message": "Paid 1.00 CLAYER"}
    unlucky = World.start(specs=Specs(), pay=Pay("fund --latest", broken))
    async with unlucky as world, session.post(f"{world.page_url}/pay") as answer:
        assert (answer.status, await answer.json()) == (502, {"error": "ValueError: no deposit is waiting"})
    async with World.start(specs=Specs()) as world, session.post(f"{world.page_url}/pay") as answer:
        assert answer.status == 404
