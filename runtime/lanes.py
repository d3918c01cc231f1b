"""Works many lanes at once, each lane by one task at a time. The common engine of inbox and outbox.

Work is found in the database; a wake-up only says "look now". What nobody announced (another process wrote it, or
a wait is over) is found by looking again after ``poll_seconds``.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class InLane(Protocol):
    @property
    def lane(self) -> str: ...


Head = TypeVar("Head", bound=InLane)


class WakeUps:
    """Tells whoever works a topic's lanes that something came. In process only; polling covers the rest."""

    def __init__(self) -> None:
        self._listeners: dict[str, list[Callable[[str], None]]] = {}

    def wake(self, topic: str, lane: str) -> None:
        for listener in self._listeners.get(topic, ()):
            listener(lane)

    def listen(self, topic: str, listener: Callable[[str], None]) -> Callable[[], None]:
        """Start listening; call what is returned to end it."""
        listeners = self._listeners.setdefault(topic, [])
        listeners.append(listener)
        return lambda: listeners.remove(listener)


@dataclass(frozen=True, slots=True)
class Found(Generic[Head]):
    """The first waiting item of each lane that can be worked now; seconds until the next one can, if known."""

    heads: Sequence[Head]
    next_in: float | None = None


class LaneLoop(Generic[Head]):
    """``find(limit)`` looks for the heads of lanes, at most that many; ``work(head)`` works one lane from there on.

    ``work`` returns True when it left something waiting, so that the loop learns when to come back. An error of
    ``work`` ends the loop: what belongs to one item is dealt with inside.
    """

    def __init__(
        self,
        find: Callable[[int], Awaitable[Found[Head]]],
        work: Callable[[Head], Awaitable[bool]],
        *,
        concurrency: int,
        poll_seconds: float,
    ) -> None:
        self._find = find
        self._work = work
        self._concurrency = concurrency
        self._poll_seconds = poll_seconds
        self._look = asyncio.Event()
        self._busy: set[str] = set()
        self._woken: set[str] = set()
        self._crowded = False  # lanes may be waiting for a place
        self._stopping = False

    @property
    def stopping(self) -> bool:
        return self._stopping

    def wake(self, lane: str) -> None:
        self._woken.add(lane)
        self._look.set()

    def stop(self) -> None:
        """Begin no more; ``run`` returns when what is being worked is done."""
        self._stopping = True
        self._look.set()

    async def run(self) -> None:
        self._stopping = False
        self._busy.clear()
        async with asyncio.TaskGroup() as group:
            while not self._stopping:
                self._look.clear()
                self._woken &= self._busy
                pause = await self._begin(group)
                try:
                    async with asyncio.timeout(pause):
                        await self._look.wait()
                except TimeoutError:
                    pass

    async def _begin(self, group: asyncio.TaskGroup) -> float:
        """Start work on every lane that has some and a place; seconds to wait before looking again."""
        places = self._concurrency - len(self._busy)
        self._crowded = places <= 0
        if self._crowded:
            return self._poll_seconds
        found = await self._find(places + len(self._busy))
        free = [head for head in found.heads if head.lane not in self._busy]
        self._crowded = len(free) > places or len(found.heads) >= self._concurrency
        if not self._stopping:
            for head in free[:places]:
                self._busy.add(head.lane)
                group.create_task(self._work_lane(head))
        return self._poll_seconds if found.next_in is None else max(0.0, min(self._poll_seconds, found.next_in))

    async def _work_lane(self, head: Head) -> None:
        look_again = True
        try:
            look_again = await self._work(head)
        finally:
            self._busy.discard(head.lane)
            if look_again or self._crowded or head.lane in self._woken:
                self._look.set()
