"""A person with Telegram: what they do becomes updates, what the bot does stands in their conversation."""

import re

from sandbox.media import Files
from sandbox.telegram.callbacks import Callbacks
from sandbox.telegram.chats import Chat, Chats, Wire
from sandbox.telegram.updates import Updates
from sandbox.transcript import Button, EventKind, Message, Sender
from sandbox.traveller import Traveller

_COMMAND = re.compile(r"/[A-Za-z0-9_]{1,32}(@\w+)?")
_TEXT_LIMIT = 4096


class TelegramUser(Traveller):
    def __init__(
        self, chat: Chat, chats: Chats, files: Files, updates: Updates, callbacks: Callbacks, bot: Wire
    ) -> None:
        super().__init__(chat.conversation, files)
        self.chat = chat
        self._chats = chats
        self._updates = updates
        self._callbacks = callbacks
        self._bot = bot
        self._last_update: int | None = None

    @property
    def id(self) -> int:
        """The user's id, which is also the chat's."""
        return self.chat.id

    @property
    def spinning(self) -> list[str]:
        """The data of the buttons that were pressed and not answered yet."""
        return [query.data for query in self._callbacks.open.values() if query.chat is self.chat]

    async def start(self, payload: str = "") -> int | None:
        """Opens the bot: /start, with the deep link's payload."""
        return await self.say(f"/start {payload}".strip())

    async def say(self, text: str) -> int | None:
        """Writes a message; the id of the update that tells of it."""
        if not 1 <= len(text) <= _TEXT_LIMIT:
            raise ValueError(f"a message has 1 to {_TEXT_LIMIT} characters; the app would send nothing, or several")
        content: Wire = {"text": text}
        if command := _COMMAND.match(text):
            content["entities"] = [{"type": "bot_command", "offset": 0, "length": command.end()}]
        return self._send(content)

    async def edit(self, message: Message, text: str) -> int | None:
        """Changes one of the traveller's own messages."""
        wire = self.chat.messages[int(message.id)]
        edited = {**wire, "text": text, "edit_date": int(self.conversation.clock().timestamp())}
        self.chat.messages[int(message.id)] = edited
        self.catch_up()
        self._chats.show(self.chat, edited, EventKind.EDIT, Sender.TRAVELLER)
        return self._put("edited_message", edited)

    async def send_file(self, kind: str, content: bytes, filename: str, caption: str = "") -> int | None:
        file = self._files.add(content, filename, folder=f"{kind}s")
        described: Wire = {"file_id": file.id, "file_unique_id": f"u{file.id}", "file_size": len(content)}
        match kind:
            case "photo":
                media: object = [{**described, "width": 640, "height": 480}]
            case "voice":
                media = {**described, "duration": 3, "mime_type": "audio/ogg"}
            case "sticker":
                shape = {"width": 512, "height": 512, "is_animated": False, "is_video": False, "type": "regular"}
                media = {**described, **shape}
            case "document":
                media = {**described, "file_name": filename, "mime_type": file.content_type}
            case _:
                raise ValueError(f"the sandbox's Telegram sends photo, voice, sticker and document, not {kind}")
        return self._send({kind: media, **({"caption": caption} if caption else {})})

    async def _press(self, button: Button, message: Message) -> str | None:
        """Tells the bot which button; a link opens instead and is returned."""
        if button.data is None:
            return button.url
        query = self._callbacks.press(self.chat, button.data)
        self.catch_up()
        self._put(
            "callback_query",
            {
                "id": query.id,
                "from": self.chat.person,
                "message": self.chat.messages[int(message.id)],
                "chat_instance": f"-{self.chat.id}",
                "data": button.data,
            },
        )
        return None

    async def block(self) -> None:
        self._membership("member", "kicked")
        self.chat.blocked = True

    async def unblock(self) -> None:
        self._membership("kicked", "member")
        self.chat.blocked = False

    async def redeliver(self, update_id: int | None = None) -> None:
        """The same update once more: this one, or the last of this traveller."""
        again = self._last_update if update_id is None else update_id
        if again is None:
            raise ValueError("this traveller has done nothing yet")
        self._updates.put_again(again)

    def _send(self, content: Wire) -> int | None:
        self.chat.started = True
        message = self.chat.new_message(self.chat.person, content)
        self.catch_up()
        self._chats.show(self.chat, message, EventKind.MESSAGE, Sender.TRAVELLER)
        return self._put("message", message)

    def _put(self, kind: str, content: Wire) -> int | None:
        update_id = self._updates.put(kind, content)
        if update_id is not None:
            self._last_update = update_id
        return update_id

    def _membership(self, old: str, new: str) -> None:
        def state(status: str) -> Wire:
            return {"user": self._bot, "status": status, **({"until_date": 0} if status == "kicked" else {})}

        change: Wire = {"chat": self.chat.wire, "from": self.chat.person}
        change["date"] = int(self.conversation.clock().timestamp())
        self._put("my_chat_member", {**change, "old_chat_member": state(old), "new_chat_member": state(new)})
