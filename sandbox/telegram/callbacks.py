"""Pressed buttons: callback queries that wait for their answer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from sandbox.telegram.arguments import Arguments, bad_request
from sandbox.telegram.chats import Chat
from sandbox.transcript import EventKind

_TOO_OLD = "query is too old and response timeout expired or query ID is invalid"
_TEXT_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Query:
    id: str
    chat: Chat
    data: str
    at: datetime


@dataclass(slots=True)
class Callbacks:
    """``lifetime``: how long after the press Telegram takes an answer."""

    clock: Callable[[], datetime]
    lifetime: timedelta = timedelta(minutes=15)
    open: dict[str, Query] = field(default_factory=dict)
    _ids: "count[int]" = field(default_factory=lambda: count(4_711_000_000_000_001))

    def press(self, chat: Chat, data: str) -> Query:
        query = Query(str(next(self._ids)), chat, data, self.clock())
        self.open[query.id] = query
        return query

    async def answer(self, arguments: Arguments) -> bool:
        """answerCallbackQuery: once for each press, and in time."""
        query = self.open.get(arguments.string("callback_query_id") or "")
        if query is None or self.clock() - query.at > self.lifetime:
            raise bad_request(_TOO_OLD)
        text = arguments.string("text") or ""
        if len(text) > _TEXT_LIMIT:
            raise bad_request("MESSAGE_TOO_LONG")
        del self.open[query.id]
        query.chat.conversation.record(EventKind.NOTICE, text=text)
        return True
