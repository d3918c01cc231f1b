"""What was given up on: one value for facts, letters and jobs, so that one list can show all three."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from runtime.errors import LayoverError


class Origin(StrEnum):
    INBOX = "inbox"
    OUTBOX = "outbox"
    JOBS = "jobs"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """``id``: unique within its origin. ``name``: topic, channel or job name. ``lane``: empty for jobs."""

    origin: Origin
    id: str
    name: str
    lane: str
    payload: dict[str, Any]
    attempts: int
    error: str
    died_at: datetime


class NoDeadLetter(LayoverError):
    """There is no dead letter of that id; another operator may have replayed it."""

    def __init__(self, origin: Origin, letter_id: str) -> None:
        super().__init__(f"No dead letter {letter_id} in {origin}. List them again: it may have been replayed.")
        self.origin = origin
        self.letter_id = letter_id


def describe(error: BaseException) -> str:
    """Class and message, short enough for a row and free of what a database refuses (NUL)."""
    text = f"{type(error).__name__}: {error}".replace("\x00", "�")
    return text if len(text) <= 500 else text[:499] + "…"
