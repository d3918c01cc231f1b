"""Fetches updates from Telegram and writes them down before it lets Telegram forget them.

Asking from ``n + 1`` on confirms everything up to ``n``, and Telegram forgets it. A batch is stored in one
transaction, and only the next question confirms it; what a crash makes Telegram say again is absorbed by the inbox.
"""

import random
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec
import structlog

from bot.channels.codec import CHAT, dump_inbound
from bot.channels.delivery import post_message
from bot.channels.metrics import ChannelMetrics
from bot.channels.model import Channel, ChatId, Inbound, Outbound
from bot.channels.telegram.errors import (
    TelegramConflict,
    TelegramError,
    TelegramFlood,
    TelegramRefused,
    TelegramTokenRefused,
)
from bot.channels.telegram.updates import group_joined, inbound_from_update
from bot.channels.text import text
from runtime.backoff import Backoff
from runtime.clock import Clock
from runtime.database import Database
from runtime.inbox import Inbox
from runtime.leases import Lease, LeaseLost, Leases, fenced
from runtime.outbox import Outbox

log = structlog.get_logger()

OUTAGE = 3  # polls that failed in a row: not one that was lost, but Telegram
_NOT_IN_GROUPS = "I can only book trips in a private chat, because they hold personal details. Write to me there."


class UpdateSource(Protocol):
    """The calls a poller makes; ``TelegramClient`` has them."""

    @property
    def bot_id(self) -> int: ...

    async def get_updates(self, offset: int | None, wait_seconds: int) -> list[Any]: ...

    async def delete_webhook(self) -> None: ...

    async def set_commands(self, commands: Sequence[tuple[str, str]]) -> None: ...


class TelegramPoller:
    """A service. Of several processes only one polls at a time: Telegram answers a second one with 409.

    ``last_poll_at``, ``trouble`` and ``details`` tell how it stands with Telegram.
    """

    name = "telegram.poller"

    def __init__(
        self,
        client: UpdateSource,
        database: Database,
        inbox: Inbox,
        outbox: Outbox,
        clock: Clock,
        leases: Leases,
        metrics: ChannelMetrics,
        *,
        commands: Sequence[tuple[str, str]],
        wait_seconds: int = 30,
        backoff: Backoff = Backoff(first=1, ceiling=30),  # noqa: B008 - a frozen value
        chance: random.Random | None = None,
    ) -> None:
        self._client = client
        self._database = database
        self._inbox = inbox
        self._outbox = outbox
        self._clock = clock
        self._leases = leases
        self._metrics = metrics
        self._commands = commands
        self._wait_seconds = wait_seconds
        self._backoff = backoff
        self._chance = chance or random.Random()
        self._source = f"telegram:{client.bot_id}"  # update ids are the bot's own
        self._offset: int | None = None
        self._introduced = False
        self.last_poll_at: datetime | None = None
        self._failures = 0  # in a row
        self._error: TelegramError | None = None

    @property
    def trouble(self) -> str | None:
        """Why polling does not work at the moment, and what to do about it."""
        return None if self._error is None else str(self._error)

    @property
    def is_well(self) -> bool:
        """One poll may fail; several in a row are an outage."""
        return self._failures < OUTAGE

    def details(self) -> dict[str, str | None]:
        """For GET /health, which is public: what went wrong is told by its class."""
        return {
            "last_poll_at": self.last_poll_at.isoformat(timespec="seconds") if self.last_poll_at else None,
            "trouble": type(self._error).__name__ if self._error else None,
        }

    async def run(self) -> None:
        """Poll until cancelled. Raises ``TelegramTokenRefused``, and whatever the database raises."""
        while True:
            try:
                await self._leases.hold(f"poll.{self._source}", self._poll)
            except LeaseLost as error:
                log.warning("telegram_polling_handed_over", error=str(error))

    async def _poll(self, lease: Lease) -> None:
        while True:
            try:
                await self._introduce()
                await self.poll_once(lease)
                self._failures, self._error = 0, None
            except TelegramTokenRefused as error:
                self._note_trouble(error)
                raise
            except TelegramError as error:
                self._failures += 1
                self._note_trouble(error)
                await self._clock.sleep(await self._pause_after(error))

    async def poll_once(self, lease: Lease) -> int:
        """Fetch one batch, store it, and move on: how many updates. Raises ``TelegramError`` or ``LeaseLost``."""
        updates = await self._client.get_updates(self._offset, self._wait_seconds)
        now = self._clock.now()
        self.last_poll_at = now
        self._metrics.last_poll.labels(Channel.TELEGRAM).set(now.timestamp())
        if updates:
            await self._store(updates, now, lease)
        # It only has to confirm this batch. Kept for longer it would confirm, unread, what Telegram numbers lower
        # after a week without updates: https://core.telegram.org/bots/api#update
        self._offset = max(_update_id(update) for update in updates) + 1 if updates else None
        return len(updates)

    async def _store(self, updates: Sequence[Any], now: datetime, lease: Lease) -> None:
        new = 0
        async with self._database.transaction() as tx:
            await fenced(tx, lease)
            for update in updates:
                inbound, group = self._read(update, now)
                if inbound is not None:
                    new += await self._inbox.put(
                        tx,
                        topic=CHAT,
                        source=self._source,
                        external_id=str(_update_id(update)),
                        lane=str(inbound.chat),
                        payload=dump_inbound(inbound),
                    )
                elif group is not None:
                    await post_message(self._outbox, tx, Outbound(group, text(_NOT_IN_GROUPS)))
        self._metrics.received.labels(Channel.TELEGRAM).inc(new)

    def _read(self, update: Any, now: datetime) -> tuple[Inbound | None, ChatId | None]:
        try:
            return inbound_from_update(update, now), group_joined(update)
        except msgspec.ValidationError as error:
            log.warning("telegram_update_unreadable", update_id=_update_id(update), error=str(error))
            self._metrics.refused.labels(Channel.TELEGRAM, "unreadable").inc()
            return None, None

    async def _introduce(self) -> None:
        if self._introduced:
            return
        try:
            await self._client.set_commands(self._commands)
        except TelegramRefused as error:
            log.warning("telegram_commands_refused", reason=error.reason)
        self._introduced = True

    async def _pause_after(self, error: TelegramError) -> float:
        if isinstance(error, TelegramFlood):
            return error.seconds
        if isinstance(error, TelegramConflict) and error.webhook_is_set:
            try:
                await self._client.delete_webhook()
                log.warning("telegram_webhook_removed")
            except TelegramError as again:
                self._note_trouble(again)
        return self._backoff.seconds(self._failures, self._chance)

    def _note_trouble(self, error: TelegramError) -> None:
        self._error = error
        self._metrics.failed.labels(Channel.TELEGRAM, type(error).__name__).inc()
        log.warning("telegram_poll_failed", error=str(error))


def _update_id(update: Any) -> int:
    """-1 for an update without one: Telegram sends none like that, and it must not stop the others."""
    found = update.get("update_id") if isinstance(update, dict) else None
    return found if isinstance(found, int) else -1
