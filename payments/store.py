"""Payments in the database: all of their SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from payments.money import Coin, Money
from payments.payment import WAITING, Method, Payment, Quote, State
from payments.tables import deposit_addresses, payment_changes, payments
from runtime.database import Transaction


async def insert(tx: Transaction, payment: Payment, due_at: datetime) -> None:
    """Keep a new payment; the timer looks at it at ``due_at``."""
    await tx.execute(
        payments.insert().values(
            id=payment.id,
            booking_id=payment.booking_id,
            chat=payment.chat,
            method=payment.method,
            quote=_quote_to_json(payment.quote),
            due=payment.due,
            created_at=payment.created_at,
            due_at=due_at,
            **_changeable(payment),
        )
    )


async def update(tx: Transaction, payment: Payment, due_at: datetime | None) -> None:
    """Write what may change of a payment. Only ``evidence`` and ``checkout`` call this."""
    await tx.execute(payments.update().where(payments.c.id == payment.id).values(due_at=due_at, **_changeable(payment)))


async def get(connection: AsyncConnection, payment_id: str) -> Payment | None:
    return await _one(connection, sa.select(payments).where(payments.c.id == payment_id))


async def lock(tx: Transaction, payment_id: str) -> Payment | None:
    """The payment, held against other processes until the transaction ends."""
    return await _one(tx.connection, sa.select(payments).where(payments.c.id == payment_id).with_for_update())


async def lock_by_address(tx: Transaction, address: str) -> Payment | None:
    return await _one(tx.connection, sa.select(payments).where(payments.c.address == address).with_for_update())


async def of_booking(connection: AsyncConnection, booking_id: str) -> Sequence[Payment]:
    """Every attempt to pay for the booking, oldest first."""
    rows = await connection.execute(
        sa.select(payments).where(payments.c.booking_id == booking_id).order_by(payments.c.created_at, payments.c.id)
    )
    return [_payment(row) for row in rows]


async def due(connection: AsyncConnection, now: datetime, limit: int) -> Sequence[str]:
    """Ids of the payments the timer has to look at, longest due first."""
    rows = await connection.execute(
        sa.select(payments.c.id).where(payments.c.due_at <= now).order_by(payments.c.due_at).limit(limit)
    )
    return [row.id for row in rows]


async def postpone(tx: Transaction, payment_id: str, due_at: datetime) -> int:
    """Look at it again later; how often that has happened while it was being opened."""
    result = await tx.execute(
        payments.update()
        .where(payments.c.id == payment_id)
        .values(due_at=due_at, open_attempts=payments.c.open_attempts + 1)
        .returning(payments.c.open_attempts)
    )
    return int(result.scalar_one())


async def add_change(
    tx: Transaction, payment_id: str, before: State | None, after: State, reason: str, evidence: Any, at: datetime
) -> None:
    await tx.execute(
        payment_changes.insert().values(
            payment_id=payment_id, before=before, after=after, reason=reason, evidence=evidence, at=at
        )
    )


@dataclass(frozen=True, slots=True)
class Target:
    """Where a payment's money is to be sent: what a funding script needs to know."""

    payment_id: str
    booking_id: str
    address: str
    index: int
    due: int  # wei
    received: int  # wei
    state: State


async def latest_open(connection: AsyncConnection) -> Target | None:
    """The newest payment that waits for money."""
    return await _target(connection, payments.c.state.in_(WAITING))


async def target_of_booking(connection: AsyncConnection, booking_id: str) -> Target | None:
    return await _target(connection, payments.c.booking_id == booking_id)


async def target_at_index(connection: AsyncConnection, index: int) -> Target | None:
    return await _target(connection, deposit_addresses.c.index == index)


async def target_at_address(connection: AsyncConnection, address: str) -> Target | None:
    return await _target(connection, payments.c.address == address)


@dataclass(frozen=True, slots=True)
class AddressedPayment:
    """A payment with the deposit address it was given, as the treasury sees it."""

    payment: Payment
    address: str
    account: str  # the extended public key it was derived below
    index: int


async def with_addresses(connection: AsyncConnection) -> Sequence[AddressedPayment]:
    """Every payment on chain, by index. Addresses that were skipped belong to none and are left out."""
    rows = await connection.execute(
        sa.select(payments, deposit_addresses.c.account, deposit_addresses.c.index.label("address_index"))
        .join(deposit_addresses, deposit_addresses.c.address == payments.c.address)
        .order_by(deposit_addresses.c.account, deposit_addresses.c.index)
    )
    return [AddressedPayment(_payment(row), row.address, row.account, row.address_index) for row in rows]


async def _target(connection: AsyncConnection, condition: sa.ColumnElement[bool]) -> Target | None:
    row = (
        await connection.execute(
            sa.select(payments, deposit_addresses.c.index.label("address_index"))
            .join(deposit_addresses, deposit_addresses.c.address == payments.c.address)
            .where(condition)
            .order_by(payments.c.created_at.desc(), payments.c.id.desc())
            .limit(1)
        )
    ).first()
    if row is None:
        return None
    return Target(row.id, row.booking_id, row.address, row.address_index, row.due, row.received, State(row.state))


async def _one(connection: AsyncConnection, query: sa.Select[Any]) -> Payment | None:
    row = (await connection.execute(query)).first()
    return None if row is None else _payment(row)


def _changeable(payment: Payment) -> dict[str, Any]:
    return {
        "state": payment.state,
        "address": payment.address,
        "received": payment.received,
        "confirmed": payment.confirmed,
        "confirmations": payment.confirmations,
        "tx_hashes": list(payment.tx_hashes),
        "opened_at": payment.opened_at,
        "expires_at": payment.expires_at,
        "version": payment.version,
    }


def _payment(row: sa.Row[Any]) -> Payment:
    return Payment(
        id=row.id,
        booking_id=row.booking_id,
        chat=row.chat,
        method=Method(row.method),
        state=State(row.state),
        quote=_quote_from_json(row.quote),
        created_at=row.created_at,
        opened_at=row.opened_at,
        expires_at=row.expires_at,
        version=row.version,
        address=row.address,
        received=row.received,
        confirmed=row.confirmed,
        confirmations=row.confirmations,
        tx_hashes=tuple(row.tx_hashes),
    )


def _quote_to_json(quote: Quote) -> dict[str, Any]:
    return {
        "price": str(quote.price.amount),
        "currency": quote.price.currency,
        "symbol": quote.coin.symbol,
        "decimals": quote.coin.decimals,
        "token": quote.coin.token_address,
        "units": str(quote.units),
        "rate": quote.rate,
        "quoted_at": quote.quoted_at.isoformat(),
    }


def _quote_from_json(data: dict[str, Any]) -> Quote:
    return Quote(
        price=Money.of(Decimal(data["price"]), data["currency"]),
        coin=Coin(data["symbol"], data["decimals"], data["token"]),
        units=int(data["units"]),
        rate=data["rate"],
        quoted_at=datetime.fromisoformat(data["quoted_at"]),
    )
