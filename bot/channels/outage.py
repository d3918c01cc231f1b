"""Tells a provider's outage from the failure of one message.

A message that keeps failing while others pass is given up on in the end; but when nothing passes, the provider is
down, and no message may die of that, however long it takes.
"""

import random

from runtime.backoff import Backoff
from runtime.outbox import RetryLater

_WAITS = Backoff(first=0.5, factor=2.0, ceiling=30.0)


class OutageWatch:
    """``threshold``: so many failures in a row, without a success between them, are an outage."""

    def __init__(self, *, threshold: int = 3, backoff: Backoff = _WAITS, chance: random.Random | None = None) -> None:
        self._threshold = threshold
        self._backoff = backoff
        self._chance = chance or random.Random()
        self._failures = 0

    @property
    def is_out(self) -> bool:
        return self._failures >= self._threshold

    def note_success(self) -> None:
        self._failures = 0

    def note_failure(self) -> RetryLater | None:
        """The pause to make for everybody during an outage; None while it is the message's own failure."""
        self._failures += 1
        if not self.is_out:
            return None
        return RetryLater(self._backoff.seconds(self._failures - self._threshold + 1, self._chance), whole_channel=True)
