"""Bookings in the database: all of their SQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.booking import Booking, BookingState
from bot.flights.codec import dump, dump_all, load, load_all
from bot.flights.model import Contact, Offer, Order, Traveller
from bot.tables import bookings
from runtime.database import Transaction


async def insert(tx: Transaction, booking: Booking) -> None:
    await tx.execute(
        bookings.insert().values(
            id=booking.id,
            reference=booking.reference,
            chat=booking.chat,
            state=booking.state,
            offer=dump(booking.offer),
            travellers=dump_all(booking.travellers),
            contact=dump(booking.contact),
            created_at=booking.created_at,
        )
    )


async def mark_paid(tx: Transaction, booking_id: str, payment_id: str) -> bool:
    """The first payment that pays a booking makes it paid; False for any other one."""
    result = await tx.execute(
        bookings.update()
        .where(bookings.c.id == booking_id, bookings.c.state == BookingState.UNPAID)
        .values(state=BookingState.PAID, payment_id=payment_id)
    )
    return result.rowcount == 1


async def mark_ticketed(tx: Transaction, booking_id: str, order: Order, at: datetime) -> bool:
    """False when that was written before."""
    result = await tx.execute(
        bookings.update()
        .where(bookings.c.id == booking_id, bookings.c.state == BookingState.PAID)
        .values(state=BookingState.TICKETED, order=dump(order), ticketed_at=at)
    )
    return result.rowcount == 1


async def mark_refused(tx: Transaction, booking_id: str) -> bool:
    result = await tx.execute(
        bookings.update()
        .where(bookings.c.id == booking_id, bookings.c.state == BookingState.PAID)
        .values(state=BookingState.REFUSED)
    )
    return result.rowcount == 1


async def forget_unpaid(tx: Transaction, before: datetime, limit: int) -> int:
    """Bookings of before then that nobody paid, with the names in them; their payments stay. How many went."""
    old = (
        sa.select(bookings.c.id)
        .where(bookings.c.created_at < before, bookings.c.state == BookingState.UNPAID)
        .order_by(bookings.c.created_at)
        .limit(limit)
    )
    return (await tx.execute(sa.delete(bookings).where(bookings.c.id.in_(old)))).rowcount


async def get(connection: AsyncConnection, booking_id: str) -> Booking | None:
    return await _one(connection, bookings.c.id == booking_id)


async def by_reference(connection: AsyncConnection, reference: str) -> Booking | None:
    return await _one(connection, bookings.c.reference == reference)


async def of_chat(connection: AsyncConnection, chat: str, limit: int = 10) -> Sequence[Booking]:
    """The chat's bookings that were paid for, newest first."""
    rows = await connection.execute(
        sa.select(bookings)
        .where(bookings.c.chat == chat, bookings.c.state != BookingState.UNPAID)
        .order_by(bookings.c.created_at.desc(), bookings.c.id)
        .limit(limit)
    )
    return [_booking(row) for row in rows]


async def standings(connection: AsyncConnection) -> Mapping[str, tuple[BookingState, str | None]]:
    """Each booking's state, and which payment paid it."""
    rows = await connection.execute(sa.select(bookings.c.id, bookings.c.state, bookings.c.payment_id))
    return {row.id: (BookingState(row.state), row.payment_id) for row in rows}


async def _one(connection: AsyncConnection, condition: sa.ColumnElement[bool]) -> Booking | None:
    row = (await connection.execute(sa.select(bookings).where(condition))).first()
    return None if row is None else _booking(row)


def _booking(row: sa.Row[Any]) -> Booking:
    return Booking(
        id=row.id,
        reference=row.reference,
        chat=row.chat,
        state=BookingState(row.state),
        offer=load(Offer, row.offer),
        travellers=load_all(Traveller, row.travellers),
        contact=load(Contact, row.contact),
        created_at=row.created_at,
        payment_id=row.payment_id,
        order=None if row.order is None else load(Order, row.order),
        ticketed_at=row.ticketed_at,
    )
