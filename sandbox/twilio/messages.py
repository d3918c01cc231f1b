"""Message resources: what was sent and received, as Twilio describes it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from uuid import uuid4

from sandbox.transcript import Button, Message, Sender

API_VERSION = "2010-04-01"


@dataclass(slots=True)
class StoredMessage:
    """``to`` and ``sender`` with their ``whatsapp:`` prefix. ``template``: an approved template, free of the window."""

    account: str
    to: str
    sender: str
    body: str
    created: datetime
    direction: str = "outbound-api"
    media_url: str | None = None
    buttons: tuple[tuple[Button, ...], ...] = ()
    template: bool = False
    status_callback: str | None = None
    status: str = "queued"
    error_code: int | None = None
    sent: datetime | None = None
    updated: datetime | None = None
    sid: str = ""
    callbacks: list[Sequence[tuple[str, str]]] = field(default_factory=list)  # not yet posted

    def __post_init__(self) -> None:
        if not self.sid:
            self.sid = f"{'MM' if self.media_url else 'SM'}{uuid4().hex}"
        self.updated = self.created

    @property
    def uri(self) -> str:
        return f"/{API_VERSION}/Accounts/{self.account}/Messages/{self.sid}.json"

    def wire(self) -> dict[str, object]:
        return {
            "account_sid": self.account,
            "api_version": API_VERSION,
            "body": self.body,
            "date_created": format_datetime(self.created),
            "date_sent": format_datetime(self.sent) if self.sent else None,
            "date_updated": format_datetime(self.updated or self.created),
            "direction": self.direction,
            "error_code": self.error_code,
            "error_message": None,
            "from": self.sender,
            "messaging_service_sid": None,
            "num_media": "1" if self.media_url else "0",
            "num_segments": "1",
            "price": None,
            "price_unit": None,
            "sid": self.sid,
            "status": self.status,
            "subresource_uris": {"media": self.uri.replace(".json", "/Media.json")},
            "to": self.to,
            "uri": self.uri,
        }

    def callback_form(self) -> list[tuple[str, str]]:
        """What the status callback says of the message as it is now."""
        form = [
            ("ChannelInstallSid", f"XE{'0' * 32}"),
            ("ChannelPrefix", "whatsapp"),
            ("ApiVersion", API_VERSION),
            ("MessageStatus", self.status),
            ("SmsSid", self.sid),
            ("SmsStatus", self.status),
            ("To", self.to),
            ("From", self.sender),
            ("MessageSid", self.sid),
            ("AccountSid", self.account),
        ]
        if self.status in ("delivered", "read"):
            form.append(("EventType", self.status.upper()))
        if self.error_code is not None:
            form.append(("ErrorCode", str(self.error_code)))
        return form

    def shown(self, sender: Sender) -> Message:
        """As the person sees it, without its file."""
        return Message(
            id=self.sid,
            sender=sender,
            at=self.created,
            text=self.body,
            buttons=self.buttons,
            status=self.status if sender is Sender.BOT else None,
            error_code=self.error_code,
        )
