"""What a raw update of the Bot API says, as an ``Inbound``. Pure; the shapes are those of
https://core.telegram.org/bots/api#update, as far as they concern us.
"""

from datetime import datetime
from typing import Any

import msgspec

from bot.channels.model import Channel, ChatId, Inbound
from bot.channels.text import clean

PRIVATE = "private"
IN_GROUP = ("member", "administrator")  # a member's status with which the bot can speak in a group

# What a person sends, as against what Telegram notes in a chat (a pinned message, a new wallpaper).
_UNREADABLE_CONTENT = frozenset(
    {"animation", "audio", "contact", "dice", "document", "location", "paid_media", "photo", "poll"}
    | {"sticker", "story", "venue", "video", "video_note", "voice"}
)


class User(msgspec.Struct):
    id: int
    is_bot: bool = False
    first_name: str = ""
    last_name: str = ""
    language_code: str | None = None


class Chat(msgspec.Struct):
    id: int
    type: str


class Message(msgspec.Struct, rename={"sender": "from"}):
    chat: Chat
    sender: User | None = None
    text: str | None = None
    caption: str | None = None


class ButtonPress(msgspec.Struct, rename={"sender": "from"}):
    id: str
    sender: User
    message: Message | None = None
    data: str | None = None


class ChatMember(msgspec.Struct):
    status: str


class MembershipChange(msgspec.Struct):
    chat: Chat
    old_chat_member: ChatMember
    new_chat_member: ChatMember


class Update(msgspec.Struct):
    update_id: int
    message: Message | None = None
    callback_query: ButtonPress | None = None
    my_chat_member: MembershipChange | None = None


def inbound_from_update(update: dict[str, Any], received_at: datetime) -> Inbound | None:
    """What the traveller did; None for what is no concern of a conversation: an edited message, a group, a bot.

    Raises ``msgspec.ValidationError`` for an update that is not shaped as documented.
    """
    parsed = msgspec.convert(update, Update)
    if parsed.message is not None:
        return _from_message(parsed.message, update["message"], received_at)
    if parsed.callback_query is not None:
        return _from_press(parsed.callback_query, received_at)
    return None


def group_joined(update: dict[str, Any]) -> ChatId | None:
    """The group the bot was just added to, if that is what the update says. Raises as ``inbound_from_update``."""
    change = msgspec.convert(update, Update).my_chat_member
    if change is None or change.chat.type not in ("group", "supergroup"):
        return None
    came = change.new_chat_member.status in IN_GROUP and change.old_chat_member.status not in IN_GROUP
    return _chat_id(change.chat.id) if came else None


def _from_message(message: Message, raw: dict[str, Any], received_at: datetime) -> Inbound | None:
    if message.chat.type != PRIVATE or (message.sender is not None and message.sender.is_bot):
        return None
    words = clean(message.text or message.caption or "").strip()
    if not words and "text" not in raw and _UNREADABLE_CONTENT.isdisjoint(raw):
        return None  # a text of nothing but control characters is unreadable, but not to be met with silence
    return Inbound(
        chat=_chat_id(message.chat.id),
        received_at=received_at,
        text=words or None,
        name=_name(message.sender),
        language=message.sender.language_code if message.sender else None,
    )


def _from_press(press: ButtonPress, received_at: datetime) -> Inbound | None:
    if press.data is None or (press.message is not None and press.message.chat.type != PRIVATE):
        return None
    return Inbound(
        chat=_chat_id(press.sender.id),  # in a private chat, the chat's id is the person's
        received_at=received_at,
        button=press.data,
        callback_id=press.id,
        name=_name(press.sender),
        language=press.sender.language_code,
    )


def _chat_id(telegram_id: int) -> ChatId:
    return ChatId(Channel.TELEGRAM, str(telegram_id))


def _name(user: User | None) -> str | None:
    if user is None:
        return None
    return clean(f"{user.first_name} {user.last_name}").strip() or None
