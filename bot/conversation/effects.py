"""What a conversation wants done. The agent carries it out in the transaction that keeps the new session."""

from dataclasses import dataclass
from datetime import datetime

from bot.channels.model import Attachment, Text
from bot.conversation.details import TravellerDraft
from bot.conversation.session import Session
from bot.flights.model import Offer, SearchRequest
from payments.payment import Method


@dataclass(frozen=True, slots=True)
class Option:
    """A button to be: ``action`` comes back as it is when it is chosen."""

    label: str
    action: str


@dataclass(frozen=True, slots=True)
class Say:
    """A message. With ``options`` it replaces the choices that are open; without, it closes them, unless it is
    ``aside``, said beside the question that is open."""

    text: Text
    options: tuple[tuple[Option, ...], ...] = ()
    hint: str | None = None
    slot: str | None = None
    attachment: Attachment | None = None
    aside: bool = False


@dataclass(frozen=True, slots=True)
class SayQr:
    """A QR code of ``content`` as a photo, with a caption."""

    content: str
    caption: Text
    document_id: str


@dataclass(frozen=True, slots=True)
class ShowTyping:
    """Something takes a moment."""


@dataclass(frozen=True, slots=True)
class StartSearch:
    search_id: str
    request: SearchRequest


@dataclass(frozen=True, slots=True)
class StartPayment:
    """Freeze the booking and open a payment for it. The agent sets the session's payment and booking ids."""

    booking_id: str
    offer: Offer
    travellers: tuple[TravellerDraft, ...]
    method: Method
    not_after: datetime  # the fare's own end, less a margin


@dataclass(frozen=True, slots=True)
class CancelPayment:
    payment_id: str


@dataclass(frozen=True, slots=True)
class ShowTrips:
    """The list of what was booked, with the papers once more where one is named."""

    reference: str | None = None


Effect = Say | SayQr | ShowTyping | StartSearch | StartPayment | CancelPayment | ShowTrips


@dataclass(frozen=True, slots=True)
class Step:
    """The answer to one event: the session as it is now, and what follows."""

    session: Session
    effects: tuple[Effect, ...] = ()
