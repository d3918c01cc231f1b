"""What a sample trip costs and on which terms. Whole cents throughout; the same question has the same answer.

The price of an adult follows from distance, cabin, brand, airline, the days until departure, the day of the week and
the season. A child pays 75 %, an infant on a lap 10 % of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise

from bot.flights.connections import Journey
from bot.flights.draw import draw
from bot.flights.model import Cabin, FareConditions, Party
from bot.flights.network import Leg
from payments.money import Money

CURRENCY = "USD"
CHILD_PERCENT = 75
INFANT_PERCENT = 10

_SHORT_HAUL, _MEDIUM_HAUL = 1_500, 4_500  # km


@dataclass(frozen=True, slots=True)
class Brand:
    """A fare family: how much freedom the price includes."""

    name: str
    price: int  # per mille
    extra_bags: int
    holdable: bool


LIGHT = Brand("Light", 880, 0, holdable=False)
CLASSIC = Brand("Classic", 1000, 1, holdable=True)
FLEX = Brand("Flex", 1310, 2, holdable=True)
BRANDS = (LIGHT, CLASSIC, FLEX)

# Per mille of economy, on short flights and on longer ones. The front of a small aeroplane is a smaller luxury.
_CABINS = {
    Cabin.ECONOMY: (1000, 1000),
    Cabin.PREMIUM_ECONOMY: (1350, 1620),
    Cabin.BUSINESS: (2200, 3400),
    Cabin.FIRST: (3000, 5600),
}
_CABIN_BAGS = {Cabin.ECONOMY: 0, Cabin.PREMIUM_ECONOMY: 1, Cabin.BUSINESS: 1, Cabin.FIRST: 1}

# Days until departure, and per mille of the usual fare from there down. Between them it is drawn straight.
_ADVANCE = ((0, 1900), (3, 1600), (7, 1300), (14, 1120), (21, 1030), (35, 960), (60, 880), (365, 900))
_WEEKDAYS = (1000, 950, 950, 1000, 1080, 1020, 1080)  # Monday first


def adult_fare(journeys: Sequence[Journey], cabin: Cabin, brand: Brand, today: date) -> int:
    """One adult, all directions, taxes included. Cents."""
    return sum(_direction(journey, cabin, brand, today) for journey in journeys)


def party_total(adult: int, party: Party) -> Money:
    """Everybody's price from one adult's, each share rounded to a cent (half to even)."""
    children = len(party.child_ages) * percent(adult, CHILD_PERCENT)
    infants = party.infants * percent(adult, INFANT_PERCENT)
    return Money(party.adults * adult + children + infants, CURRENCY)


def percent(cents: int, share: int) -> int:
    """A share of an amount of cents, half a cent to the even neighbour."""
    return int((Decimal(cents) * share / 100).quantize(Decimal(1), ROUND_HALF_EVEN))


def conditions(brand: Brand, longest: int, party: Party, total: Money) -> FareConditions:
    """The brand's terms. Penalties are for the whole order: so much a seat, by the longest direction (km)."""
    if brand is FLEX:
        return FareConditions(refundable=True, refund_penalty=None, changeable=True, change_penalty=None)
    seats = party.adults + len(party.child_ages)
    tier = 0 if longest <= _SHORT_HAUL else 1 if longest <= _MEDIUM_HAUL else 2
    change = Money((3_000, 5_000, 7_500)[tier] * seats, CURRENCY)
    if brand is LIGHT:
        return FareConditions(refundable=False, refund_penalty=None, changeable=False, change_penalty=None)
    refund = Money(min((4_000, 6_000, 7_500)[tier] * seats, total.minor), CURRENCY)
    return FareConditions(refundable=True, refund_penalty=refund, changeable=True, change_penalty=change)


def checked_bags(cabin: Cabin, brand: Brand) -> int:
    """For each traveller with a seat."""
    return min(brand.extra_bags + _CABIN_BAGS[cabin], 3)


def cabin_on(leg: Leg, journey: Journey, cabin: Cabin) -> Cabin:
    """The cabin of one leg: small feeders have no first class and no premium economy."""
    feeder = len(journey.legs) > 1 and leg.distance <= _SHORT_HAUL
    if feeder and any(other.distance > _SHORT_HAUL for other in journey.legs):
        return {Cabin.FIRST: Cabin.BUSINESS, Cabin.PREMIUM_ECONOMY: Cabin.ECONOMY}.get(cabin, cabin)
    return cabin


def _direction(journey: Journey, cabin: Cabin, brand: Brand, today: date) -> int:
    km = journey.distance
    first = journey.legs[0]
    day = first.departs.date()
    cents = 4_000 + 9 * min(km, _SHORT_HAUL) + 43 * max(km - _SHORT_HAUL, 0) // 10
    factors = (
        _CABINS[cabin][km > _SHORT_HAUL],
        brand.price,
        journey.carrier.price,
        _advance((day - today).days),
        _WEEKDAYS[day.weekday()],
        1150 if (day.month, day.day) >= (12, 15) or (day.month, day.day) <= (1, 5) or day.month in (7, 8) else 1000,
        (1080, 960, 930)[len(journey.legs) - 1],  # people pay to fly nonstop
        900 + draw(240, "demand", day, *((leg.carrier.code, leg.number, leg.origin.iata) for leg in journey.legs)),
    )
    for factor in factors:
        cents = cents * factor // 1000
    return cents + _taxes(journey)


def _advance(days: int) -> int:
    for (near, dear), (far, cheap) in pairwise(_ADVANCE):
        if days <= far:
            return dear + (cheap - dear) * max(days - near, 0) // (far - near)
    return _ADVANCE[-1][1]


def _taxes(journey: Journey) -> int:
    """Airport charges for each take-off, and a departure tax over a border. Cents."""
    charges = sum(900 + draw(2_100, "charge", leg.origin.iata) for leg in journey.legs)
    abroad = journey.legs[0].origin.country != journey.legs[-1].destination.country
    return charges + (1_500 + draw(3_500, "tax", journey.legs[0].origin.country) if abroad else 0)
