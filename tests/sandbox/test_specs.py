"""A request that breaks a published schema is found, by everyone who asks."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sandbox.specs import VARIABLE, SchemaViolated, Specs, SpecsMissing
from sandbox.world import World
from tests.sandbox.twilio_client import TwilioClient


async def call(world: World, method: str, body: dict[str, object]) -> None:
    url = f"{world.telegram_url}/bot{world.telegram_token}/{method}"
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as answer:
        await answer.read()


async def violations(world: World) -> dict[str, Any]:
    url = f"{world.telegram_url}/_sandbox/violations"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        told: dict[str, Any] = await answer.json()
        return told


@pytest.mark.parametrize(
    ("method", "body", "where", "problem"),
    [
        ("sendMessage", {"chat_id": 1, "txt": "x", "text": "x"}, "txt", "unknown field"),
        ("sendMessage", {"chat_id": 1}, "text", "required, but missing"),
        ("sendMessage", {"chat_id": 1, "text": 5}, "text", "5 is no String"),
        ("getUpdates", {"offset": "first"}, "offset", "'first' is no Integer"),
        (
            "sendMessage",
            {"chat_id": 1, "text": "x", "reply_markup": {"inline_keyboard": [[{"label": "x"}]]}},
            "reply_markup.inline_keyboard.0.0.label",
            "unknown field of InlineKeyboardButton",
        ),
        ("sendTelepathy", {}, "", "there is no method sendTelepathy"),
    ],
)
async def test_a_wrong_call_of_the_bot_api_is_reported(
    specs: Specs, method: str, body: dict[str, object], where: str, problem: str
) -> None:
    async with World.start(specs=specs) as world:
        await call(world, method, body)
        found = {(v.side, v.operation, v.field, v.problem) for v in specs.violations}
        assert ("request", method, where, problem) in found
        told = await violations(world)
    assert told["checked"] is True
    assert any(problem in line for line in told["violations"])
    with pytest.raises(SchemaViolated, match=method):
        specs.require_none()


async def test_a_wrong_request_to_twilio_is_reported(specs: Specs) -> None:
    async with World.start(specs=specs) as world:
        url = f"{world.twilio_url}/2010-04-01/Accounts/{world.twilio_sid}/Messages.json"
        form = {"Body": "x", "Text": "x", "ContentSid": "HX1", "RiskCheck": "maybe", "ValidityPeriod": "soon"}
        headers = {"Authorization": aiohttp.encode_basic_auth(world.twilio_sid, world.twilio_token)}
        async with aiohttp.ClientSession(headers=headers) as session, session.post(url, data=form) as answer:
            assert answer.status == 400
    problems = {(v.field, v.problem.split(" ")[0]) for v in specs.violations}
    assert problems == {
        ("To", "required,"),
        ("Text", "unknown"),
        ("ContentSid", "'HX1'"),
        ("RiskCheck", "'maybe'"),
        ("ValidityPeriod", "'soon'"),
    }


async def test_right_requests_and_the_fakes_own_answers_follow_the_schemas(specs: Specs) -> None:
    async with World.start(specs=specs) as world:
        await call(world, "getMe", {})
        for kind in ("photo", "voice", "sticker", "document"):
            await world.telegram_user().send_file(kind, b"x", "x")
        await call(world, "getUpdates", {})
        tunde = world.whatsapp_user()
        sent = await TwilioClient(world).send(tunde.number, "x")
        await TwilioClient(world).fetch(sent.sid)
    assert specs.violations == []


async def test_without_schemas_nothing_is_checked_and_that_is_told() -> None:
    async with World.start(specs=Specs()) as world:
        await call(world, "sendTelepathy", {})
        assert await violations(world) == {"checked": False, "violations": []}


def test_a_folder_without_schemas_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(SpecsMissing, match=r"telegram-bot-api.*twilio-api"):
        Specs.from_environment()
