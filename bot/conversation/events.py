"""What a conversation reacts to. Everything arrives through the chat's inbox lane, in order."""

from dataclasses import dataclass
from enum import StrEnum

from payments.payment import Payment, State


@dataclass(frozen=True, slots=True)
class Said:
    """The traveller wrote something, or sent a command."""

    text: str


@dataclass(frozen=True, slots=True)
class Pressed:
    """The traveller pressed a button."""

    token: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The traveller sent what we cannot read: a voice note, a photo."""


class SearchFailure(StrEnum):
    """Why a search has no answer."""

    DOWN = "down"  # the source did not answer
    IMPOSSIBLE = "impossible"  # nobody could fly that
    TOO_MANY = "too_many"  # this chat has searched too often in a short time


@dataclass(frozen=True, slots=True)
class SearchFinished:
    """The offers of a search are stored; or why there are none to be had."""

    search_id: str
    failure: SearchFailure | None = None


@dataclass(frozen=True, slots=True)
class PaymentOpened:
    """There is an address to pay to now."""

    payment: Payment


@dataclass(frozen=True, slots=True)
class PaymentChanged:
    """Evidence changed a payment. ``payment`` is as it was right after this change."""

    payment: Payment
    before: State
    received_before: int


@dataclass(frozen=True, slots=True)
class Ticketed:
    """The airline has confirmed; the papers are stored."""

    booking_id: str
    reference: str
    airline_reference: str
    travellers: tuple[str, ...]
    documents: tuple[tuple[str, str], ...]  # (document id, file name), one a traveller


@dataclass(frozen=True, slots=True)
class TicketingDelayed:
    """Paid, and the airline does not answer. It is tried on and on."""

    booking_id: str
    reference: str


@dataclass(frozen=True, slots=True)
class TicketingFailed:
    """Paid, but the airline would not have it. The money is kept for the traveller."""

    booking_id: str
    reference: str
    why: str


Event = (
    Said
    | Pressed
    | Unreadable
    | SearchFinished
    | PaymentOpened
    | PaymentChanged
    | Ticketed
    | TicketingDelayed
    | TicketingFailed
)
