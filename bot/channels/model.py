"""What a traveller says and what Layover says back: the same values on every channel."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

MAX_TOKEN_BYTES = 64  # https://core.telegram.org/bots/api#inlinekeyboardbutton


class Channel(StrEnum):
    TELEGRAM = "telegram"
    WHATSAPP = "whatsapp"


@dataclass(frozen=True, slots=True)
class ChatId:
    """A conversation with one person. ``address``: Telegram's chat id, or the WhatsApp number in E.164."""

    channel: Channel
    address: str

    def __str__(self) -> str:
        return f"{self.channel}:{self.address}"

    @classmethod
    def parse(cls, text: str) -> "ChatId":
        channel, _, address = text.partition(":")
        return cls(Channel(channel), address)


@dataclass(frozen=True, slots=True)
class Inbound:
    """Something a traveller did: ``text`` or ``button`` is set, or neither when we cannot read it (a voice note)."""

    chat: ChatId
    received_at: datetime
    text: str | None = None
    button: str | None = None  # the token of the button that was pressed
    callback_id: str | None = None  # Telegram: the query to answer, so that the button stops spinning
    name: str | None = None  # how the channel calls the traveller
    language: str | None = None  # BCP 47, from the channel's profile


class Style(StrEnum):
    PLAIN = "plain"
    BOLD = "bold"
    ITALIC = "italic"
    CODE = "code"  # to be copied: an address, an amount


@dataclass(frozen=True, slots=True)
class Span:
    """A run of text in one style. ``text`` is raw: each channel escapes it in its own way."""

    text: str
    style: Style = Style.PLAIN
    link: str | None = None


Text = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Button:
    """A choice. ``token`` comes back when it is pressed: at most 64 bytes (Telegram's callback_data)."""

    label: str
    token: str

    def __post_init__(self) -> None:
        if not 1 <= len(self.token.encode()) <= MAX_TOKEN_BYTES:
            raise ValueError(f"a button's token has 1 to {MAX_TOKEN_BYTES} bytes, not {self.token!r}")


class AttachmentKind(StrEnum):
    PHOTO = "photo"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A stored file (``bot/documents.py``) to send with the message as its caption."""

    kind: AttachmentKind
    document_id: str
    filename: str


@dataclass(frozen=True, slots=True)
class Outbound:
    """One message to one chat.

    ``slot`` names a message that is kept up to date (``payment:<id>:status``): a later Outbound with the same slot
    edits the earlier message where the channel can edit, and is a new short message where it cannot. Those still
    unsent pile up into the last one.
    ``hint`` is said after the text where the channel has no buttons: ``Reply 1–5, "fastest" or "more".``; without
    it, the choices are numbered.
    ``typing`` shows that work is going on instead of saying something; text and buttons are then empty.
    """

    chat: ChatId
    text: Text = ()
    buttons: tuple[tuple[Button, ...], ...] = field(default=())
    slot: str | None = None
    attachment: Attachment | None = None
    hint: str | None = None
    answers_callback: str | None = None  # stop this button's spinner; alone, or with a text
    typing: bool = False
