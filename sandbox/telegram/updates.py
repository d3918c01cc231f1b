"""The queue of updates behind getUpdates: confirmed by offset, long polled by one poller at a time."""

import asyncio
from collections import deque
from itertools import count

from sandbox.telegram.arguments import ApiError

Update = dict[str, object]

_LONGEST_POLL = 50  # seconds; Telegram cuts a longer timeout down
_MOST = 100
_OPT_IN = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
_TAKEN_OVER = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"


class Updates:
    def __init__(self) -> None:
        self.allowed: list[str] = []  # empty: all but those that must be asked for
        self._ids = count(100_000_001)
        self._pending: deque[Update] = deque()
        self._again: list[Update] = []
        self._log: dict[int, Update] = {}
        self._poller: asyncio.Future[None] | None = None
        self._polled = asyncio.Event()

    @property
    def pending(self) -> int:
        return len(self._pending)

    def put(self, kind: str, content: dict[str, object]) -> int | None:
        """Queues an update and returns its id; None where the bot did not ask for this kind."""
        if (self.allowed and kind not in self.allowed) or (not self.allowed and kind in _OPT_IN):
            return None
        update_id = next(self._ids)
        update: Update = {"update_id": update_id, kind: content}
        self._log[update_id] = update
        self._pending.append(update)
        self._wake()
        return update_id

    def number_from(self, update_id: int) -> None:
        """The next update has this id: after a week without any, Telegram goes on from a random one."""
        self._ids = count(update_id)

    def put_again(self, update_id: int) -> None:
        """Delivers an earlier update once more, whatever the offset. KeyError for an id that never was."""
        self._again.append(self._log[update_id])
        self._wake()

    def drop_pending(self) -> None:
        self._pending.clear()

    async def polled(self) -> None:
        """Returns when a long poll waits: the bot is up and has taken all there was."""
        await self._polled.wait()

    def release(self, description: str) -> None:
        """Ends a poll that waits, with a conflict."""
        if self._poller is not None and not self._poller.done():
            self._poller.set_exception(ApiError(409, description))

    async def get(self, offset: int, limit: int, seconds: int) -> list[Update]:
        """``offset`` confirms every update before it; a negative one keeps only so many of the last.

        A poll that is still waiting ends with 409 when another comes: the newer one wins, as on Telegram.
        """
        self._confirm(offset)
        self.release(_TAKEN_OVER)
        if not self._pending and not self._again and seconds > 0:
            poller = self._poller = asyncio.get_running_loop().create_future()
            self._polled.set()
            try:
                async with asyncio.timeout(min(seconds, _LONGEST_POLL)):
                    await poller
            except TimeoutError:
                return []
            finally:
                if self._poller is poller:
                    self._poller = None
                    self._polled.clear()
        return self._batch(min(limit, _MOST) if limit > 0 else _MOST)

    def _batch(self, limit: int) -> list[Update]:
        again, self._again = self._again, []
        return (again + list(self._pending))[: max(limit, len(again))]

    def _confirm(self, offset: int) -> None:
        if offset < 0:
            while len(self._pending) > -offset:
                self._pending.popleft()
        while self._pending and int(str(self._pending[0]["update_id"])) < offset:
            self._pending.popleft()

    def _wake(self) -> None:
        if self._poller is not None and not self._poller.done():
            self._poller.set_result(None)
