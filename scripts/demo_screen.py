"""The demo's two conversations on the terminal, as they happen: labelled, and in a colour each."""

import sys
from collections.abc import Callable

from sandbox.transcript import Conversation, Event, EventKind, Message, Sender

_CHANNELS = {"telegram": ("Telegram", "36"), "whatsapp": ("WhatsApp", "32")}  # name, colour (ECMA-48)


async def show(conversation: Conversation, say: Callable[[str], None]) -> None:
    """Say every event of the conversation, until cancelled."""
    read = 0
    while True:
        event = await conversation.wait(lambda event: True, read)
        read = event.number
        if line := _told(event):
            say(_labelled(conversation, line))


def _told(event: Event) -> str:
    if event.kind is EventKind.TYPING:
        return "… is typing" if event.text == "typing" else ""
    if event.message is None or event.kind not in (EventKind.MESSAGE, EventKind.EDIT):
        return ""
    return _message(event.message, "(changed) " if event.kind is EventKind.EDIT else "")


def _message(message: Message, note: str) -> str:
    who = "Traveller" if message.sender is Sender.TRAVELLER else "Layover"
    file = f"({message.kind} {message.file.filename}, {len(message.file.content):,} bytes) " if message.file else ""
    buttons = "".join("\n" + " ".join(f"[{button.label}]" for button in row) for row in message.buttons)
    return f"{who}: {note}{file}{message.text}{buttons}"


def _labelled(conversation: Conversation, words: str) -> str:
    channel, colour = _CHANNELS[conversation.channel]
    label = f"{channel} · {conversation.name}".ljust(16)
    lines = words.splitlines() or [""]
    head = f"\x1b[{colour}m{label}\x1b[0m" if sys.stdout.isatty() else label
    return "\n".join([f"{head} {lines[0]}", *(f"{' ' * len(label)}   {line}".rstrip() for line in lines[1:])])
