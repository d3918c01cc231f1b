"""Time and chance, passed in, so that a test can turn them."""

import asyncio
import secrets
import uuid
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where the present comes from. All instants are timezone-aware, in UTC."""

    def now(self) -> datetime: ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Ids(Protocol):
    """Where new identities come from."""

    def new(self, prefix: str) -> str:
        """A fresh id such as ``pay_3f2a…`` (prefix, underscore, 32 hex digits)."""
        ...

    def reference(self) -> str:
        """A fresh booking reference: six characters a person can read out, never 0, O, 1 or I."""
        ...


REFERENCE_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class SystemIds:
    """Ids from the operating system's randomness."""

    def new(self, prefix: str) -> str:
        return f"{prefix}_{uuid.uuid4().hex}"

    def reference(self) -> str:
        return "".join(secrets.choice(REFERENCE_ALPHABET) for _ in range(6))
