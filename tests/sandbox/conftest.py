"""The sandbox's world with the real clients against it. Every test ends with the schemas unbroken."""

from collections.abc import AsyncIterator

import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer

from sandbox.specs import VARIABLE, Specs
from sandbox.world import World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Runs the servers. Where the schemas are at hand, what the test sent and what was answered must follow them."""
    async with World.start() as running:
        yield running
    running.specs.require_none()


@pytest.fixture
async def bot(world: World) -> AsyncIterator[Bot]:
    """The real client library, pointed at the sandbox."""
    session = AiohttpSession(api=TelegramAPIServer.from_base(world.telegram_url))
    async with Bot(world.telegram_token, session=session) as client:
        yield client


@pytest.fixture
def specs() -> Specs:
    """The published schemas; a test that is about them is left out, and said so, where there are none."""
    found = Specs.from_environment()
    if not found.checked:
        pytest.skip(f"{VARIABLE} is not set: nothing is checked against the published schemas")
    return found
