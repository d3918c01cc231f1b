"""A session that this release cannot read: its traveller is told, begins again, and is not silenced for good."""

import sqlalchemy as sa
import structlog

from bot import tables
from bot.channels.codec import dump_inbound, load_outbound
from bot.channels.model import ChatId, Inbound
from bot.channels.text import plain
from bot.conversation.agent import Agent
from bot.conversation.store import load_session
from bot.documents import Documents
from bot.flights.places import Gazetteer
from payments.checkout import Checkout
from payments.evidence import Evidence
from payments.payment import Payment
from runtime import tables as runtime_tables
from runtime.clock import SystemClock, SystemIds
from runtime.database import Database, Transaction
from runtime.inbox_store import Fact
from runtime.outbox import Outbox
from tests.e2e.talk import PAYING

CHAT = ChatId.parse("telegram:1")


class Nobody:
    """Follows no payment: there is none here."""

    async def changed(self, tx: Transaction, before: Payment, after: Payment, reason: str) -> None:
        raise AssertionError("nothing is paid here")


async def test_an_unreadable_session_begins_again_with_a_word_and_an_alarm(database: Database) -> None:
    async with database.engine.begin() as connection:
        for metadata in (runtime_tables.metadata, tables.metadata):
            await connection.run_sync(metadata.create_all)
    clock = SystemClock()
    agent = Agent(
        clock=clock,
        ids=SystemIds(),
        outbox=Outbox(clock),
        documents=Documents(database),
        checkout=Checkout({}, Evidence(clock, Nobody()), clock, SystemIds(), lambda: None),
        gazetteer=Gazetteer.load(),
        paying=PAYING,
        wake_search=lambda: None,
    )
    async with database.transaction() as tx:
        written = {"stage": "of another release", "choices": 7}
        await tx.execute(tables.sessions.insert().values(chat=str(CHAT), session=written, updated_at=clock.now()))
    with structlog.testing.capture_logs() as lines:
        for number, words in enumerate(("hello", "lagos to paris")):
            said = dump_inbound(Inbound(CHAT, clock.now(), text=words))
            async with database.transaction() as tx:
                fact = Fact(number, "chat", "telegram", str(number), str(CHAT), said, clock.now(), 0)
                await agent.handle(tx, fact)
    async with database.snapshot() as connection:
        rows = await connection.execute(sa.select(runtime_tables.outbox.c.payload).order_by(runtime_tables.outbox.c.id))
        told = [plain(load_outbound(payload).text) for (payload,) in rows]
        session = await load_session(connection, str(CHAT))
    assert told[0].startswith("I have lost the thread of our talk, so please begin again.")
    assert told[1].startswith("Hello, I am Layover.")
    assert told[2:] == ["Which day do you want to fly?"]
    assert session is not None
    assert session.draft.origin is not None
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["session_unreadable"]
