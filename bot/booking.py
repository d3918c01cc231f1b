"""A booking: the offer and the travellers as they were when the payment was started, and what became of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.flights.model import Contact, Offer, Order, Traveller


class BookingState(StrEnum):
    UNPAID = "unpaid"  # a payment was started
    PAID = "paid"  # being ordered and ticketed
    TICKETED = "ticketed"
    REFUSED = "refused"  # paid, but the airline would not have it: the money is the traveller's


@dataclass(frozen=True, slots=True)
class Booking:
    id: str
    reference: str  # six characters a person can read out
    chat: str
    state: BookingState
    offer: Offer
    travellers: tuple[Traveller, ...]
    contact: Contact
    created_at: datetime
    payment_id: str | None = None  # the payment that paid it
    order: Order | None = None
    ticketed_at: datetime | None = None
