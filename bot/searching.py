"""Carries out the searches that conversations have asked for, and tells them when the offers are there."""

import asyncio

import structlog

from bot.conversation import store
from bot.conversation.events import SearchFailure
from bot.conversation.facts import ChatFacts
from bot.flights.model import FlightSource, FlightSourceDown, FlightSourceError, Offer, SearchRequest
from runtime.cache import Cache
from runtime.clock import Clock
from runtime.database import Database, connection_lost

log = structlog.get_logger()

AT_ONCE = 8
A_MINUTE = 12  # searches a chat may make: each one costs at the source
POLL_SECONDS = 1.0  # another process may have stored one


class SearchService:
    """Searches are rows: one that was under way when the process died is simply searched again."""

    name = "flight_search"

    def __init__(self, database: Database, clock: Clock, source: FlightSource, facts: ChatFacts, cache: Cache) -> None:
        self._database = database
        self._clock = clock
        self._source = source
        self._facts = facts
        self._cache = cache
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """A search has been stored."""
        self._woken.set()

    async def run(self) -> None:
        while True:
            self._woken.clear()
            async with self._database.snapshot() as connection:
                waiting = await store.open_searches(connection, AT_ONCE)
            async with asyncio.TaskGroup() as group:
                for search_id, chat in waiting:
                    group.create_task(self._search_guarded(search_id, chat))
            if not waiting:
                await self._wait()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _search_guarded(self, search_id: str, chat: str) -> None:
        """One search that cannot be carried out holds up no other: its traveller is told, and may ask again."""
        try:
            await self._search(search_id, chat)
        except Exception as error:
            if connection_lost(error):  # no fault of the search: it waits until the database is back
                raise
            log.exception("search_failed", search_id=search_id)
            await self._finish(search_id, chat, [], SearchFailure.DOWN)

    async def _search(self, search_id: str, chat: str) -> None:
        async with self._database.snapshot() as connection:
            request = await store.request_of(connection, search_id)
        await self._finish(search_id, chat, *await self._ask(search_id, chat, request))

    async def _finish(self, search_id: str, chat: str, offers: list[Offer], failure: SearchFailure | None) -> None:
        async with self._database.transaction() as tx:
            if await store.finish_search(tx, search_id, offers, self._clock.now()):
                await self._facts.search_finished(tx, chat, search_id, failure)
        log.info("search_finished", search_id=search_id, offers=len(offers), failure=failure)

    async def _ask(self, search_id: str, chat: str, request: SearchRequest) -> tuple[list[Offer], SearchFailure | None]:
        if await self._cache.incr(f"searches:{chat}", ttl=60.0) > A_MINUTE:
            return [], SearchFailure.TOO_MANY
        try:
            return list(await self._source.search(request)), None
        except FlightSourceDown as error:
            log.warning("flight_source_down", search_id=search_id, why=str(error))
            return [], SearchFailure.DOWN
        except FlightSourceError as error:
            log.info("search_impossible", search_id=search_id, why=str(error))
            return [], SearchFailure.IMPOSSIBLE
