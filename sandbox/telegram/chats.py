"""The private chats with the bot: who the people are, and every message as Telegram would describe it."""

from dataclasses import dataclass, field
from itertools import count

from sandbox.media import Files
from sandbox.telegram.arguments import ApiError, Arguments, bad_request
from sandbox.telegram.keyboards import seen
from sandbox.transcript import Conversation, EventKind, Message, Sender

Wire = dict[str, object]
"""A Telegram object as it goes over the wire."""

_MEDIA = ("photo", "document", "voice", "sticker", "audio", "video")


@dataclass(slots=True)
class Chat:
    """A private chat; its id is its person's. ``started``: the person wrote first, as Telegram demands of people."""

    person: Wire
    conversation: Conversation
    started: bool = False
    blocked: bool = False
    messages: dict[int, Wire] = field(default_factory=dict)
    _ids: "count[int]" = field(default_factory=lambda: count(1))

    @property
    def id(self) -> int:
        return int(self.conversation.key)

    @property
    def wire(self) -> Wire:
        about = {name: value for name, value in self.person.items() if name in ("first_name", "last_name", "username")}
        return {"id": self.id, "type": "private", **about}

    def new_message(self, sender: Wire, content: Wire) -> Wire:
        now = int(self.conversation.clock().timestamp())
        message_id = next(self._ids)
        message: Wire = {"message_id": message_id, "from": sender, "chat": self.wire, "date": now, **content}
        self.messages[message_id] = message
        return message

    def bots_message(self, message_id: int, bot_id: object, missing: str) -> Wire:
        """A message that the bot may edit. Raises ``ApiError``."""
        message = self.messages.get(message_id)
        if message is None:
            raise bad_request(missing)
        sender = message["from"]
        if not isinstance(sender, dict) or sender["id"] != bot_id:
            raise bad_request("message can't be edited")
        return message


class Chats:
    """All chats by id. ``files``: what their photos and documents point to."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self.by_id: dict[int, Chat] = {}

    def reachable(self, arguments: Arguments) -> Chat:
        """The chat that ``chat_id`` names, if the bot may write to it. Raises ``ApiError``."""
        given = arguments.required("chat_id", "chat_id is empty")
        chat = self.by_id.get(int(given)) if given.lstrip("-").isdigit() else None
        if chat is None:
            raise bad_request("chat not found")
        if chat.blocked:
            raise ApiError(403, "Forbidden: bot was blocked by the user")
        if not chat.started:
            raise ApiError(403, "Forbidden: bot can't initiate conversation with a user")
        return chat

    def show(self, chat: Chat, message: Wire, kind: EventKind, sender: Sender = Sender.BOT) -> Message:
        """Records a message (or its edit) in the conversation, as its people see it."""
        media = next((name for name in _MEDIA if name in message), "text")
        entities = message.get("entities") or message.get("caption_entities") or []
        shown = Message(
            id=str(message["message_id"]),
            sender=sender,
            at=chat.conversation.clock(),
            kind=media,
            text=str(message.get("text") or message.get("caption") or ""),
            entities=tuple(entities) if isinstance(entities, list) else (),
            buttons=seen(message.get("reply_markup")),
            file=self._files.get(_file_id(message.get(media))) if media != "text" else None,
            edited="edit_date" in message,
        )
        chat.conversation.record(kind, shown)
        return shown


def _file_id(media: object) -> str:
    if isinstance(media, list):  # a photo: sizes, the largest last
        media = media[-1]
    return str(media["file_id"]) if isinstance(media, dict) else ""
