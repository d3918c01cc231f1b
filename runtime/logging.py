"""Logs: structlog, as JSON lines or for a console, the libraries' own lines included, secrets taken out."""

import logging
import re
import sys
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN = "[hidden]"

# Keys that hold a secret, whole or as their last word: bot_token, but not token_symbol.
_SECRET_KEY = re.compile(
    r"(^|[_\-.])(token|secret|password|passwd|passphrase|mnemonic|seed|private_?key|api_?key|secret_?key|xprv"
    r"|authorization|cookie)$",
    re.IGNORECASE,
)
# Secrets that show by their form: a Telegram bot's token (it is part of every URL), passwords in URLs, bearer keys.
_SECRET_FORMS = (
    (re.compile(r"(?<!\d)\d{6,12}:[A-Za-z0-9_-]{30,}"), HIDDEN),
    (re.compile(r"(://[^/\s:@]*:)[^@\s/]+@"), rf"\1{HIDDEN}@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"\b(?:sk|rk|whsec)_[A-Za-z0-9_]{8,}"), HIDDEN),
)
_SHORTEST_SECRET = 6  # a shorter configured value would hide ordinary words


class Format(StrEnum):
    JSON = "json"
    CONSOLE = "console"


def configure_logging(
    *,
    form: Format = Format.JSON,
    level: str = "INFO",
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Send every line of the process through one formatter. Call once, at the start.

    ``secrets``: configured values that must never be shown, wherever in a line they are.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
        if form is Format.JSON
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                Redactor(secrets),
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    _route_libraries()


def _route_libraries() -> None:
    for name in ("aiogram", "aiohttp", "alembic", "asyncio", "dbos", "sqlalchemy"):
        library = logging.getLogger(name)
        library.handlers[:] = [logging.NullHandler()]  # dbos adds a handler of its own where it finds none
        library.propagate = True
    for name in ("aiohttp.access", "aiogram.event", "dbos", "sqlalchemy.engine"):
        logging.getLogger(name).setLevel(logging.WARNING)  # a line for each request or update says nothing new


class Redactor:
    """A processor that hides secrets: by key, by configured value, by form; at any depth."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        values = sorted({secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}, key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, values))) if values else None

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {key: self._clean(key, value) for key, value in event.items()}

    def _clean(self, key: str, value: Any) -> Any:
        if _SECRET_KEY.search(key) and value not in (None, "", 0) and not isinstance(value, bool):
            return HIDDEN
        if isinstance(value, str):
            return self.clean_text(value)
        if isinstance(value, Mapping):
            return {name: self._clean(str(name), inner) for name, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean("", inner) for inner in value]
        if isinstance(value, int | float | None):
            return value
        return self.clean_text(str(value))

    def clean_text(self, text: str) -> str:
        if self._values is not None:
            text = self._values.sub(HIDDEN, text)
        for form, replacement in _SECRET_FORMS:
            text = form.sub(replacement, text)
        return text
