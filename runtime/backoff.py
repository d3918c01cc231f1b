"""How long to wait before the next attempt, and when to give up."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential waits with jitter, so that what failed together does not come back together.

    The wait after the n-th failure is between half of and the whole of ``first · factor^(n-1)`` seconds, at most
    ``ceiling``. After ``attempts`` failures it is over.
    """

    first: float = 1.0
    factor: float = 2.0
    ceiling: float = 300.0
    attempts: int = 8

    def seconds(self, failures: int, chance: random.Random) -> float:
        """The wait after that many failures (1 for the first)."""
        exponent = min(max(failures, 1) - 1, 64)  # beyond it only the ceiling counts, and floats end
        whole = min(self.ceiling, self.first * self.factor**exponent)
        return whole * (0.5 + chance.random() / 2)

    def is_over(self, failures: int) -> bool:
        return failures >= self.attempts
