"""What Twilio tells us: a traveller's messages, and what became of ours. Only what Twilio signed is believed.

Form fields: https://www.twilio.com/docs/messaging/guides/webhook-request and
https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

import structlog
from multidict import MultiMapping
from twilio.request_validator import RequestValidator

from bot.channels.codec import CHAT, dump_inbound
from bot.channels.metrics import ChannelMetrics
from bot.channels.model import Channel, ChatId, Inbound
from bot.channels.text import clean
from bot.channels.whatsapp.window import WhatsAppWindows
from runtime.clock import Clock
from runtime.database import Database, connection_lost
from runtime.errors import LayoverError
from runtime.inbox import Inbox
from runtime.outbox import DeliveryStatus, Outbox

log = structlog.get_logger()

SOURCE = "twilio"
PREFIX = "whatsapp:"
OUTSIDE_WINDOW = "63016"
_MAX_SID = 64
_PATIENCE = timedelta(seconds=10)
_ADDRESS = re.compile(r"\+?[0-9A-Za-z._-]{3,60}")  # E.164; WhatsApp also gives ids to those who hide their number

_STATUSES = {
    "sent": DeliveryStatus.SENT,
    "delivered": DeliveryStatus.DELIVERED,
    "read": DeliveryStatus.READ,
    "failed": DeliveryStatus.FAILED,
    "undelivered": DeliveryStatus.FAILED,
}


class ForgedWebhook(LayoverError):
    """The signature is missing or is not Twilio's for this URL and form."""

    def __init__(self) -> None:
        super().__init__(
            "The request is not signed by Twilio for this address. If it came from Twilio, compare BASE_URL with the "
            "address set in the Twilio console, and TWILIO_AUTH_TOKEN with the account's."
        )


class MalformedWebhook(LayoverError):
    def __init__(self, field: str) -> None:
        super().__init__(f"The form field {field} is missing or not what Twilio sends.")


def inbound_from_form(form: Mapping[str, str], received_at: datetime) -> Inbound | None:
    """What the traveller did; None for a message of another kind than WhatsApp's. Raises ``MalformedWebhook``.

    A reply by number stays text: which choice it means is known by who offered the choices.
    """
    sender = form.get("From", "")
    if not sender.startswith(PREFIX):
        return None
    address = sender.removeprefix(PREFIX)
    if not _ADDRESS.fullmatch(address):
        raise MalformedWebhook("From")
    button = form.get("ButtonPayload") or form.get("ListId")
    words = clean(form.get("Body", "")).strip()
    return Inbound(
        chat=ChatId(Channel.WHATSAPP, address),
        received_at=received_at,
        text=(words or None) if not button else None,
        button=button or None,
        name=clean(form.get("ProfileName", "")).strip() or None,
    )


class WhatsAppWebhook:
    """Takes Twilio's requests. ``public_url``: scheme and host (and path) under which Twilio reaches us."""

    def __init__(
        self,
        database: Database,
        inbox: Inbox,
        outbox: Outbox,
        windows: WhatsAppWindows,
        clock: Clock,
        metrics: ChannelMetrics,
        *,
        auth_token: str,
        public_url: str,
    ) -> None:
        self._database = database
        self._inbox = inbox
        self._outbox = outbox
        self._windows = windows
        self._clock = clock
        self._metrics = metrics
        self._validator = RequestValidator(auth_token)
        self._public_url = public_url.rstrip("/")

    def verify(self, raw_path: str, form: MultiMapping[str], signature: str | None) -> None:
        """Raises ``ForgedWebhook``. ``raw_path``: path and query as they were received.

        The URL is the configured one: behind a proxy, the request's own host and scheme are not those Twilio signed.
        """
        if not signature or not self._validator.validate(self._public_url + raw_path, form, signature):
            self._metrics.refused.labels(Channel.WHATSAPP, "forged").inc()
            log.warning("twilio_signature_refused", signed=bool(signature))
            raise ForgedWebhook

    async def take_message(self, form: Mapping[str, str]) -> bool:
        """Store a verified message; False if it was known. Durable on return. Raises ``MalformedWebhook``."""
        now = self._clock.now()
        inbound = inbound_from_form(form, now)
        if inbound is None:
            log.info("twilio_message_ignored", reason="not from WhatsApp")
            return False
        sid = _sid(form)
        is_new = await self._persist(lambda: self._store(sid, inbound))
        self._metrics.received.labels(Channel.WHATSAPP).inc(is_new)
        return is_new

    async def _store(self, sid: str, inbound: Inbound) -> bool:
        async with self._database.transaction() as tx:
            is_new = await self._inbox.put(
                tx,
                topic=CHAT,
                source=SOURCE,
                external_id=sid,
                lane=str(inbound.chat),
                payload=dump_inbound(inbound),
            )
            if is_new:
                await self._windows.note_inbound(tx, inbound.chat, inbound.received_at)
        return is_new

    async def _persist(self, store: Callable[[], Awaitable[bool]]) -> bool:
        """Store, though the database restarts meanwhile: Twilio waits 15 s and does not come again."""
        give_up = self._clock.now() + _PATIENCE
        while True:
            try:
                return await store()
            except Exception as error:
                if not connection_lost(error) or self._clock.now() >= give_up:
                    raise
                log.warning("twilio_message_waits_for_database", error=type(error).__name__)
                await self._clock.sleep(0.5)

    async def take_status(self, form: Mapping[str, str]) -> None:
        """Note what became of one of our messages, and alert where an operator can help.

        What failed is a dead letter from then on, to be replayed.
        """
        sid, status, code = _sid(form), form.get("MessageStatus", ""), form.get("ErrorCode", "")
        known = _STATUSES.get(status)
        if known is None:  # queued, sending, and what is yet to be invented
            return
        async with self._database.transaction() as tx:
            message = await self._outbox.note_status(tx, sid, known, f"error {code}" if code else "")
        if known is not DeliveryStatus.FAILED:
            return
        self._metrics.failed.labels(Channel.WHATSAPP, code or status).inc()
        lane = message.lane if message else None
        if code == OUTSIDE_WINDOW:
            self._metrics.alerts.labels(Channel.WHATSAPP, "whatsapp_window_closed").inc()
            log.error("whatsapp_window_closed", lane=lane, message_sid=sid, action="set WHATSAPP_TEMPLATE_SID")
        else:
            log.error("whatsapp_message_failed", lane=lane, message_sid=sid, error_code=code)


def _sid(form: Mapping[str, str]) -> str:
    sid = form.get("MessageSid", "")
    if not sid or len(sid) > _MAX_SID or not sid.isalnum():
        raise MalformedWebhook("MessageSid")
    return sid
