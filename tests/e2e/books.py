"""What must be true in the database after a booking, however often its process died: told as a list of problems."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.session import Session, Stage
from bot.conversation.store import load_session
from bot.flights.tables import timetable_orders
from bot.tables import bookings, documents
from payments.tables import audit_log, deposit_addresses, payment_changes, payments
from runtime.clock import SystemClock
from runtime.database import Database
from runtime.jobs import Jobs
from runtime.tables import inbox, inbox_waiting, outbox, outbox_waiting

Rows = Sequence[sa.Row[Any]]


async def is_settled(database: Database) -> bool:
    """Whether every fact is handled and every letter sent."""
    async with database.snapshot() as connection:
        facts = await connection.scalar(sa.select(sa.func.count()).select_from(inbox).where(inbox_waiting))
        letters = await connection.scalar(sa.select(sa.func.count()).select_from(outbox).where(outbox_waiting))
    return not facts and not letters


async def problems_in(database: Database, parties: Mapping[str, int]) -> list[str]:
    """What is wrong, in words. ``parties``: how many fly, by chat (``telegram:4711``); each chat booked one trip."""
    problems = [f"a dead job: {dead.id} {dead.error}" for dead in await Jobs(database, SystemClock()).dead_letters()]
    async with database.snapshot() as connection:
        problems += await _left_over(connection)
        for chat, size in parties.items():
            problems += [f"{chat}: {problem}" for problem in await _problems_of(connection, chat, size)]
    return problems


async def _left_over(connection: AsyncConnection) -> list[str]:
    dead_facts = await _rows(connection, sa.select(inbox).where(inbox.c.dead_at.is_not(None)))
    dead_letters = await _rows(connection, sa.select(outbox).where(outbox.c.dead_at.is_not(None)))
    failed = await _rows(connection, sa.select(inbox).where(inbox.c.attempts > 0))
    waiting = await _rows(connection, sa.select(inbox).where(inbox_waiting))
    unsent = await _rows(connection, sa.select(outbox).where(outbox_waiting))
    return [
        *(f"a dead fact: {row.source} {row.error}" for row in dead_facts),
        *(f"a dead letter: {row.id} {row.error}" for row in dead_letters),
        *(f"a fact whose handling failed: {row.source} {row.error}" for row in failed),
        *(f"a fact that nobody handles: {row.source} {row.external_id}" for row in waiting),
        *(f"a letter that nobody sends: {row.id}" for row in unsent),
    ]


async def _problems_of(connection: AsyncConnection, chat: str, size: int) -> list[str]:
    booked = await _rows(connection, sa.select(bookings).where(bookings.c.chat == chat))
    paid = await _rows(connection, sa.select(payments).where(payments.c.chat == chat))
    problems = _session_problems(await load_session(connection, chat))
    if len(booked) != 1 or len(paid) != 1:
        return [*problems, f"{len(booked)} bookings and {len(paid)} payments"]
    [booking], [payment] = booked, paid
    if booking.state != "ticketed" or booking.payment_id != payment.id or payment.booking_id != booking.id:
        problems.append(f"the booking is {booking.state}, paid by {booking.payment_id} and not by {payment.id}")
    problems += await _order_problems(connection, booking.id, size)
    problems += await _payment_problems(connection, payment)
    return problems + await _audit_problems(connection, booking.id, payment.id)


def _session_problems(session: Session | None) -> list[str]:
    if session is None:
        return ["the session is lost"]
    if session.stage is not Stage.TRIP or session.booking_id or session.payment_id:
        return [f"the session did not come to its end: {session.stage}, {session.booking_id}"]
    return []


async def _order_problems(connection: AsyncConnection, booking_id: str, size: int) -> list[str]:
    orders = await _rows(connection, sa.select(timetable_orders).where(timetable_orders.c.booking_id == booking_id))
    papers = await _rows(connection, sa.select(documents.c.id).where(documents.c.booking == booking_id))
    problems = []
    if [(order.state, order.passengers) for order in orders] != [("confirmed", size)]:
        problems.append(f"orders at the airline: {[(order.state, order.passengers) for order in orders]}")
    if len(papers) != size:
        problems.append(f"{len(papers)} tickets for {size}")
    return problems


async def _payment_problems(connection: AsyncConnection, payment: sa.Row[Any]) -> list[str]:
    given = await _rows(
        connection,
        sa.select(deposit_addresses.c.address).where(
            deposit_addresses.c.payment_id == payment.id, deposit_addresses.c.skipped.is_(None)
        ),
    )
    problems = []
    if payment.state != "complete" or not payment.due == payment.received == payment.confirmed:
        problems.append(f"the payment is {payment.state}: {payment.confirmed} confirmed of {payment.due}")
    if [row.address for row in given] != [payment.address]:
        problems.append(f"addresses given: {[row.address for row in given]}, used: {payment.address}")
    changes = await _changes(connection, payment.id)
    if [before for before, _ in changes] != [None, *(after for _, after in changes[:-1])]:
        problems.append(f"the payment's history has a gap: {changes}")
    if [after for _, after in changes].count("complete") != 1 or changes[-1][1] != payment.state:
        problems.append(f"the payment's history does not end in one completion: {changes}")
    return problems


async def _audit_problems(connection: AsyncConnection, booking_id: str, payment_id: str) -> list[str]:
    """Each critical operation stands there once, and the log tells the same as the payment's history."""
    of_booking = await _audited(connection, booking_id)
    of_payment = await _audited(connection, payment_id)
    problems = []
    if [row.action for row in of_booking] != ["booking_paid", "booking_ticketed"]:
        problems.append(f"audited of the booking: {[row.action for row in of_booking]}")
    if [row.action for row in of_payment[:2]] != ["payment_started", "payment_opened"]:
        problems.append(f"audited of the payment: {[row.action for row in of_payment]}")
    told = [(row.details["before"], row.details["after"]) for row in of_payment[2:]]
    kept = [(before, after) for before, after in await _changes(connection, payment_id) if before not in (None, after)]
    if told != kept:
        problems.append(f"audited: {told}, but the payment's history: {kept}")
    return problems


async def _audited(connection: AsyncConnection, subject: str) -> Rows:
    return await _rows(connection, sa.select(audit_log).where(audit_log.c.subject == subject).order_by(audit_log.c.id))


async def _changes(connection: AsyncConnection, payment_id: str) -> list[tuple[str | None, str]]:
    rows = await _rows(
        connection,
        sa.select(payment_changes).where(payment_changes.c.payment_id == payment_id).order_by(payment_changes.c.id),
    )
    return [(row.before, row.after) for row in rows]


async def _rows(connection: AsyncConnection, query: sa.Select[Any]) -> Rows:
    rows: Rows = (await connection.execute(query)).all()
    return rows
