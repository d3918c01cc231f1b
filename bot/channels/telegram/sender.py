"""Says an ``Outbound`` on Telegram: messages, edits, photos, documents, the typing sign, the end of a spinner.

A call whose outcome is not known is made again: at worst a traveller reads something twice, never not at all.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog

from bot.channels.metrics import ChannelMetrics
from bot.channels.model import AttachmentKind, Button, Channel, Outbound, Text
from bot.channels.outage import OutageWatch
from bot.channels.rendering import telegram_html, telegram_length
from bot.channels.splitting import split
from bot.channels.telegram.client import TelegramClient
from bot.channels.telegram.errors import (
    TelegramBlocked,
    TelegramError,
    TelegramFlood,
    TelegramRefused,
    TelegramTokenRefused,
)
from bot.documents import DocumentNotFound, Documents, safe_filename
from runtime.clock import Clock
from runtime.errors import LayoverError
from runtime.outbox import Letter, Receipt, RetryLater, Undeliverable

log = structlog.get_logger()

TEXT_LIMIT = 4096  # UTF-16 units, after entities were parsed: https://core.telegram.org/bots/api#sendmessage
CAPTION_LIMIT = 1024
_TOKEN_PAUSE_SECONDS = 30.0
_GONE = ("message to edit not found", "message can't be edited", "MESSAGE_ID_INVALID", "no text in the message to edit")


class TelegramSender:
    def __init__(
        self,
        client: TelegramClient,
        documents: Documents,
        clock: Clock,
        metrics: ChannelMetrics,
        *,
        outage: OutageWatch | None = None,
    ) -> None:
        self._client = client
        self._documents = documents
        self._clock = clock
        self._metrics = metrics
        self._outage = outage or OutageWatch()
        self._flooded: dict[str, datetime] = {}  # lanes that were told to wait, until when

    async def deliver(self, outbound: Outbound, letter: Letter) -> Receipt:
        """Raises ``RetryLater``, ``Undeliverable``, or ``TelegramUnavailable`` (the outcome is not known)."""
        try:
            sent = await self._deliver(outbound, letter)
        except TelegramError as error:
            self._metrics.failed.labels(Channel.TELEGRAM, type(error).__name__).inc()
            outcome = self._outcome(error, letter)
            if outcome is error:
                raise
            raise outcome from error
        except DocumentNotFound as error:
            raise Undeliverable(str(error)) from error
        self._outage.note_success()
        self._metrics.sent.labels(Channel.TELEGRAM).inc(len(sent))
        return Receipt(tuple(str(message_id) for message_id in sent))

    async def _deliver(self, outbound: Outbound, letter: Letter) -> Sequence[int]:
        chat = int(outbound.chat.address)
        if outbound.answers_callback is not None:
            await self._end_spinner(outbound.answers_callback)
        if outbound.typing:
            await self._show_typing(chat)
            return ()
        if outbound.attachment is not None:
            return await self._send_attachment(chat, outbound)
        parts = split(outbound.text, TEXT_LIMIT, telegram_length)
        if letter.sent_ids and len(letter.sent_ids) == len(parts):
            return await self._edit(chat, [int(i) for i in letter.sent_ids], parts, outbound.buttons)
        return await self._send_parts(chat, parts, outbound.buttons)

    async def _send_parts(
        self, chat: int, parts: Sequence[Text], buttons: tuple[tuple[Button, ...], ...]
    ) -> Sequence[int]:
        return [
            await self._client.send_message(chat, telegram_html(part), buttons if part is parts[-1] else ())
            for part in parts
        ]

    async def _edit(
        self, chat: int, message_ids: Sequence[int], parts: Sequence[Text], buttons: tuple[tuple[Button, ...], ...]
    ) -> Sequence[int]:
        for message_id, part in zip(message_ids, parts, strict=True):
            try:
                await self._client.edit_message(
                    chat, message_id, telegram_html(part), buttons if part is parts[-1] else ()
                )
            except TelegramRefused as error:
                if error.says("message is not modified"):
                    continue
                if error.says(*_GONE):
                    return await self._send_parts(chat, parts, buttons)
                raise
        return message_ids

    async def _send_attachment(self, chat: int, outbound: Outbound) -> Sequence[int]:
        """The file with the text as its caption; where that is too long, the text follows by itself."""
        attachment = outbound.attachment
        assert attachment is not None
        document = await self._documents.get(attachment.document_id)
        fits = telegram_length(outbound.text) <= CAPTION_LIMIT
        caption = telegram_html(outbound.text) if fits else ""
        send = self._client.send_photo if attachment.kind is AttachmentKind.PHOTO else self._client.send_document
        name = safe_filename(attachment.filename)
        first = await send(chat, document.body, name, caption, outbound.buttons if fits else ())
        if fits:
            return (first,)
        parts = split(outbound.text, TEXT_LIMIT, telegram_length)
        return (first, *await self._send_parts(chat, parts, outbound.buttons))

    async def _end_spinner(self, callback_id: str) -> None:
        try:
            await self._client.answer_callback(callback_id)
        except TelegramRefused as error:  # too old: the spinner is gone by itself
            log.info("telegram_callback_not_answered", reason=error.reason)

    async def _show_typing(self, chat: int) -> None:
        try:
            await self._client.show_typing(chat)
        except TelegramError as error:  # it says "now": later it would be untrue
            log.info("telegram_typing_not_shown", error=str(error))

    def _outcome(self, error: TelegramError, letter: Letter) -> LayoverError:
        """What the courier is to do about it."""
        if isinstance(error, TelegramFlood):
            return RetryLater(error.seconds, whole_channel=self._is_flood_everywhere(letter.lane, error.seconds))
        if isinstance(error, TelegramTokenRefused):
            self._metrics.alerts.labels(Channel.TELEGRAM, "telegram_token_refused").inc()
            log.error("telegram_token_refused", error=str(error))
            return RetryLater(_TOKEN_PAUSE_SECONDS, whole_channel=True)
        if isinstance(error, TelegramBlocked):
            return Undeliverable(f"the traveller cannot be reached: {error.reason}")
        if isinstance(error, TelegramRefused):
            return Undeliverable(error.reason)
        return self._outage.note_failure() or error

    def _is_flood_everywhere(self, lane: str, seconds: float) -> bool:
        """Telegram does not say whether one chat or the whole bot is too fast: two chats told to wait are the bot."""
        now = self._clock.now()
        self._flooded = {other: until for other, until in self._flooded.items() if until > now}
        self._flooded[lane] = now + timedelta(seconds=seconds)
        return len(self._flooded) > 1
