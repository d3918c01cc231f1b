"""What happens to a message after Twilio accepted it: media fetched, window checked, delivered, told by callbacks."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from sandbox.media import File, Files
from sandbox.transcript import EventKind, Message, Sender
from sandbox.twilio import errors
from sandbox.twilio.messages import StoredMessage
from sandbox.twilio.user import WhatsAppUser
from sandbox.twilio.webhooks import Webhooks

_MEDIA_BYTES = 16 * 1024 * 1024
_MEDIA_SECONDS = 15
_CARRIED = (
    "image/jpeg",
    "image/png",
    "image/webp",
    "audio/",
    "video/mp4",
    "video/3gpp",
    "application/pdf",
    "application/msword",
    "application/vnd.",
    "text/vcard",
    "text/plain",
)
"""https://www.twilio.com/docs/whatsapp/guidance-whatsapp-media-messages, by prefix."""


class _Undeliverable(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(str(code))
        self.code = code


@dataclass(slots=True)
class Delivery:
    """Carries messages to their people: in order for each person, all people at once."""

    people: dict[str, WhatsAppUser]
    files: Files
    webhooks: Webhooks
    now: Callable[[], datetime]
    _lanes: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def carry(self, message: StoredMessage) -> None:
        """From ``queued`` to its last status, then the status callbacks, in order."""
        person = self.people.get(message.to.removeprefix("whatsapp:"))
        self._note(message, None)
        async with self._lanes.setdefault(message.to, asyncio.Lock()):
            await self._deliver(message, person)
        if message.status_callback:
            for form in message.callbacks:
                await self.webhooks.post(message.status_callback, form)

    async def _deliver(self, message: StoredMessage, person: WhatsAppUser | None) -> None:
        try:
            if person is None:
                raise _Undeliverable(errors.NO_SUCH_PERSON)
            if not message.template and not person.window_open:
                raise _Undeliverable(errors.OUTSIDE_WINDOW)
            file = await self._fetch(message.media_url) if message.media_url else None
        except _Undeliverable as error:
            message.error_code = error.code
            self._advance(message, person, "failed")
            return
        message.sent = self.now()
        self._advance(message, person, "sent")
        if person.blocked:
            return  # WhatsApp takes it and never delivers it
        shown = message.shown(Sender.BOT)
        if file is not None:
            shown = replace(shown, file=file, kind=_kind(file))
        person.conversation.record(EventKind.MESSAGE, shown)
        self._advance(message, person, "delivered")
        if person.reads:
            self._advance(message, person, "read")

    def _advance(self, message: StoredMessage, person: WhatsAppUser | None, status: str) -> None:
        message.status = status
        message.updated = self.now()
        self._note(message, person)

    def _note(self, message: StoredMessage, person: WhatsAppUser | None) -> None:
        message.callbacks.append(message.callback_form())
        if person is None:
            return
        standing = person.conversation.message(message.sid)
        shown: Message = standing if standing is not None else message.shown(Sender.BOT)
        shown = replace(shown, status=message.status, error_code=message.error_code)
        person.conversation.record(EventKind.STATUS, shown, message.status)

    async def _fetch(self, url: str) -> File:
        """Downloads the media as Twilio does, without a name but the path's. Raises ``_Undeliverable``."""
        assert self.webhooks.session is not None
        limits = aiohttp.ClientTimeout(total=_MEDIA_SECONDS)
        try:
            async with self.webhooks.session.get(URL(url, encoded=True), timeout=limits) as response:
                if response.status != 200:
                    raise _Undeliverable(errors.MEDIA_FAILED)
                content = await response.content.read(_MEDIA_BYTES + 1)
                while chunk := await response.content.read(_MEDIA_BYTES + 1 - len(content)):
                    content += chunk
        except (aiohttp.ClientError, TimeoutError, ValueError):
            raise _Undeliverable(errors.MEDIA_FAILED) from None
        if not content:
            raise _Undeliverable(errors.MEDIA_FAILED)
        if len(content) > _MEDIA_BYTES:
            raise _Undeliverable(errors.MEDIA_REJECTED)
        if not response.content_type.startswith(_CARRIED):
            raise _Undeliverable(errors.MEDIA_UNSUPPORTED)
        name = PurePosixPath(urlsplit(url).path).name or "media"
        return self.files.add(content, name, response.content_type)


def _kind(file: File) -> str:
    family = file.content_type.partition("/")[0]
    return {"image": "photo", "audio": "audio", "video": "video"}.get(family, "document")
