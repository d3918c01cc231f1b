"""The page in a real browser: what is written, pressed and edited is seen at once, and nothing breaks."""

from pathlib import Path

import pytest
from aiogram import Bot
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from sandbox.world import World
from tests.sandbox.browser import browser


@pytest.mark.browser
async def test_a_traveller_is_played_on_the_page(world: World, bot: Bot, tmp_path: Path) -> None:
    async with browser(tmp_path) as page:
        await page.open(world.page_url)
        await page.until("document.querySelector('.link.live') && document.querySelector('.telegram .empty')")
        await page.run(
            "document.querySelector('.telegram textarea').value = 'Lagos <b>to</b> London';"
            "document.querySelector('.telegram .send').click()"
        )
        await page.until("document.querySelector('.telegram .out .bubble')")
        (ada,) = world.telegram.travellers.values()
        assert ada.transcript[0].text == "Lagos <b>to</b> London"
        assert "<b>to</b>" in await page.run("document.querySelector('.telegram .out .bubble').textContent")

        keyboard = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="Yes", callback_data="y")]])
        text = "<b>Right?</b> <code>0x7099</code> https://layover.example/x."
        sent = await bot.send_message(ada.id, text, parse_mode="HTML", reply_markup=keyboard)
        await page.until("document.querySelector('.telegram .keys button')")
        told = "[...document.querySelectorAll('.row:not(.out) :is(b, code, .bubble > a)')].map(n => n.textContent)"
        assert await page.run(told) == ["Right?", "0x7099", "https://layover.example/x"]
        await page.run("document.querySelector('.telegram .keys button').click()")
        await page.until("true")
        await bot.edit_message_text("Searching", chat_id=ada.id, message_id=sent.message_id)
        await page.until("document.querySelector('.row:not(.out) .bubble').textContent.startsWith('Searching')")
        assert await page.run("document.querySelectorAll('.telegram .keys').length") == 0

        await page.run("document.querySelector('.telegram .new').click()")
        await page.until("document.querySelectorAll('.telegram [role=tab]').length === 2")
        await bot.send_message(ada.id, "Still there?")
        await page.until("document.querySelector('.telegram .tabs b')?.textContent === '1'")
        assert page.errors == []
    updates = await bot.get_updates()
    assert [u.callback_query.data for u in updates if u.callback_query] == ["y"]
