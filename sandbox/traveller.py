"""A person on the other end of a chat: writes, presses buttons, reads, and waits for what must come."""

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import Callable

from sandbox.media import Files
from sandbox.transcript import Button, Conversation, Event, EventKind, Message, Sender

Match = str | re.Pattern[str] | Callable[[Message], bool] | None
"""What a message must be: contain this text, match this pattern, satisfy this function; None: any message."""


class NothingCame(AssertionError):
    """What was waited for did not come in time. The message shows the conversation."""


class NoSuchButton(AssertionError):
    """No message shows that button."""


class Traveller(ABC):
    """What both channels have in common.

    ``expect`` looks at what came after the traveller's last action or the last message that was expected, whichever
    is later: an old message never satisfies a new expectation, and one that came early is not missed.
    """

    def __init__(self, conversation: Conversation, files: Files) -> None:
        self.conversation = conversation
        self._files = files
        self._read = 0

    @property
    def key(self) -> str:
        return self.conversation.key

    @property
    def name(self) -> str:
        return self.conversation.name

    @property
    def transcript(self) -> list[Message]:
        """The messages of both sides as they stand now."""
        return self.conversation.messages

    @property
    def heard(self) -> list[Message]:
        """What the bot said, as it stands now."""
        return [m for m in self.conversation.messages if m.sender is Sender.BOT]

    @abstractmethod
    async def say(self, text: str) -> object:
        """Writes a message."""

    @abstractmethod
    async def send_file(self, kind: str, content: bytes, filename: str, caption: str = "") -> object:
        """Sends a ``photo``, ``voice``, ``sticker`` or ``document``."""

    @abstractmethod
    async def _press(self, button: Button, message: Message) -> object:
        """Presses a button that stands under ``message``."""

    async def press(self, name: str, message: Message | None = None) -> object:
        """Presses a button by its label or data: on this message as it stands, or on the latest that has it.

        Raises ``NoSuchButton``.
        """
        candidates = [self.conversation.message(message.id)] if message else self.heard[::-1]
        for candidate in candidates:
            if candidate is not None and (button := candidate.button(name)) is not None:
                return await self._press(button, candidate)
        raise NoSuchButton(f"no button {name!r} in this conversation:\n{self.conversation.render()}")

    @abstractmethod
    async def block(self) -> None:
        """Blocks the bot: nothing reaches this traveller from now on."""

    @abstractmethod
    async def unblock(self) -> None:
        """Lets the bot through again."""

    @abstractmethod
    async def redeliver(self) -> object:
        """The channel delivers what the traveller did last once more, under the same id."""

    def catch_up(self) -> None:
        """Counts everything so far as read: ``expect`` looks only at what comes from now on."""
        self._read = len(self.conversation.events)

    async def expect(self, match: Match = None, *, within: float = 10.0, since: int | None = None) -> Message:
        """The next message of the bot, or edit of one, that matches. Text is the plain text or caption.

        ``within`` in seconds. ``since``: an event number to look from (0: the whole conversation) instead of what
        was read. Raises ``NothingCame``.
        """
        accepts = _matcher(match)

        def accept(event: Event) -> bool:
            shown = event.kind in (EventKind.MESSAGE, EventKind.EDIT)
            return shown and event.message is not None and event.message.sender is Sender.BOT and accepts(event.message)

        event = await self._wait(accept, f"a message like {match!r}", within, since)
        assert event.message is not None
        return event.message

    async def expect_typing(self, *, within: float = 10.0, since: int | None = None) -> str:
        """The next typing action's name."""
        event = await self._wait(lambda e: e.kind is EventKind.TYPING, "a typing action", within, since)
        return event.text

    async def expect_notice(self, *, within: float = 10.0, since: int | None = None) -> str:
        """The next answer to a pressed button (Telegram); empty where the spinner was only stopped."""
        event = await self._wait(lambda e: e.kind is EventKind.NOTICE, "an answer to a button", within, since)
        return event.text

    async def expect_status(self, message: Message, status: str, *, within: float = 10.0) -> Message:
        """This WhatsApp message once it has the status (at once where it had it already)."""

        def accept(event: Event) -> bool:
            return event.message is not None and event.message.id == message.id and event.message.status == status

        event = await self._wait(accept, f"status {status} of {message.id}", within, 0)
        assert event.message is not None
        return event.message

    async def _wait(self, accept: Callable[[Event], bool], what: str, within: float, since: int | None) -> Event:
        start = self._read if since is None else since
        try:
            async with asyncio.timeout(within):
                event = await self.conversation.wait(accept, start)
        except TimeoutError:
            raise NothingCame(
                f"{what} did not come to {self.name} within {within:g} s of event {start}:\n"
                f"{self.conversation.render()}"
            ) from None
        self._read = max(self._read, event.number)
        return event


def _matcher(match: Match) -> Callable[[Message], bool]:
    if match is None:
        return lambda message: True
    if isinstance(match, str):
        return lambda message: match in message.text
    if isinstance(match, re.Pattern):
        return lambda message: match.search(message.text) is not None
    return match
