"""Checks what reaches the fakes, and what they answer, against the published schemas where a folder with them is named.

The folder (environment variable ``LAYOVER_SPECS``) holds ``telegram-bot-api-10.1.json`` and
``twilio-api-v2010.json``. Without it nothing is checked and ``Specs.checked`` says so.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from sandbox.schemas.telegram import TelegramSchema
from sandbox.schemas.twilio import TwilioSchema

VARIABLE = "LAYOVER_SPECS"
TELEGRAM_FILE = "telegram-bot-api-10.1.json"
TWILIO_FILE = "twilio-api-v2010.json"


@dataclass(frozen=True, slots=True)
class Violation:
    """``side``: ``request`` (the client's fault) or ``answer`` (the fake's own). ``field``: a dotted path."""

    server: str
    side: str
    operation: str
    field: str
    problem: str

    def __str__(self) -> str:
        return f"{self.server} {self.operation} ({self.side}): {self.field}: {self.problem}"


class SpecsMissing(Exception):
    """The folder named for the schemas does not hold them."""


class SchemaViolated(AssertionError):
    """A request or an answer broke the published schema."""


@dataclass
class Specs:
    """The schemas (read at the first use) and the violations that were seen."""

    comparisons: ClassVar[int] = 0  # of this process, for a test run's closing word

    folder: Path | None = None
    violations: list[Violation] = field(default_factory=list)

    @classmethod
    def from_environment(cls) -> "Specs":
        """Raises ``SpecsMissing`` where the folder is named but a schema is not in it."""
        named = os.environ.get(VARIABLE)
        if not named:
            return cls()
        folder = Path(named)
        missing = [name for name in (TELEGRAM_FILE, TWILIO_FILE) if not (folder / name).is_file()]
        if missing:
            raise SpecsMissing(f"{VARIABLE} names {folder}, which has no {' and no '.join(missing)}")
        return cls(folder)

    @property
    def checked(self) -> bool:
        """Whether anything is checked at all."""
        return self.folder is not None

    def require_none(self) -> None:
        """Raises ``SchemaViolated`` with the list where anything broke a schema."""
        if self.violations:
            raise SchemaViolated("\n".join(str(violation) for violation in self.violations))

    def telegram_request(self, method: str, values: dict[str, object], files: Sequence[str]) -> None:
        if self.checked:
            self._note("telegram", "request", method, self._telegram.check_call(method, values, files))

    def telegram_answer(self, method: str, result: object) -> None:
        if self.checked:
            self._note("telegram", "answer", method, self._telegram.check_result(method, result))

    def twilio_request(self, method: str, path: str, form: Sequence[tuple[str, str]]) -> None:
        if self.checked:
            self._note("twilio", "request", f"{method} {path}", self._twilio.check_request(method, path, form))

    def twilio_answer(self, method: str, path: str, status: int, body: object) -> None:
        if self.checked:
            self._note("twilio", "answer", f"{method} {path}", self._twilio.check_answer(method, path, status, body))

    def _note(self, server: str, side: str, operation: str, problems: Sequence[tuple[str, str]]) -> None:
        Specs.comparisons += 1
        self.violations.extend(Violation(server, side, operation, where, problem) for where, problem in problems)

    @cached_property
    def _telegram(self) -> TelegramSchema:
        return TelegramSchema(self._read(TELEGRAM_FILE))

    @cached_property
    def _twilio(self) -> TwilioSchema:
        return TwilioSchema(self._read(TWILIO_FILE))

    def _read(self, name: str) -> Any:
        assert self.folder is not None
        return json.loads((self.folder / name).read_bytes())
