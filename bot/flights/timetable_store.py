"""The sample airline's orders, kept for good. One row a booking; each change is an insert or an update that only one
of several callers at once can win, and the others then read what it did."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.flights.model import Offer, OrderState
from bot.flights.tables import timetable_orders as orders
from runtime.database import Transaction

OrderRow = sa.RowMapping


async def insert(
    tx: Transaction, booking_id: str, offer: Offer, state: OrderState, held_until: datetime | None, now: datetime
) -> bool:
    """A new order. False where the booking has one already; that one is left as it is."""
    dialect_insert: Any = sqlite.insert if tx.is_sqlite else postgresql.insert
    statement = dialect_insert(orders).values(
        booking_id=booking_id,
        offer_id=offer.id,
        passengers=offer.party.size,
        state=state.value,
        held_until=held_until,
        created_at=now,
        changed_at=now,
    )
    result = await tx.execute(statement.on_conflict_do_nothing(index_elements=[orders.c.booking_id]))
    return bool(result.rowcount)


async def move(tx: Transaction, booking_id: str, *, source: OrderState, target: OrderState, now: datetime) -> bool:
    """From one state to another. False where it was no longer in the first."""
    statement = (
        sa.update(orders)
        .where(orders.c.booking_id == booking_id, orders.c.state == source.value)
        .values(state=target.value, changed_at=now)
    )
    result = await tx.execute(statement)
    return bool(result.rowcount)


async def read(reader: Transaction | AsyncConnection, booking_id: str, *, lock: bool = False) -> OrderRow | None:
    """The booking's row. ``lock``: nobody else changes it until this transaction ends (SQLite has one writer)."""
    statement = sa.select(orders).where(orders.c.booking_id == booking_id)
    if lock:
        statement = statement.with_for_update()
    result = await reader.execute(statement)
    return result.mappings().one_or_none()
