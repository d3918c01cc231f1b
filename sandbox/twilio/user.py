"""A person with WhatsApp: what they do becomes signed webhooks, what reaches them stands in their conversation."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

from sandbox.media import Files
from sandbox.transcript import Button, Conversation, EventKind, Message, Sender
from sandbox.traveller import Traveller
from sandbox.twilio.messages import API_VERSION
from sandbox.twilio.webhooks import Form, Signature, WebhookAnswer, Webhooks

_WINDOW = timedelta(hours=24)
_TEXT_LIMIT = 4096


class NotConnected(Exception):
    """Twilio was not told where the application's webhook is: call ``connect``."""


class Line:
    """The WhatsApp number of the business, and where its messages go. ``webhook`` is set by ``connect``."""

    def __init__(
        self,
        account: str,
        number: str,
        webhooks: Webhooks,
        messages_url: Callable[[], str],
        answered: Callable[[str, WebhookAnswer], None],
    ) -> None:
        self.account = account
        self.number = number
        self.webhooks = webhooks
        self.messages_url = messages_url
        self.answered = answered
        self.webhook: str | None = None


class WhatsAppUser(Traveller):
    """``reads``: whether messages are read as soon as they are delivered."""

    def __init__(self, conversation: Conversation, files: Files, line: Line) -> None:
        super().__init__(conversation, files)
        self.reads = True
        self.blocked = False
        self._line = line
        self._last_inbound: datetime | None = None
        self._last_form: Form | None = None

    @property
    def number(self) -> str:
        """In E.164, with the plus."""
        return self.key

    @property
    def window_open(self) -> bool:
        """Whether the business may write freely: within 24 hours of this person's last message."""
        return self._last_inbound is not None and self.conversation.clock() - self._last_inbound < _WINDOW

    async def say(self, text: str, signature: Signature = Signature.VALID) -> WebhookAnswer:
        """Writes a message; the application's answer to the webhook. A forged one stays out of the transcript."""
        if not 1 <= len(text) <= _TEXT_LIMIT:
            raise ValueError(f"a message has 1 to {_TEXT_LIMIT} characters")
        return await self._send([("MessageType", "text"), ("Body", text), ("NumMedia", "0")], text, signature=signature)

    async def send_file(self, kind: str, content: bytes, filename: str, caption: str = "") -> WebhookAnswer:
        file = self._files.add(content, filename)
        sid = f"MM{uuid4().hex}"
        names = {"photo": "image", "voice": "audio", "sticker": "sticker", "document": "document"}
        if kind not in names:
            raise ValueError(f"the sandbox's WhatsApp sends {', '.join(names)}, not {kind}")
        form = [
            ("MessageType", names[kind]),
            ("Body", caption),
            ("NumMedia", "1"),
            ("MediaUrl0", f"{self._line.messages_url()}/{sid}/Media/{file.id}"),
            ("MediaContentType0", file.content_type),
        ]
        shown = Message("", Sender.TRAVELLER, self.conversation.clock(), kind=kind, text=caption, file=file)
        return await self._send(form, caption, sid=sid, shown=shown)

    async def _press(self, button: Button, message: Message) -> WebhookAnswer | str | None:
        """Taps a quick reply or an item of a list; a link opens instead and is returned."""
        if button.data is None:
            return button.url
        if button.description is None:
            form = [("MessageType", "button"), ("ButtonText", button.label), ("ButtonPayload", button.data)]
        else:
            form = [("MessageType", "interactive"), ("ListTitle", button.label), ("ListId", button.data)]
        form += [
            ("Body", button.label),
            ("NumMedia", "0"),
            ("OriginalRepliedMessageSender", f"whatsapp:{self._line.number}"),
            ("OriginalRepliedMessageSid", message.id),
        ]
        return await self._send(form, button.label)

    async def block(self) -> None:
        self.blocked = True

    async def unblock(self) -> None:
        self.blocked = False

    async def redeliver(self) -> WebhookAnswer:
        """The last webhook once more, with the same MessageSid."""
        if self._last_form is None:
            raise ValueError("this traveller has done nothing yet")
        return await self._post(self._last_form, Signature.VALID)

    async def _send(
        self,
        form: list[tuple[str, str]],
        text: str,
        *,
        sid: str | None = None,
        shown: Message | None = None,
        signature: Signature = Signature.VALID,
    ) -> WebhookAnswer:
        sid = sid or f"SM{uuid4().hex}"
        whole = [
            *form,
            ("SmsMessageSid", sid),
            ("MessageSid", sid),
            ("SmsSid", sid),
            ("SmsStatus", "received"),
            ("ProfileName", self.name),
            ("WaId", self.number.lstrip("+")),
            ("From", f"whatsapp:{self.number}"),
            ("To", f"whatsapp:{self._line.number}"),
            ("NumSegments", "1"),
            ("ReferralNumMedia", "0"),
            ("AccountSid", self._line.account),
            ("ApiVersion", API_VERSION),
        ]
        if signature is Signature.VALID:
            said = shown or Message("", Sender.TRAVELLER, self.conversation.clock(), text=text)
            self.catch_up()
            self.conversation.record(EventKind.MESSAGE, replace(said, id=sid))
            self._last_inbound = self.conversation.clock()
            self._last_form = whole
        return await self._post(whole, signature)

    async def _post(self, form: Form, signature: Signature) -> WebhookAnswer:
        if self._line.webhook is None:
            raise NotConnected("tell the sandbox where the daemon's webhook is: world.connect(base_url)")
        answer = await self._line.webhooks.post(self._line.webhook, form, signature)
        self._line.answered(self.number, answer)
        return answer
