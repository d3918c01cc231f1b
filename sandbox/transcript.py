"""What stands in a chat, as the traveller sees it: every message, edit, typing action and status, in order."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sandbox.media import File


class Sender(StrEnum):
    TRAVELLER = "traveller"
    BOT = "bot"


class EventKind(StrEnum):
    MESSAGE = "message"
    EDIT = "edit"
    DELETE = "delete"
    TYPING = "typing"  # text: what the bot does ("typing", "upload_document")
    NOTICE = "notice"  # text: the answer to a pressed button, shown for a moment
    STATUS = "status"  # a WhatsApp message went on: queued, sent, delivered, read, failed


@dataclass(frozen=True, slots=True)
class Button:
    """``data`` comes back when it is pressed; ``url`` opens instead."""

    label: str
    data: str | None = None
    url: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it stands after its last edit.

    ``kind``: text, photo, document, voice, sticker, audio, video. ``text`` is the plain text or the caption;
    ``entities`` are Telegram's, with offsets in UTF-16 units. ``status`` and ``error_code``: WhatsApp only.
    """

    id: str
    sender: Sender
    at: datetime
    kind: str = "text"
    text: str = ""
    entities: tuple[dict[str, object], ...] = ()
    buttons: tuple[tuple[Button, ...], ...] = ()
    file: File | None = None
    status: str | None = None
    error_code: int | None = None
    edited: bool = False

    def button(self, name: str) -> Button | None:
        """The button with this label or data."""
        return next((b for row in self.buttons for b in row if name in (b.label, b.data)), None)


@dataclass(frozen=True, slots=True)
class Event:
    """``number`` counts from 1 within the conversation."""

    number: int
    kind: EventKind
    at: datetime
    message: Message | None = None
    text: str = ""


@dataclass(slots=True)
class Conversation:
    """One chat's whole history. ``publish`` hears every event (the page listens there)."""

    channel: str
    key: str  # Telegram's user id, or the WhatsApp number in E.164
    name: str
    clock: Callable[[], datetime]
    publish: Callable[["Conversation", Event], None]
    events: list[Event] = field(default_factory=list)
    _current: dict[str, Message] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def record(self, kind: EventKind, message: Message | None = None, text: str = "") -> Event:
        event = Event(len(self.events) + 1, kind, self.clock(), message, text)
        self.events.append(event)
        if message is not None:
            if kind is EventKind.DELETE:
                self._current.pop(message.id, None)
            elif kind is not EventKind.STATUS or message.id in self._current:  # one that never arrived is not there
                self._current[message.id] = message
        self._changed.set()
        self._changed = asyncio.Event()
        self.publish(self, event)
        return event

    @property
    def messages(self) -> list[Message]:
        """The messages as they stand now, oldest first; deleted ones are gone."""
        return list(self._current.values())

    def message(self, message_id: str) -> Message | None:
        return self._current.get(message_id)

    def versions(self, message_id: str) -> list[Message]:
        """A message and its edits, first to last."""
        shown = (EventKind.MESSAGE, EventKind.EDIT)
        return [e.message for e in self.events if e.kind in shown and e.message and e.message.id == message_id]

    async def wait(self, accept: Callable[[Event], bool], since: int) -> Event:
        """The first event after number ``since`` that is accepted, now or when it comes. No time limit of its own."""
        position = since
        while True:
            changed = self._changed
            while position < len(self.events):
                event = self.events[position]
                position += 1
                if accept(event):
                    return event
            await changed.wait()

    def render(self, last: int = 30) -> str:
        """The latest events as text, for a failure's message."""
        return "\n".join(_line(event) for event in self.events[-last:]) or "(nothing was said)"


def _line(event: Event) -> str:
    message = event.message
    if message is None:
        return f"{event.number:4} {event.kind:8} {event.text}"
    who = ">" if message.sender is Sender.TRAVELLER else "<"
    buttons = " ".join(f"[{b.label}]" for row in message.buttons for b in row)
    file = f"({message.kind}: {message.file.filename})" if message.file else ""
    status = f"{message.status} {message.error_code or ''}" if message.status else ""
    parts = (f"{event.number:4} {event.kind:8} {who} #{message.id}", message.text, file, buttons, status)
    return " ".join(part for part in parts if part)
