"""Methods that put messages into a chat or change them: sendMessage, sendPhoto, sendDocument, edits, deleteMessage."""

from dataclasses import dataclass

from sandbox.media import File, Files, image_size
from sandbox.telegram.arguments import ApiError, Arguments, Upload, bad_request
from sandbox.telegram.chats import Chat, Chats, Wire
from sandbox.telegram.entities import CannotParse, Entity, Formatted, parse_html, trimmed
from sandbox.telegram.flood import FloodControl
from sandbox.telegram.keyboards import inline_keyboard
from sandbox.telegram.markdown import parse_markdown_v2
from sandbox.transcript import EventKind

_TEXT_LIMIT = 4096
_CAPTION_LIMIT = 1024
_PHOTO_BYTES = 10 * 1024 * 1024
_DOCUMENT_BYTES = 50 * 1024 * 1024
_PHOTO_SIDES = 10_000  # width and height together, pixels
_PHOTO_RATIO = 20
_NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current "
    "content and reply markup of the message"
)
_ACTIONS = frozenset(
    {
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
    }
)


@dataclass(slots=True)
class Sending:
    bot: Wire
    chats: Chats
    files: Files
    flood: FloodControl

    async def send_message(self, arguments: Arguments) -> Wire:
        formatted = _formatted(arguments, "text", "entities")
        if formatted is None:
            raise bad_request("message text is empty")
        chat = self._counted(arguments)
        _check_text(formatted)
        return self._send(chat, arguments, _text(formatted))

    async def send_photo(self, arguments: Arguments) -> Wire:
        chat = self._counted(arguments)
        upload = arguments.upload("photo")
        file = self._stored(upload, "photos", "photo.jpg")
        size = image_size(file.content)
        if size is None:
            raise bad_request("IMAGE_PROCESS_FAILED")
        if sum(size) > _PHOTO_SIDES or max(size) > _PHOTO_RATIO * min(size):
            raise bad_request("PHOTO_INVALID_DIMENSIONS")
        if len(file.content) > _PHOTO_BYTES:
            raise bad_request("file is too big")
        sizes = [{**_file(file), "width": size[0], "height": size[1]}]
        return self._send(chat, arguments, {"photo": sizes, **_caption(arguments)})

    async def send_document(self, arguments: Arguments) -> Wire:
        chat = self._counted(arguments)
        file = self._stored(arguments.upload("document"), "documents", "file")
        if len(file.content) > _DOCUMENT_BYTES:
            raise ApiError(413, "Request Entity Too Large")
        document = {**_file(file), "file_name": file.filename, "mime_type": file.content_type}
        return self._send(chat, arguments, {"document": document, **_caption(arguments)})

    async def send_chat_action(self, arguments: Arguments) -> bool:
        chat = self.chats.reachable(arguments)
        action = arguments.required("action", "wrong parameter action in request")
        if action not in _ACTIONS:
            raise bad_request("wrong parameter action in request")
        chat.conversation.record(EventKind.TYPING, text=action)
        return True

    async def edit_message_text(self, arguments: Arguments) -> Wire:
        formatted = _formatted(arguments, "text", "entities")
        if formatted is None:
            raise bad_request("message text is empty")
        chat, message = self._editable(arguments)
        if "text" not in message:
            raise bad_request("there is no text in the message to edit")
        _check_text(formatted)
        return self._edit(chat, message, _text(formatted), arguments)

    async def edit_message_caption(self, arguments: Arguments) -> Wire:
        chat, message = self._editable(arguments)
        if "photo" not in message and "document" not in message:
            raise bad_request("there is no caption in the message to edit")
        return self._edit(chat, message, _caption(arguments), arguments)

    async def edit_message_reply_markup(self, arguments: Arguments) -> Wire:
        chat, message = self._editable(arguments)
        kept = {n: v for n, v in message.items() if n in ("text", "entities", "caption", "caption_entities")}
        return self._edit(chat, message, kept, arguments)

    async def delete_message(self, arguments: Arguments) -> bool:
        chat = self.chats.reachable(arguments)
        message_id = arguments.integer("message_id")
        if chat.messages.pop(message_id, None) is None:
            raise bad_request("message to delete not found")
        chat.conversation.record(EventKind.DELETE, chat.conversation.message(str(message_id)))
        return True

    def _counted(self, arguments: Arguments) -> Chat:
        chat = self.chats.reachable(arguments)
        self.flood.count(chat.id)
        return chat

    def _editable(self, arguments: Arguments) -> tuple[Chat, Wire]:
        chat = self._counted(arguments)
        message_id = arguments.integer("message_id")
        return chat, chat.bots_message(message_id, self.bot["id"], "message to edit not found")

    def _send(self, chat: Chat, arguments: Arguments, content: Wire) -> Wire:
        markup = inline_keyboard(arguments)
        if markup is not None:
            content = {**content, "reply_markup": markup}
        if replied := _replied(chat, arguments):
            content = {"reply_to_message": replied, **content}
        message = chat.new_message(self.bot, content)
        self.chats.show(chat, message, EventKind.MESSAGE)
        return message

    def _edit(self, chat: Chat, message: Wire, content: Wire, arguments: Arguments) -> Wire:
        """Replaces what may change. Without a ``reply_markup`` the keyboard goes, as on Telegram."""
        markup = inline_keyboard(arguments)
        if markup is not None:
            content = {**content, "reply_markup": markup}
        changing = ("text", "entities", "caption", "caption_entities", "reply_markup")
        if content == {name: message[name] for name in changing if name in message}:
            raise bad_request(_NOT_MODIFIED)
        edited = {name: value for name, value in message.items() if name not in changing}
        edited |= {"edit_date": int(chat.conversation.clock().timestamp()), **content}
        chat.messages[int(str(message["message_id"]))] = edited
        self.chats.show(chat, edited, EventKind.EDIT)
        return edited

    def _stored(self, upload: Upload | str, folder: str, unnamed: str) -> File:
        if isinstance(upload, Upload):
            if not upload.content:
                raise bad_request("file must be non-empty")
            return self.files.add(upload.content, upload.filename or unnamed, upload.content_type, folder)
        if upload.startswith(("http://", "https://")):
            raise bad_request("failed to get HTTP URL content")  # the sandbox fetches nothing for Telegram
        known = self.files.get(upload)
        if known is None:
            raise bad_request("wrong file identifier/HTTP URL specified")
        return known


def _formatted(arguments: Arguments, name: str, entities: str) -> Formatted | None:
    source = arguments.string(name)
    if not source:
        return None
    mode = (arguments.string("parse_mode") or "").lower()
    try:
        if mode == "html":
            return trimmed(parse_html(source))
        if mode == "markdownv2":
            return trimmed(parse_markdown_v2(source))
    except CannotParse as error:
        raise bad_request(f"can't parse entities: {error}") from None
    if mode:
        raise bad_request("unsupported parse_mode")
    given = arguments.parsed(entities)
    listed: list[Entity] = given if isinstance(given, list) else []
    return trimmed(Formatted(source, listed))


def _check_text(formatted: Formatted) -> None:
    if not formatted.text:
        raise bad_request("text must be non-empty")
    if len(formatted.text) > _TEXT_LIMIT:
        raise bad_request("message is too long")


def _text(formatted: Formatted) -> Wire:
    return {"text": formatted.text, **({"entities": formatted.entities} if formatted.entities else {})}


def _caption(arguments: Arguments) -> Wire:
    formatted = _formatted(arguments, "caption", "caption_entities")
    if formatted is None or not formatted.text:
        return {}
    if len(formatted.text) > _CAPTION_LIMIT:
        raise bad_request("message caption is too long")
    return {"caption": formatted.text, **({"caption_entities": formatted.entities} if formatted.entities else {})}


def _file(file: File) -> Wire:
    return {"file_id": file.id, "file_unique_id": f"u{file.id}", "file_size": len(file.content)}


def _replied(chat: Chat, arguments: Arguments) -> Wire | None:
    reply = arguments.parsed("reply_parameters")
    if not isinstance(reply, dict):
        return None
    message = chat.messages.get(int(reply.get("message_id", 0)))
    if message is None and not reply.get("allow_sending_without_reply"):
        raise bad_request("message to be replied not found")
    return {name: value for name, value in message.items() if name != "reply_to_message"} if message else None
