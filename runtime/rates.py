"""How often something may be done, kept by waiting beforehand."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """So many per second on average, and ``burst`` at once after a rest."""

    per_second: float
    burst: int = 1


@dataclass(frozen=True, slots=True)
class ChannelRates:
    """A channel's limits: all its lanes together, and each lane by itself. None: no limit."""

    overall: Rate | None = None
    per_lane: Rate | None = None


class Turnstile:
    """Gives out turns at a rate (the generic cell rate algorithm). Times are seconds of any one clock."""

    def __init__(self, rate: Rate | None) -> None:
        self._gap = 0.0 if rate is None else 1 / rate.per_second
        self._slack = 0.0 if rate is None else (rate.burst - 1) * self._gap
        self._next: float | None = None

    def wait(self, now: float) -> float:
        """Take the next turn; the seconds to wait for it."""
        turn = now if self._next is None else max(self._next, now)
        self._next = turn + self._gap
        return max(0.0, turn - self._slack - now)

    def is_rested(self, now: float) -> bool:
        """Whether it would not differ from a new one."""
        return self._next is None or self._next <= now
