"""A search of the timetable: journeys there and back, paired, priced, and the most useful of them picked."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from zoneinfo import ZoneInfo

from bot.flights.connections import Journey, connecting, nonstop, worthwhile
from bot.flights.draw import draw
from bot.flights.fares import (
    BRANDS,
    CLASSIC,
    FLEX,
    LIGHT,
    Brand,
    adult_fare,
    cabin_on,
    checked_bags,
    conditions,
    party_total,
)
from bot.flights.geography import same_city
from bot.flights.hubs import terminal
from bot.flights.model import Airport, FlightSourceError, Offer, Place, SearchRequest, Segment, Slice, elapsed
from bot.flights.network import Airports, Network
from payments.money import Money

SOURCE = "timetable"
VALID_FOR = timedelta(minutes=90)
HOLD = timedelta(hours=48)
BOOKING_CLOSES = timedelta(minutes=90)  # before departure
TURNAROUND = timedelta(hours=2)  # between coming and going back on the same day

MOST_OFFERS = 40
_FASTEST_KEPT = 10  # of the offers, whatever they cost
_AIRPORTS_A_CITY = 3  # the largest ones
_PAIRED = 30  # trips of one airline between two airports, the shortest
_SHORTEST_LIST = 20  # offers; with fewer trips than that, each is sold in more brands


class SameCity(FlightSourceError):
    """Nobody flies within a city: ask for another place."""


class ImpossibleDates(FlightSourceError):
    """The dates are over, or the way back comes before the way there: ask for others."""


@dataclass(frozen=True, slots=True)
class _Trip:
    """A direction, or two of one airline."""

    parts: tuple[Journey, ...]

    @property
    def duration(self) -> timedelta:
        return sum((part.duration for part in self.parts), timedelta())

    @property
    def key(self) -> str:
        """Names its flights and their days."""
        return " ".join(leg.key for part in self.parts for leg in part.legs)


@dataclass(frozen=True, slots=True)
class _Fare:
    """A trip in a brand, priced for the party: all that is needed to choose what is shown."""

    id: str
    trip: _Trip
    brand: Brand
    total: Money
    duration: timedelta


def search(network: Network, airports: Airports, request: SearchRequest, now: datetime) -> list[Offer]:
    """At most 40 offers, cheapest first; empty where nothing flies. Raises SameCity, ImpossibleDates, KeyError."""
    origins = _airports(airports, request.origin)
    destinations = _airports(airports, request.destination)
    _check(request, origins, destinations, now)
    trips = _trips(network, request, origins, destinations, now)
    fares = [_fare(request, trip, brand, now) for trip, brand in _branded(trips)]
    return [_offer(request, fare, now) for fare in _pick(fares)]


def _airports(airports: Airports, place: Place) -> list[Airport]:
    return [airports.airport(code) for code in place.airports[:_AIRPORTS_A_CITY]]


def _check(request: SearchRequest, origins: Sequence[Airport], destinations: Sequence[Airport], now: datetime) -> None:
    overlap = set(request.origin.airports) & set(request.destination.airports)
    if overlap or any(same_city(here, there) for here in origins for there in destinations):
        raise SameCity(f"{request.origin.name} and {request.destination.name} are the same city: choose another place")
    today = now.astimezone(ZoneInfo(origins[0].timezone)).date()
    if request.depart < today:
        raise ImpossibleDates(f"{request.depart} is over: choose a day from {today} on")
    if request.return_on is not None and request.return_on < request.depart:
        raise ImpossibleDates(f"the return on {request.return_on} is before the departure on {request.depart}")


def _trips(
    network: Network,
    request: SearchRequest,
    origins: Sequence[Airport],
    destinations: Sequence[Airport],
    now: datetime,
) -> list[_Trip]:
    """A return comes back from the airport where it arrived, to the one where it began."""
    ends = [(origin, destination) for origin in origins for destination in destinations]
    closes = now + BOOKING_CLOSES
    there = [j for j in _ways(network, ends, request.depart) if j.legs[0].departs.astimezone(UTC) > closes]
    if request.return_on is None:
        return [_Trip((journey,)) for journey in there]
    back = _ways(network, [(destination, origin) for origin, destination in ends], request.return_on)
    return _pairs(there, back)


def _ways(network: Network, ends: Sequence[tuple[Airport, Airport]], day: date) -> list[Journey]:
    """Nonstop between any airports of the two cities; connecting between the largest that have one."""
    found = [journey for a, b in ends for journey in nonstop(network, a, b, day)]
    for a, b in ends:
        if through := connecting(network, a, b, day):
            return worthwhile(found + through)
    return worthwhile(found)


def _pairs(there: Sequence[Journey], back: Sequence[Journey]) -> list[_Trip]:
    """Between the same two airports and by one airline; by two where no airline flies both ways."""
    matches = [(out, home) for out in there for home in back if _returns(out, home)]
    of_one = [(out, home) for out, home in matches if out.carrier == home.carrier]
    taken: Counter[tuple[str, str, str]] = Counter()
    trips = []
    for out, home in sorted(of_one or matches, key=lambda pair: pair[0].duration + pair[1].duration):
        ends = (out.carrier.code, out.origin.iata, out.destination.iata)
        taken[ends] += 1
        if taken[ends] <= _PAIRED:
            trips.append(_Trip((out, home)))
    return trips


def _returns(out: Journey, home: Journey) -> bool:
    same_ends = out.origin == home.destination and out.destination == home.origin
    return same_ends and elapsed(out.arrives, home.departs) >= TURNAROUND


def _branded(trips: Sequence[_Trip]) -> list[tuple[_Trip, Brand]]:
    """Many trips: each in the brand that it has left. Few: each in two or in all three."""
    if len(trips) * 2 < _SHORTEST_LIST:
        return [(trip, brand) for trip in trips for brand in BRANDS]
    if len(trips) < _SHORTEST_LIST:
        return [(trip, brand) for trip in trips for brand in (LIGHT, CLASSIC)]
    lots = (LIGHT, LIGHT, CLASSIC, CLASSIC, CLASSIC, FLEX)
    return [(trip, lots[draw(len(lots), "brand", trip.key)]) for trip in trips]


def _fare(request: SearchRequest, trip: _Trip, brand: Brand, now: datetime) -> _Fare:
    total = party_total(adult_fare(trip.parts, request.cabin, brand, now.date()), request.party)
    party = (request.party.adults, sorted(request.party.child_ages), request.party.infants)
    words = f"{trip.key}|{request.cabin.value}|{brand.name}|{party}|{total.minor}"
    return _Fare(f"tt_{blake2b(words.encode(), digest_size=12).hexdigest()}", trip, brand, total, trip.duration)


def _pick(fares: Sequence[_Fare]) -> list[_Fare]:
    """The cheapest, and among them also the fastest of all. Cheapest first."""
    by_price = sorted(fares, key=lambda fare: (fare.total.minor, fare.duration, fare.id))
    by_speed = sorted(fares, key=lambda fare: (fare.duration, fare.total.minor, fare.id))
    picked = {fare.id for fare in by_speed[:_FASTEST_KEPT]}
    for fare in by_price:
        if len(picked) >= MOST_OFFERS:
            break
        picked.add(fare.id)
    return [fare for fare in by_price if fare.id in picked]


def _offer(request: SearchRequest, fare: _Fare, now: datetime) -> Offer:
    parts = fare.trip.parts
    holdable = fare.brand.holdable and parts[0].departs.astimezone(UTC) - now > 2 * HOLD
    longest = max(part.distance for part in parts)
    return Offer(
        id=fare.id,
        source=SOURCE,
        airline=parts[0].carrier.name,
        slices=tuple(_slice(part, request, fare.brand) for part in parts),
        party=request.party,
        total=fare.total,
        conditions=conditions(fare.brand, longest, request.party, fare.total),
        expires_at=now + VALID_FOR,
        holdable_until=now + HOLD if holdable else None,
        is_sample=True,
    )


def _slice(journey: Journey, request: SearchRequest, brand: Brand) -> Slice:
    return Slice(
        tuple(
            Segment(
                carrier=leg.carrier.code,
                carrier_name=leg.carrier.name,
                number=leg.number,
                origin=leg.origin,
                destination=leg.destination,
                departs=leg.departs,
                arrives=leg.arrives,
                cabin=cabin_on(leg, journey, request.cabin),
                checked_bags=checked_bags(request.cabin, brand),
                origin_terminal=terminal(leg.origin, leg.carrier),
                destination_terminal=terminal(leg.destination, leg.carrier),
            )
            for leg in journey.legs
        )
    )
