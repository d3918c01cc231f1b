"""A clock that a test can turn, for what the companies measure in hours (WhatsApp's 24-hour window)."""

from datetime import UTC, datetime, timedelta


class SandboxClock:
    """The time of day in UTC, plus how far it was turned."""

    def __init__(self) -> None:
        self._turned = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._turned

    def advance(self, by: timedelta) -> None:
        self._turned += by
