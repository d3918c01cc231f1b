"""The Bot API server, driven by the real aiogram client."""

import asyncio
import json
import struct
import zlib

import aiohttp
import pytest
from aiogram import Bot
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramConflictError,
    TelegramForbiddenError,
    TelegramRetryAfter,
    TelegramUnauthorizedError,
)
from aiogram.types import BotCommand, BufferedInputFile, InlineKeyboardButton, InlineKeyboardMarkup

from sandbox.telegram import FloodLimits
from sandbox.transcript import EventKind
from sandbox.traveller import NoSuchButton, NothingCame
from sandbox.world import World


def keyboard(*labels: str) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(
        inline_keyboard=[[InlineKeyboardButton(text=label, callback_data=f"pick:{label}") for label in labels]]
    )


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\xff" * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


async def test_the_bot_knows_itself_and_its_commands(bot: Bot) -> None:
    assert (await bot.get_me()).username == "layover_sandbox_bot"
    await bot.set_my_commands([BotCommand(command="trips", description="Your trips")])
    assert [c.command for c in await bot.get_my_commands()] == ["trips"]
    assert await bot.get_my_commands(language_code="de") == []
    with pytest.raises(TelegramBadRequest, match="BOT_COMMAND_INVALID"):
        await bot.set_my_commands([BotCommand(command="My Trips", description="x")])


async def test_a_wrong_token_is_unauthorized(world: World, bot: Bot) -> None:
    async with Bot("7000000001:another-token", session=bot.session) as stranger:
        with pytest.raises(TelegramUnauthorizedError):
            await stranger.get_me()


async def test_what_a_person_does_arrives_as_updates_until_confirmed(world: World, bot: Bot) -> None:
    ada = world.telegram_user("Ada")
    await ada.start("from-a-link")
    await ada.send_file("voice", b"ogg", "note.ogg")
    await ada.send_file("sticker", b"webp", "smile.webp")
    await ada.send_file("photo", png(8, 8), "me.png", "my passport")

    first, *rest = await bot.get_updates()
    assert first.message is not None
    assert first.message.from_user is not None
    assert (first.message.text, first.message.chat.id) == ("/start from-a-link", ada.id)
    assert (first.message.from_user.first_name, first.message.from_user.language_code) == ("Ada", "en")
    kinds = [update.message.content_type for update in rest if update.message]
    assert kinds == ["voice", "sticker", "photo"]

    assert len(await bot.get_updates(limit=2)) == 2
    assert [u.update_id for u in await bot.get_updates(offset=first.update_id + 1)] == [u.update_id for u in rest]
    assert await bot.get_updates(offset=rest[-1].update_id + 1) == []
    assert await bot.get_updates() == []  # confirmed for ever


async def test_a_persons_file_can_be_downloaded(world: World, bot: Bot) -> None:
    ada = world.telegram_user()
    await ada.send_file("document", b"%PDF-1.7", "passport.pdf")
    (update,) = await bot.get_updates()
    assert update.message is not None
    assert update.message.document is not None
    assert update.message.document.mime_type == "application/pdf"
    content = await bot.download(update.message.document)
    assert content is not None
    assert content.read() == b"%PDF-1.7"


async def test_a_long_poll_ends_when_something_happens(world: World, bot: Bot) -> None:
    ada = world.telegram_user()
    async with asyncio.TaskGroup() as group, asyncio.timeout(5):
        poll = group.create_task(bot.get_updates(timeout=50))
        await world.telegram.updates.polled()
        await ada.say("hello")
    assert [u.message.text for u in poll.result() if u.message] == ["hello"]


async def test_of_two_pollers_the_newer_one_wins(world: World, bot: Bot) -> None:
    older = asyncio.create_task(bot.get_updates(timeout=50))
    await world.telegram.updates.polled()
    newer = asyncio.create_task(bot.get_updates(timeout=50))
    with pytest.raises(TelegramConflictError, match="terminated by other getUpdates"):
        await older
    await world.telegram_user().say("who gets this?")
    assert len(await newer) == 1


async def test_a_poll_that_was_given_up_leaves_no_conflict(world: World, bot: Bot) -> None:
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await bot.get_updates(timeout=50)
    await world.telegram_user().say("still there?")
    assert len(await bot.get_updates(timeout=50)) == 1


async def test_only_the_kinds_asked_for_are_queued(world: World, bot: Bot) -> None:
    ada = world.telegram_user()
    await bot.get_updates(allowed_updates=["callback_query"])
    await ada.say("not asked for")
    await bot.send_message(ada.id, "Choose", reply_markup=keyboard("A"))
    await ada.press("A")
    (update,) = await bot.get_updates()
    assert update.callback_query is not None


async def test_an_update_can_be_delivered_twice(world: World, bot: Bot) -> None:
    ada = world.telegram_user()
    await ada.say("book it")
    (once,) = await bot.get_updates()
    await bot.get_updates(offset=once.update_id + 1)
    await ada.redeliver()
    (again,) = await bot.get_updates(offset=once.update_id + 1)
    assert again == once


async def test_a_pressed_button_is_a_callback_query_that_is_answered_once(world: World, bot: Bot) -> None:
    ada = world.telegram_user()
    await ada.start()
    await bot.send_message(ada.id, "An older one", reply_markup=keyboard("Yes", "No"))
    newer = await bot.send_message(ada.id, "Is that right?", reply_markup=keyboard("Yes", "No"))
    shown = await ada.expect("right?")
    assert [b.label for b in shown.buttons[0]] == ["Yes", "No"]

    await ada.press("Yes")
    query = (await bot.get_updates())[-1].callback_query
    assert query is not None
    assert query.message is not None
    assert (query.data, query.message.message_id) == ("pick:Yes", newer.message_id)
    assert ada.spinning == ["pick:Yes"]
    await bot.answer_callback_query(query.id, text="Noted")
    assert await ada.expect_notice() == "Noted"
    assert ada.spinning == []
    with pytest.raises(TelegramBadRequest, match="query is too old"):
        await bot.answer_callback_query(query.id)
    with pytest.raises(NoSuchButton):
        await ada.press("Maybe")


async def test_edits_replace_the_message_and_its_history_stays(world: World, bot: Bot) -> None:
    ada = world.telegram_user()
    await ada.start()
    sent = await bot.send_message(ada.id, "0 of 3", reply_markup=keyboard("Stop"))
    edited = await bot.edit_message_text("1 of 3", chat_id=ada.id, message_id=sent.message_id)
    assert not isinstance(edited, bool)
    assert edited.edit_date is not None
    with pytest.raises(TelegramBadRequest, match="message is not modified"):
        await bot.edit_message_text("1 of 3", chat_id=ada.id, message_id=sent.message_id)
    await bot.edit_message_reply_markup(chat_id=ada.id, message_id=sent.message_id, reply_markup=keyboard("Go"))

    history = ada.conversation.versions(str(sent.message_id))
    assert [(v.text, [b.label for row in v.buttons for b in row]) for v in history] == [
        ("0 of 3", ["Stop"]),
        ("1 of 3", []),
        ("1 of 3", ["Go"]),
    ]
    assert len(ada.heard) == 1
    for missing in ("message to edit not found", "message can't be edited"):
        number = 999 if "found" in missing else 1
        with pytest.raises(TelegramBadRequest, match=missing):
            await bot.edit_message_text("x", chat_id=ada.id, message_id=number)
    await bot.delete_message(ada.id, sent.message_id)
    assert ada.heard == []


async def test_photos_and_documents_arrive_with_their_bytes(world: World, bot: Bot) -> None:
    ada = world.telegram_user()
    await ada.start()
    await bot.send_chat_action(ada.id, "upload_document")
    assert await ada.expect_typing() == "upload_document"
    sent = await bot.send_photo(ada.id, BufferedInputFile(png(40, 30), "qr.png"), caption="Scan <me>")
    assert sent.photo is not None
    assert (sent.photo[-1].width, sent.photo[-1].height) == (40, 30)
    ticket = BufferedInputFile(b"%PDF-1.7 ticket", "Ticket Ada Obi.pdf")
    await bot.send_document(ada.id, ticket, caption="*Your ticket*", parse_mode="MarkdownV2")

    photo, document = ada.heard
    assert photo.file is not None
    assert document.file is not None
    assert (photo.kind, photo.text, photo.file.content_type) == ("photo", "Scan <me>", "image/png")
    assert (document.kind, document.text) == ("document", "Your ticket")
    assert (document.file.filename, document.file.content_type) == ("Ticket Ada Obi.pdf", "application/pdf")
    assert document.file.content == b"%PDF-1.7 ticket"
    with pytest.raises(TelegramBadRequest, match="IMAGE_PROCESS_FAILED"):
        await bot.send_photo(ada.id, BufferedInputFile(b"no image", "qr.png"))
    with pytest.raises(TelegramBadRequest, match="caption is too long"):
        await bot.send_document(ada.id, ticket, caption="x" * 1025)
    with pytest.raises(TelegramBadRequest, match="no text in the message to edit"):
        await bot.edit_message_text("x", chat_id=ada.id, message_id=sent.message_id)


async def test_what_telegram_refuses_is_refused(world: World, bot: Bot) -> None:
    ada = world.telegram_user()
    await ada.start()
    for mode, source, complaint in (
        ("HTML", "<b>never closed", "can't parse entities: Can't find end tag corresponding to start tag"),
        ("MarkdownV2", "1.00 CLAYER", "can't parse entities: Character '.' is reserved and must be escaped"),
        ("Wiki", "x", "unsupported parse_mode"),
        (None, "x" * 4097, "message is too long"),
        ("HTML", "<b>   </b>", "text must be non-empty"),
    ):
        with pytest.raises(TelegramBadRequest, match=complaint):
            await bot.send_message(ada.id, source, parse_mode=mode)
    for button, complaint in (
        (InlineKeyboardButton(text="x", callback_data="ü" * 33), "BUTTON_DATA_INVALID"),
        (InlineKeyboardButton(text="x", callback_data=""), "BUTTON_DATA_INVALID"),
        (InlineKeyboardButton(text="x"), "text buttons are unallowed"),
        (InlineKeyboardButton(text="pay", url="ethereum:0x70@28525"), "Unsupported URL protocol"),
    ):
        with pytest.raises(TelegramBadRequest, match=complaint):
            await bot.send_message(ada.id, "x", reply_markup=InlineKeyboardMarkup(inline_keyboard=[[button]]))
    assert ada.heard == []


async def test_whom_the_bot_may_write_to(world: World, bot: Bot) -> None:
    ada = world.telegram_user()
    with pytest.raises(TelegramBadRequest, match="chat not found"):
        await bot.send_message(1, "hello")
    with pytest.raises(TelegramForbiddenError, match="can't initiate"):
        await bot.send_message(ada.id, "hello")
    await ada.start()
    await ada.block()
    with pytest.raises(TelegramForbiddenError, match="blocked by the user"):
        await bot.send_message(ada.id, "hello")
    assert (await bot.get_updates())[-1].my_chat_member is not None
    await ada.unblock()
    await bot.send_message(ada.id, "welcome back")


async def test_flood_control_asks_to_wait_in_one_chat_and_overall(world: World, bot: Bot) -> None:
    ada, bea = world.telegram_user("Ada"), world.telegram_user("Bea")
    await ada.start()
    await bea.start()
    world.telegram.flood.limits = FloodLimits(chat_burst=2)
    await bot.send_message(ada.id, "1")
    await bot.send_message(ada.id, "2")
    with pytest.raises(TelegramRetryAfter) as refused:
        await bot.send_message(ada.id, "3")
    assert refused.value.retry_after == 1
    await bot.send_message(bea.id, "another chat goes on")
    world.telegram.flood.limits = FloodLimits(overall_burst=0, overall_per_second=0.1)
    with pytest.raises(TelegramRetryAfter) as refused:
        await bot.send_message(bea.id, "2")
    assert refused.value.retry_after == 10
    assert len(ada.heard) == 2


async def test_a_webhook_and_polling_exclude_each_other(world: World, bot: Bot) -> None:
    await bot.set_webhook("https://layover.example/telegram-webhook", secret_token="s3cret")
    assert (await bot.get_webhook_info()).url == "https://layover.example/telegram-webhook"
    with pytest.raises(TelegramConflictError, match="webhook is active"):
        await bot.get_updates()
    await bot.delete_webhook()
    assert await bot.get_updates() == []


async def test_expectations_see_only_what_came_after_the_last_action(world: World, bot: Bot) -> None:
    ada = world.telegram_user()
    await ada.start()
    await bot.send_message(ada.id, "Where to?")
    assert (await ada.expect("Where")).text == "Where to?"
    await ada.say("London")
    with pytest.raises(NothingCame, match=r"(?s)a message like 'Where'.*London"):
        await ada.expect("Where", within=0.02)
    assert (await ada.expect("Where", since=0)).text == "Where to?"


async def test_files_and_json_bodies_are_read_like_forms(world: World, bot: Bot) -> None:
    ada = world.telegram_user()
    await ada.start()
    url = f"{world.telegram_url}/bot{world.telegram_token}/sendMessage"
    markup = {"inline_keyboard": [[{"text": "A", "callback_data": "a"}]]}
    async with aiohttp.ClientSession() as session:
        for body in (
            {"json": {"chat_id": ada.id, "text": "from JSON", "reply_markup": markup}},
            {"data": {"chat_id": str(ada.id), "text": "from a form", "reply_markup": json.dumps(markup)}},
        ):
            async with session.post(url, **body) as answer:
                assert answer.status == 200
    shown = [e.message.text for e in ada.conversation.events if e.kind is EventKind.MESSAGE and e.message]
    assert shown == ["/start", "from JSON", "from a form"]
