"""Telegram's flood control: about 30 messages a second overall, and one a second in a chat with short bursts above."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.telegram.arguments import ApiError


@dataclass(frozen=True, slots=True)
class FloodLimits:
    """Messages a second, and how many may come at once before that counts. Defaults as the Bot FAQ gives them."""

    overall_per_second: float = 30.0
    overall_burst: int = 30
    chat_per_second: float = 1.0
    chat_burst: int = 5


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float

    def fill(self, rate: float, burst: int, now: float) -> None:
        self.tokens = min(burst, self.tokens + (now - self.filled_at) * rate)
        self.filled_at = now


class FloodControl:
    """Counts what is sent; off while ``limits`` is None. ``monotonic``: seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.limits: FloodLimits | None = None
        self.refused = 0
        self._monotonic = monotonic
        self._overall: _Bucket | None = None
        self._chats: dict[int, _Bucket] = {}

    def count(self, chat: int) -> None:
        """Counts one message to this chat, or raises the 429 with the seconds to wait."""
        limits = self.limits
        if limits is None:
            return
        now = self._monotonic()
        if self._overall is None:
            self._overall = _Bucket(limits.overall_burst, now)
        own = self._chats.setdefault(chat, _Bucket(limits.chat_burst, now))
        self._overall.fill(limits.overall_per_second, limits.overall_burst, now)
        own.fill(limits.chat_per_second, limits.chat_burst, now)
        wait = max(
            (1 - self._overall.tokens) / limits.overall_per_second, (1 - own.tokens) / limits.chat_per_second, 0.0
        )
        if wait > 0:
            self.refused += 1
            raise too_many_requests(math.ceil(wait))
        self._overall.tokens -= 1
        own.tokens -= 1


def too_many_requests(retry_after: int) -> ApiError:
    return ApiError(429, f"Too Many Requests: retry after {retry_after}", retry_after)
