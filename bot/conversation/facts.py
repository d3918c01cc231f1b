"""Happenings as inbox facts in a chat's lane, and back as the conversation's events.

A traveller's message comes from a channel (``bot.channels.codec``); everything else that a conversation has to know
is put here, in the transaction in which it happened, under an id of its own.
"""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.booking import Booking
from bot.channels.codec import CHAT, INBOUND, load_inbound
from bot.conversation.events import (
    Event,
    PaymentChanged,
    PaymentOpened,
    Pressed,
    Said,
    SearchFailure,
    SearchFinished,
    Ticketed,
    TicketingDelayed,
    TicketingFailed,
    Unreadable,
)
from payments import store as payment_store
from payments.payment import Payment, State
from runtime.database import Transaction
from runtime.errors import LayoverError
from runtime.inbox import Fact, Inbox

SEARCH, OPENED, CHANGED = "search", "payment_opened", "payment_changed"
TICKETED, DELAYED, REFUSED = "ticketed", "ticketing_delayed", "refused"


class UnknownFact(LayoverError):
    def __init__(self, kind: object) -> None:
        super().__init__(f"a chat's lane holds a fact of the unknown kind {kind!r}: written by another release?")


class ChatFacts:
    """Puts happenings into chats' lanes."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def search_finished(self, tx: Transaction, chat: str, search_id: str, failure: SearchFailure | None) -> None:
        await self._put(tx, chat, SEARCH, search_id, {"search_id": search_id, "failure": failure})

    async def payment_opened(self, tx: Transaction, payment: Payment) -> None:
        await self._put(tx, payment.chat, OPENED, payment.id, {"payment_id": payment.id})

    async def payment_changed(self, tx: Transaction, before: Payment, after: Payment) -> None:
        payload = {
            "payment_id": after.id,
            "before": before.state,
            "received_before": str(before.received),
            "state": after.state,
            "received": str(after.received),
            "confirmed": str(after.confirmed),
            "confirmations": after.confirmations,
            "tx_hashes": list(after.tx_hashes),
            "version": after.version,
        }
        await self._put(tx, after.chat, CHANGED, f"{after.id}:{after.version}", payload)

    async def ticketed(self, tx: Transaction, booking: Booking, documents: list[tuple[str, str]]) -> None:
        assert booking.order is not None
        payload = {
            "booking_id": booking.id,
            "reference": booking.reference,
            "airline_reference": booking.order.airline_reference,
            "travellers": [traveller.full_name for traveller in booking.travellers],
            "documents": documents,
        }
        await self._put(tx, booking.chat, TICKETED, booking.id, payload)

    async def ticketing_delayed(self, tx: Transaction, booking: Booking) -> None:
        payload = {"booking_id": booking.id, "reference": booking.reference}
        await self._put(tx, booking.chat, DELAYED, booking.id, payload)

    async def ticketing_failed(self, tx: Transaction, booking: Booking, why: str) -> None:
        payload = {"booking_id": booking.id, "reference": booking.reference, "why": why}
        await self._put(tx, booking.chat, REFUSED, booking.id, payload)

    async def _put(self, tx: Transaction, chat: str, kind: str, key: str, payload: dict[str, Any]) -> None:
        await self._inbox.put(
            tx, topic=CHAT, source=kind, external_id=key, lane=chat, payload={"kind": kind, **payload}
        )


@dataclass(frozen=True, slots=True)
class ReadFact:
    """An event, and what its channel told beside it."""

    event: Event
    callback_id: str | None = None  # of a pressed button that still spins
    name: str | None = None


async def read_fact(connection: AsyncConnection, fact: Fact) -> ReadFact:
    """The event that a fact tells of. Raises UnknownFact."""
    payload = fact.payload
    match payload.get("kind"):
        case kind if kind == INBOUND:
            return _read_inbound(payload)
        case "search":
            failure = payload["failure"]
            return ReadFact(SearchFinished(payload["search_id"], SearchFailure(failure) if failure else None))
        case "payment_opened":
            return ReadFact(PaymentOpened(await _payment(connection, payload["payment_id"])))
        case "payment_changed":
            return ReadFact(await _read_change(connection, payload))
        case "ticketed":
            documents = tuple((document, filename) for document, filename in payload["documents"])
            people = tuple(payload["travellers"])
            reference, airline = payload["reference"], payload["airline_reference"]
            return ReadFact(Ticketed(payload["booking_id"], reference, airline, people, documents))
        case "ticketing_delayed":
            return ReadFact(TicketingDelayed(payload["booking_id"], payload["reference"]))
        case "refused":
            return ReadFact(TicketingFailed(payload["booking_id"], payload["reference"], payload["why"]))
        case unknown:
            raise UnknownFact(unknown)


def _read_inbound(payload: dict[str, Any]) -> ReadFact:
    inbound = load_inbound(payload)
    event: Event
    if inbound.button is not None:
        event = Pressed(inbound.button)
    else:
        event = Unreadable() if inbound.text is None else Said(inbound.text)
    return ReadFact(event, inbound.callback_id, inbound.name)


async def _read_change(connection: AsyncConnection, payload: dict[str, Any]) -> PaymentChanged:
    """The payment as it was right after the change: later changes have facts of their own."""
    after = replace(
        await _payment(connection, payload["payment_id"]),
        state=State(payload["state"]),
        received=int(payload["received"]),
        confirmed=int(payload["confirmed"]),
        confirmations=payload["confirmations"],
        tx_hashes=tuple(payload["tx_hashes"]),
        version=payload["version"],
    )
    return PaymentChanged(after, State(payload["before"]), int(payload["received_before"]))


async def _payment(connection: AsyncConnection, payment_id: str) -> Payment:
    payment = await payment_store.get(connection, payment_id)
    assert payment is not None, f"a fact tells of the payment {payment_id}, which does not exist"
    return payment
