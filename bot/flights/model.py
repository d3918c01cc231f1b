"""What a flight search asks and what comes back: values only, the same for every source of flights."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from payments.money import Money
from runtime.errors import LayoverError


class Cabin(StrEnum):
    ECONOMY = "economy"
    PREMIUM_ECONOMY = "premium_economy"
    BUSINESS = "business"
    FIRST = "first"


class PassengerType(StrEnum):
    ADULT = "adult"
    CHILD = "child"  # 2 to 11 on the day of departure
    INFANT = "infant"  # under 2, on an adult's lap


class PlaceKind(StrEnum):
    CITY = "city"
    AIRPORT = "airport"


@dataclass(frozen=True, slots=True)
class Airport:
    iata: str
    name: str  # "Heathrow"
    city: str  # "London"
    country: str  # ISO 3166 alpha-2
    timezone: str  # IANA
    latitude: float  # degrees
    longitude: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where a traveller wants to go: one airport, or a city with all of its airports (largest first)."""

    code: str  # IATA of the airport, or of the metropolitan area ("LON"), or of a city's only airport
    name: str  # "London", "Heathrow"
    kind: PlaceKind
    country: str
    airports: tuple[str, ...]

    @property
    def label(self) -> str:
        """``London (any airport)`` or ``Lagos (LOS)``."""
        return f"{self.name} (any airport)" if len(self.airports) > 1 else f"{self.name} ({self.airports[0]})"


@dataclass(frozen=True, slots=True)
class Party:
    adults: int = 1
    child_ages: tuple[int, ...] = ()  # 2 to 11
    infants: int = 0  # on a lap, at most one an adult

    @property
    def size(self) -> int:
        return self.adults + len(self.child_ages) + self.infants

    @property
    def types(self) -> tuple[PassengerType, ...]:
        """One entry a traveller, in the order in which details are asked and tickets are made."""
        return (
            (PassengerType.ADULT,) * self.adults
            + (PassengerType.CHILD,) * len(self.child_ages)
            + (PassengerType.INFANT,) * self.infants
        )


@dataclass(frozen=True, slots=True)
class SearchRequest:
    origin: Place
    destination: Place
    depart: date
    return_on: date | None
    party: Party
    cabin: Cabin


def elapsed(start: datetime, end: datetime) -> timedelta:
    """The time that really passes. Python subtracts the clock faces where both ends share a zone, which is an hour
    wrong over a change of summer time."""
    return end.astimezone(UTC) - start.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Segment:
    """One take-off and landing. Times are aware, in the zone of their airport."""

    carrier: str  # IATA airline code
    carrier_name: str
    number: str  # "1234"
    origin: Airport
    destination: Airport
    departs: datetime
    arrives: datetime
    cabin: Cabin
    checked_bags: int  # for each traveller with a seat
    origin_terminal: str | None = None
    destination_terminal: str | None = None

    @property
    def flight(self) -> str:
        return f"{self.carrier} {self.number}"

    @property
    def duration(self) -> timedelta:
        return elapsed(self.departs, self.arrives)


@dataclass(frozen=True, slots=True)
class Slice:
    """One direction of the trip: the segments from its origin to its destination."""

    segments: tuple[Segment, ...]

    @property
    def stops(self) -> int:
        return len(self.segments) - 1

    @property
    def departs(self) -> datetime:
        return self.segments[0].departs

    @property
    def arrives(self) -> datetime:
        return self.segments[-1].arrives

    @property
    def duration(self) -> timedelta:
        return elapsed(self.departs, self.arrives)


@dataclass(frozen=True, slots=True)
class FareConditions:
    refundable: bool
    refund_penalty: Money | None  # None with refundable: free of charge
    changeable: bool
    change_penalty: Money | None


@dataclass(frozen=True, slots=True)
class Offer:
    """A priced trip for the whole party, there and back where a return was asked. ``id`` is the source's own."""

    id: str
    source: str  # "timetable", "duffel"
    airline: str
    slices: tuple[Slice, ...]
    party: Party
    total: Money  # for everybody, all directions
    conditions: FareConditions
    expires_at: datetime
    holdable_until: datetime | None  # price guaranteed until then if held; None: instant payment only
    is_sample: bool  # from the offline timetable: says so wherever it is shown

    @property
    def duration(self) -> timedelta:
        return sum((part.duration for part in self.slices), timedelta())


class Gender(StrEnum):
    FEMALE = "f"
    MALE = "m"


@dataclass(frozen=True, slots=True)
class Traveller:
    """A passenger as in the passport. The contact is the lead traveller's."""

    type: PassengerType
    given_name: str
    family_name: str
    born_on: date
    gender: Gender

    @property
    def full_name(self) -> str:
        return f"{self.given_name} {self.family_name}"


@dataclass(frozen=True, slots=True)
class Contact:
    email: str
    phone: str  # E.164


class OrderState(StrEnum):
    """The life of an order at the airline source, as we know it durably."""

    RESERVED = "reserved"  # held: price kept, nothing paid
    CONFIRMED = "confirmed"  # paid and ticketed
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Order:
    """What the source holds for a booking. ``ticket_numbers`` follow the party's order; empty until confirmed."""

    id: str
    booking_id: str
    state: OrderState
    airline_reference: str
    ticket_numbers: tuple[str, ...] = ()


class FlightSourceError(LayoverError):
    """A flight source could not do what was asked."""


class FlightSourceDown(FlightSourceError):
    """It did not answer, or not sensibly; the outcome is unknown: look with ``find`` before trying again."""


class OfferGone(FlightSourceError):
    """The offer can no longer be booked: search again."""


class PriceChanged(FlightSourceError):
    """The offer stands at another price: show it and ask."""

    def __init__(self, offer: Offer) -> None:
        super().__init__(f"offer {offer.id} now costs {offer.total}")
        self.offer = offer


class FlightSource(Protocol):
    """Where flights come from. Each verb may be repeated safely: ``booking_id`` is the key of an order."""

    async def search(self, request: SearchRequest) -> Sequence[Offer]:
        """Every offer for the request, cheapest first; empty where nothing flies."""
        ...

    async def reprice(self, offer: Offer) -> Offer:
        """The offer as it stands now. Raises OfferGone."""
        ...

    async def reserve(
        self, booking_id: str, offer: Offer, travellers: Sequence[Traveller], contact: Contact
    ) -> Order | None:
        """Hold it at its price, nothing paid yet; None where the airline gives no hold."""
        ...

    async def confirm(self, booking_id: str, offer: Offer, travellers: Sequence[Traveller], contact: Contact) -> Order:
        """Pay for it and have it ticketed: the held order if there is one, else a new one."""
        ...

    async def release(self, booking_id: str) -> None:
        """Give a hold back. Nothing happens where there is none."""
        ...

    async def find(self, booking_id: str) -> Order | None:
        """The order made for this booking, if its answer was lost."""
        ...
