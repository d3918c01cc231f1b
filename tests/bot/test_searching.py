"""Searches are carried out one beside the other; what goes wrong with one is that one's alone."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime

import sqlalchemy as sa

from bot import tables as bot_tables
from bot.conversation import store
from bot.conversation.facts import ChatFacts
from bot.flights.model import Cabin, FlightSource, FlightSourceDown, Offer, Party, Place, PlaceKind, SearchRequest
from bot.searching import SearchService
from runtime import tables as runtime_tables
from runtime.cache import MemoryCache
from runtime.clock import SystemClock
from runtime.database import Database
from runtime.inbox import Inbox

LAGOS = Place("LOS", "Lagos", PlaceKind.CITY, "NG", ("LOS",))


class FaultySource:
    """Finds nothing; what is asked of some places it does not survive."""

    async def search(self, request: SearchRequest) -> Sequence[Offer]:
        match request.destination.code:
            case "BUG":
                raise ZeroDivisionError("a fault of the source's own")
            case "OFF":
                raise FlightSourceDown("no answer")
        return []


async def test_a_search_that_fails_is_told_to_its_traveller_and_stops_no_other(database: Database) -> None:
    async with database.engine.begin() as connection:
        for metadata in (runtime_tables.metadata, bot_tables.metadata):
            await connection.run_sync(metadata.create_all)
    clock = SystemClock()
    source: FlightSource = FaultySource()  # type: ignore[assignment]  # it searches, and nothing else
    service = SearchService(database, clock, source, ChatFacts(Inbox(clock)), MemoryCache())
    async with database.transaction() as tx:
        for number, code in enumerate(["BUG", "OFF", "old", "LON"]):
            there = Place(code, code, PlaceKind.CITY, "GB", (code,))
            request = SearchRequest(LAGOS, there, date(2026, 12, 1), None, Party(), Cabin.ECONOMY)
            at = datetime(2026, 11, 20, 12, number, tzinfo=UTC)
            await store.add_search(tx, code, f"telegram:{number}", request, at)
        searches = bot_tables.searches
        await tx.execute(searches.update().where(searches.c.id == "old").values(request={"v": 0}))

    assert await _answers(database, service) == {"BUG": "down", "OFF": "down", "old": "down", "LON": None}


async def _answers(database: Database, service: SearchService) -> dict[str, str | None]:
    """What the chats are told, once every search has an answer."""
    async with asyncio.TaskGroup() as group:
        running = group.create_task(service.run())
        async with asyncio.timeout(15):
            while True:
                async with database.snapshot() as connection:
                    told = (await connection.scalars(sa.select(runtime_tables.inbox.c.payload))).all()
                if len(told) == 4:
                    break
                await asyncio.sleep(0.01)
        running.cancel()
    return {payload["search_id"]: payload["failure"] for payload in told}
