"""What operators are alarmed by: a payment that was taken back, once, and when it healed."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
import structlog
from prometheus_client import CollectorRegistry

from bot import tables as bot_tables
from bot.conversation.facts import ChatFacts
from bot.metrics import BusinessMetrics
from bot.payment_news import PaymentNews
from payments.money import Coin, Money
from payments.payment import Method, Payment, Quote, State
from runtime import tables as runtime_tables
from runtime.clock import SystemClock
from runtime.database import Database
from runtime.inbox import Inbox
from runtime.jobs import Jobs

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


async def test_a_reversal_alarms_once_however_much_of_the_money_moves(database: Database) -> None:
    async with database.engine.begin() as connection:
        for metadata in (runtime_tables.metadata, bot_tables.metadata):
            await connection.run_sync(metadata.create_all)
    clock = SystemClock()
    news = PaymentNews(ChatFacts(Inbox(clock)), Jobs(database, clock), clock, BusinessMetrics(CollectorRegistry()))
    paid = Payment(
        id="pay_1",
        booking_id="bkg_1",
        chat="telegram:1",
        method=Method.CLAYER,
        state=State.COMPLETE,
        quote=Quote(Money(100, "USD"), Coin("CLAYER", 18), 100, "test", NOON),
        created_at=NOON,
        opened_at=NOON,
        expires_at=NOON,
        version=1,
        received=100,
        confirmed=100,
    )
    life = [
        paid,
        replace(paid, state=State.REVERSED, received=40, confirmed=0, version=2),
        replace(paid, state=State.REVERSED, received=60, confirmed=0, version=3),
        replace(paid, version=4),
    ]
    with structlog.testing.capture_logs() as lines:
        for before, after in pairwise(life):
            async with database.transaction() as tx:
                await news.changed(tx, before, after, "the chain")
    assert [(line["event"], line["payment_id"]) for line in lines] == [
        ("payment_reversed", "pay_1"),
        ("payment_healed", "pay_1"),
    ]
