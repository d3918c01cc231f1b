"""What has served its purpose is forgotten after its time, and not before; what was paid is kept for good."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import sqlalchemy as sa

from bot import tables as bot_tables
from bot.conversation import store
from bot.conversation.session import Session
from bot.documents import Document, Documents
from bot.flights.model import Cabin, Party, Place, PlaceKind, SearchRequest
from bot.upkeep import Upkeep
from runtime import tables as runtime_tables
from runtime.clock import SystemClock
from runtime.database import Database
from runtime.inbox import Inbox
from runtime.outbox import Outbox

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
CHAT = "telegram:1"


@dataclass
class HandClock(SystemClock):
    moment: datetime = NOON

    def now(self) -> datetime:
        return self.moment


async def test_everything_is_kept_for_its_time_and_no_longer(database: Database) -> None:
    async with database.engine.begin() as connection:
        for metadata in (runtime_tables.metadata, bot_tables.metadata):
            await connection.run_sync(metadata.create_all)
    clock = HandClock()
    inbox, outbox, documents = Inbox(clock), Outbox(clock), Documents(database)
    upkeep = Upkeep(database, inbox, outbox, documents, clock)
    await _fill(database, inbox, outbox, documents)

    assert await _left_after(timedelta(days=1), clock, upkeep, database) == {
        "bookings": {"paid", "unpaid"},
        "documents": {"qr", "ticket"},
        "inbox": {"handled", "dead", "waiting"},
        "outbox": {"sent", "dead", "waiting"},
        "searches": {"found", "open"},
        "sessions": {CHAT},
    }
    assert await _left_after(timedelta(days=31), clock, upkeep, database) == {
        "bookings": {"paid", "unpaid"},
        "documents": {"ticket"},
        "inbox": {"dead", "waiting"},
        "outbox": {"dead", "waiting"},
        "searches": {"open"},
        "sessions": {CHAT},
    }
    assert await _left_after(timedelta(days=91), clock, upkeep, database) == {
        "bookings": {"paid"},
        "documents": {"ticket"},
        "inbox": {"waiting"},
        "outbox": {"waiting"},
        "searches": {"open"},
        "sessions": set(),
    }


async def _fill(database: Database, inbox: Inbox, outbox: Outbox, documents: Documents) -> None:
    """One row of each kind, by its name, all of noon."""
    place = Place("LON", "London", PlaceKind.CITY, "GB", ("LHR",))
    async with database.transaction() as tx:
        for name in ("handled", "dead", "waiting"):
            await inbox.put(tx, topic="chat", source="test", external_id=name, lane=CHAT, payload={})
        for name in ("sent", "dead", "waiting"):
            await outbox.post(tx, lane=CHAT, payload={}, slot=name)
        for table, name in ((runtime_tables.inbox, "external_id"), (runtime_tables.outbox, "slot")):
            done = "handled_at" if "handled_at" in table.c else "sent_at"
            for value, column in (("handled", done), ("sent", done), ("dead", "dead_at")):
                await tx.execute(table.update().where(table.c[name] == value).values({column: NOON}))
        for search in ("found", "open"):
            request = SearchRequest(place, place, date(2026, 12, 1), None, Party(), Cabin.ECONOMY)
            await store.add_search(tx, search, CHAT, request, NOON)
        await store.finish_search(tx, "found", [], NOON)
        await store.save_session(tx, CHAT, Session(), NOON)
        await documents.put(tx, Document("qr", CHAT, "payment.png", "image/png", b"png", NOON))
        await documents.put(tx, Document("ticket", CHAT, "ticket.pdf", "application/pdf", b"pdf", NOON, booking="paid"))
        for state in ("paid", "unpaid"):
            row = {"id": state, "reference": state, "chat": CHAT, "state": state, "created_at": NOON}
            await tx.execute(bot_tables.bookings.insert().values(**row, offer={}, travellers={}, contact={}))


async def _left_after(time: timedelta, clock: HandClock, upkeep: Upkeep, database: Database) -> dict[str, set[str]]:
    clock.moment = NOON + time
    await upkeep.tidy()
    columns = (
        bot_tables.bookings.c.id,
        bot_tables.documents.c.id,
        runtime_tables.inbox.c.external_id,
        runtime_tables.outbox.c.slot,
        bot_tables.searches.c.id,
        bot_tables.sessions.c.chat,
    )
    async with database.snapshot() as connection:
        return {column.table.name: set((await connection.scalars(sa.select(column))).all()) for column in columns}
