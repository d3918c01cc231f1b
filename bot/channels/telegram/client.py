"""The Bot API through aiogram's ``Bot``: the few calls Layover makes, failing only with ``TelegramError``.

Importing this module imports aiogram (about 3 s).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import PRODUCTION, TelegramAPIServer
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramConflictError,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.methods import (
    AnswerCallbackQuery,
    DeleteWebhook,
    EditMessageText,
    SendChatAction,
    SendDocument,
    SendMessage,
    SendPhoto,
    SetMyCommands,
    TelegramMethod,
)
from aiogram.types import (
    BotCommand,
    BufferedInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
)

from bot.channels.model import Button
from bot.channels.telegram.errors import (
    TelegramBlocked,
    TelegramConflict,
    TelegramError,
    TelegramFlood,
    TelegramRefused,
    TelegramTokenRefused,
    TelegramUnavailable,
)

ALLOWED_UPDATES = ("message", "callback_query", "my_chat_member")
# For a call that does not wait by itself. Well below the courier's own bound, so that a Telegram that hangs is seen
# here and known as an outage, of which no message dies.
ANSWER_SECONDS = 12.0
_POLL_GRACE_SECONDS = 10  # on top of the long poll's own time

Result = TypeVar("Result")


class RawGetUpdates(TelegramMethod[list[Any]]):
    """``getUpdates`` whose updates stay as they came: one that is malformed cannot block the others."""

    __returning__ = list[Any]
    __api_method__ = "getUpdates"

    offset: int | None = None
    limit: int = 100
    timeout: int
    allowed_updates: list[str]


class TelegramClient:
    """One bot. Open with ``TelegramClient.open(token, base_url)``."""

    def __init__(self, bot: Bot, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._bot = bot
        self._answer_seconds = answer_seconds

    @classmethod
    @asynccontextmanager
    async def open(
        cls, token: str, base_url: str | None = None, answer_seconds: float = ANSWER_SECONDS
    ) -> AsyncIterator["TelegramClient"]:
        """``base_url``: a Bot API server of one's own; Telegram's by default."""
        server = TelegramAPIServer.from_base(base_url) if base_url else PRODUCTION
        async with Bot(token, session=AiohttpSession(api=server)) as bot:
            yield cls(bot, answer_seconds)

    @property
    def bot_id(self) -> int:
        return self._bot.id

    async def get_updates(self, offset: int | None, wait_seconds: int) -> list[Any]:
        """Raw updates from ``offset`` on; earlier ones are confirmed by asking."""
        method = RawGetUpdates(offset=offset, timeout=wait_seconds, allowed_updates=list(ALLOWED_UPDATES))
        return await self._call(method, wait_seconds + _POLL_GRACE_SECONDS)

    async def delete_webhook(self) -> None:
        await self._call(DeleteWebhook(drop_pending_updates=False))

    async def set_commands(self, commands: Sequence[tuple[str, str]]) -> None:
        """The menu: name without slash, and what it does."""
        named = [BotCommand(command=name, description=description) for name, description in commands]
        await self._call(SetMyCommands(commands=named))

    async def send_message(self, chat: int, html: str, buttons: Sequence[Sequence[Button]] = ()) -> int:
        """The new message's id."""
        message = await self._call(
            SendMessage(
                chat_id=chat,
                text=html,
                parse_mode="HTML",
                link_preview_options=LinkPreviewOptions(is_disabled=True),
                reply_markup=_keyboard(buttons),
            )
        )
        return message.message_id

    async def edit_message(
        self, chat: int, message_id: int, html: str, buttons: Sequence[Sequence[Button]] = ()
    ) -> None:
        await self._call(
            EditMessageText(
                chat_id=chat,
                message_id=message_id,
                text=html,
                parse_mode="HTML",
                link_preview_options=LinkPreviewOptions(is_disabled=True),
                reply_markup=_keyboard(buttons),
            )
        )

    async def send_photo(
        self, chat: int, body: bytes, filename: str, caption: str, buttons: Sequence[Sequence[Button]] = ()
    ) -> int:
        message = await self._call(
            SendPhoto(
                chat_id=chat,
                photo=BufferedInputFile(body, filename),
                caption=caption or None,
                parse_mode="HTML",
                reply_markup=_keyboard(buttons),
            )
        )
        return message.message_id

    async def send_document(
        self, chat: int, body: bytes, filename: str, caption: str, buttons: Sequence[Sequence[Button]] = ()
    ) -> int:
        message = await self._call(
            SendDocument(
                chat_id=chat,
                document=BufferedInputFile(body, filename),
                caption=caption or None,
                parse_mode="HTML",
                reply_markup=_keyboard(buttons),
            )
        )
        return message.message_id

    async def show_typing(self, chat: int) -> None:
        """Lasts about five seconds, or until the next message."""
        await self._call(SendChatAction(chat_id=chat, action="typing"))

    async def answer_callback(self, callback_id: str) -> None:
        await self._call(AnswerCallbackQuery(callback_query_id=callback_id))

    async def _call(self, method: TelegramMethod[Result], seconds: float | None = None) -> Result:
        seconds = self._answer_seconds if seconds is None else seconds
        try:
            return await self._bot(method, request_timeout=seconds)  # type: ignore[arg-type]  # whole or not
        except (TelegramAPIError, ClientDecodeError, UnicodeDecodeError) as error:
            raise _translated(method.__api_method__, error) from error


def _translated(name: str, error: TelegramAPIError | ClientDecodeError | UnicodeDecodeError) -> TelegramError:
    if isinstance(error, ClientDecodeError | UnicodeDecodeError):
        return TelegramUnavailable(name, "its answer is not what the Bot API says")
    if isinstance(error, TelegramRetryAfter):
        return TelegramFlood(name, float(error.retry_after))
    if isinstance(error, TelegramEntityTooLarge):
        return TelegramRefused(name, error.message)
    if isinstance(error, TelegramNetworkError | TelegramServerError):
        return TelegramUnavailable(name, error.message)
    if isinstance(error, TelegramConflictError):
        return TelegramConflict(error.message)
    if isinstance(error, TelegramUnauthorizedError | TelegramNotFound):
        return TelegramTokenRefused()
    if isinstance(error, TelegramForbiddenError):
        return TelegramBlocked(name, error.message)
    return TelegramRefused(name, error.message)


def _keyboard(buttons: Sequence[Sequence[Button]]) -> InlineKeyboardMarkup | None:
    rows = [[InlineKeyboardButton(text=b.label, callback_data=b.token) for b in row] for row in buttons if row]
    return InlineKeyboardMarkup(inline_keyboard=rows) if rows else None
