"""What the conversation may look at while it answers: given with each event, never fetched."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from bot.flights.model import Offer
from bot.flights.places import Gazetteer
from payments.payment import Method, Payment
from runtime.clock import Ids


@dataclass(frozen=True, slots=True)
class PayingFacts:
    """What can be said about paying, by configuration."""

    methods: tuple[Method, ...]
    network: str  # "Circle Layer Testnet"
    confirmations: int  # needed
    transaction_link: Callable[[str], str | None]  # explorer page of a transaction hash
    payment_link: Callable[[Payment], str]  # EIP-681


@dataclass(frozen=True, slots=True)
class Context:
    now: datetime
    gazetteer: Gazetteer
    ids: Ids
    paying: PayingFacts
    offers: tuple[Offer, ...] = ()  # of the session's search, cheapest first
    payment: Payment | None = None  # the session's
    is_sample: bool = False  # the booking that the event tells of is a sample

    @property
    def today(self) -> date:
        return self.now.date()
