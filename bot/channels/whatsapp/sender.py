"""Says an ``Outbound`` on WhatsApp through Twilio: numbered choices, media by signed link, templates after 24 hours.

WhatsApp can neither edit nor show buttons here: a changed status is a new short message, choices are numbered.
"""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import structlog

from bot.channels.metrics import ChannelMetrics
from bot.channels.model import Attachment, AttachmentKind, Button, Channel, Outbound, Text
from bot.channels.outage import OutageWatch
from bot.channels.rendering import whatsapp_length, whatsapp_markup
from bot.channels.splitting import split
from bot.channels.text import italic, lines, paragraphs, plain, text
from bot.channels.whatsapp.client import TwilioMessages, TwilioRefused, TwilioUnavailable
from bot.channels.whatsapp.window import WhatsAppWindows
from runtime.clock import Clock
from runtime.errors import LayoverError
from runtime.outbox import Letter, Receipt, RetryLater, Undeliverable

log = structlog.get_logger()

BODY_LIMIT = 1600  # characters: https://www.twilio.com/docs/api/errors/21617
CAPTION_LIMIT = 1024  # WhatsApp's own, for a picture's text
TEMPLATE_LIMIT = 1000  # of one placeholder
FETCH_TIME = timedelta(hours=1)  # how long Twilio may take to fetch a file
READ_TIME = timedelta(days=7)  # how long a traveller may take to open a link

# https://www.twilio.com/docs/api/errors
_TOO_FAST = (20429, 63018)
_DAY_IS_FULL = 63038
_WRONG_CREDENTIALS = (20003, 20403)
_OUTSIDE_WINDOW = 63016
_CREDENTIALS_PAUSE_SECONDS = 30.0
_DAY_PAUSE_SECONDS = 900.0


class MediaLinks(Protocol):
    """Signed links to stored files, good for ``lifetime`` from now."""

    def media_url(self, document_id: str, filename: str, lifetime: timedelta) -> str: ...


class WhatsAppSender:
    """``template_sid``: an approved template whose text is its placeholder {{1}}; without it nothing can be said
    after 24 hours of silence, and the operator is told.
    """

    def __init__(
        self,
        messages: TwilioMessages,
        windows: WhatsAppWindows,
        links: MediaLinks,
        clock: Clock,
        metrics: ChannelMetrics,
        *,
        template_sid: str | None = None,
        outage: OutageWatch | None = None,
    ) -> None:
        self._messages = messages
        self._windows = windows
        self._links = links
        self._clock = clock
        self._metrics = metrics
        self._template_sid = template_sid
        self._outage = outage or OutageWatch()
        self._throttle = OutageWatch(threshold=1)

    async def deliver(self, outbound: Outbound, letter: Letter) -> Receipt:
        """Raises ``RetryLater``, ``Undeliverable``, or ``TwilioUnavailable`` (the outcome is not known)."""
        try:
            sids = await self._deliver(outbound)
        except (TwilioRefused, TwilioUnavailable) as error:
            self._metrics.failed.labels(Channel.WHATSAPP, _reason(error)).inc()
            outcome = self._outcome(error, outbound)
            if outcome is error:
                raise
            raise outcome from error
        if sids:
            self._outage.note_success()
            self._throttle.note_success()
            self._metrics.sent.labels(Channel.WHATSAPP).inc(len(sids))
        return Receipt(tuple(sids))

    async def _deliver(self, outbound: Outbound) -> Sequence[str]:
        words = with_choices(outbound)
        if outbound.typing or not (words or outbound.attachment):
            return ()
        if not await self._windows.is_open(outbound.chat, self._clock.now()):
            return await self._send_template(outbound, words)
        to = outbound.chat.address
        if outbound.attachment is None:
            return await self._send_parts(to, words)
        return await self._send_attachment(to, words, outbound.attachment)

    async def _send_parts(self, to: str, words: Text) -> list[str]:
        parts = split(words, BODY_LIMIT, whatsapp_length)
        return [await self._messages.send(to, body=whatsapp_markup(part)) for part in parts]

    async def _send_attachment(self, to: str, words: Text, attachment: Attachment) -> Sequence[str]:
        """A picture carries its text; a document cannot (Twilio drops it), so its text goes before it."""
        url = self._links.media_url(attachment.document_id, attachment.filename, FETCH_TIME)
        if attachment.kind is AttachmentKind.PHOTO and whatsapp_length(words) <= CAPTION_LIMIT:
            return [await self._messages.send(to, body=whatsapp_markup(words), media_url=url)]
        return [*await self._send_parts(to, words), await self._messages.send(to, media_url=url)]

    async def _send_template(self, outbound: Outbound, words: Text) -> Sequence[str]:
        if self._template_sid is None:
            raise self._window_closed(outbound)
        if (attachment := outbound.attachment) is not None:
            url = self._links.media_url(attachment.document_id, attachment.filename, READ_TIME)
            words = paragraphs(words, f"{attachment.filename}: {url}")
        # A placeholder may hold no line breaks: https://www.twilio.com/docs/content/using-variables-with-content-api
        flat = text(" ".join(plain(words).split()))
        return [
            await self._messages.send_template(
                outbound.chat.address, self._template_sid, json.dumps({"1": plain(part)}, ensure_ascii=False)
            )
            for part in split(flat, TEMPLATE_LIMIT, lambda part: len(plain(part)))
        ]

    def _outcome(self, error: TwilioRefused | TwilioUnavailable, outbound: Outbound) -> LayoverError:
        """What the courier is to do about it."""
        if isinstance(error, TwilioUnavailable):
            return self._outage.note_failure() or error
        if error.code in _TOO_FAST or error.status == 429:
            return self._throttle.note_failure() or error
        if error.code == _DAY_IS_FULL:
            self._alert("whatsapp_daily_limit_reached", error.reason)
            return RetryLater(_DAY_PAUSE_SECONDS, whole_channel=True)
        if error.code in _WRONG_CREDENTIALS or error.status == 401:
            self._alert("twilio_credentials_refused", "set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN")
            return RetryLater(_CREDENTIALS_PAUSE_SECONDS, whole_channel=True)
        if error.code == _OUTSIDE_WINDOW:
            return self._window_closed(outbound)
        return Undeliverable(f"Twilio error {error.code}: {error.reason}")

    def _window_closed(self, outbound: Outbound) -> Undeliverable:
        self._alert("whatsapp_window_closed", "set WHATSAPP_TEMPLATE_SID", lane=str(outbound.chat))
        return Undeliverable(
            "The traveller has not written for 24 hours, and no template is configured: set WHATSAPP_TEMPLATE_SID "
            "to an approved template and replay this letter."
        )

    def _alert(self, event: str, action: str, **fields: str) -> None:
        self._metrics.alerts.labels(Channel.WHATSAPP, event).inc()
        log.error(event, action=action, **fields)


def choices(buttons: tuple[tuple[Button, ...], ...]) -> list[Button]:
    """The buttons in the order in which they are numbered, from 1."""
    return [button for row in buttons for button in row]


def with_choices(outbound: Outbound) -> Text:
    """The text, and under it the hint, or the choices by number."""
    numbered = lines(*(f"{number}. {button.label}" for number, button in enumerate(choices(outbound.buttons), 1)))
    return paragraphs(outbound.text, italic(outbound.hint) if outbound.hint else numbered)


def _reason(error: TwilioRefused | TwilioUnavailable) -> str:
    return str(error.code) if isinstance(error, TwilioRefused) else "unavailable"
