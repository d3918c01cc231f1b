"""Which routes the sample airlines fly, how often, and when: a timetable that anybody asking finds the same.

Everything here follows from the pair of airports and the day, not from who asks: a flight shown as part of a
connection is the same flight, number and time, that a search for its own route shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Protocol
from zoneinfo import ZoneInfo

import structlog

from bot.flights.draw import draw
from bot.flights.geography import MAX_RANGE, SHORTEST_HOP, block_time, distance
from bot.flights.hubs import HUBS, LOW_COST_CARRIER, Carrier, home_carrier
from bot.flights.model import Airport, elapsed

log = structlog.get_logger()

_FIRST_DEPARTURE, _LAST_DEPARTURE = 6 * 60, 22 * 60 + 30  # minutes after midnight, local
_WAKING_HOURS = range(5, 24)  # when a long flight prefers to arrive


class Airports(Protocol):
    """The gazetteer's part that is needed here."""

    def airport(self, iata: str) -> Airport:
        """Raises KeyError for a code it does not know."""
        ...


@dataclass(frozen=True, slots=True)
class Leg:
    """One flight on one day."""

    carrier: Carrier
    number: str
    origin: Airport
    destination: Airport
    distance: int  # km
    departs: datetime
    arrives: datetime

    @property
    def key(self) -> str:
        """Names the flight and its day: ``X0403:OSLJFK:2026-12-24``."""
        return f"{self.carrier.code}{self.number}:{self.origin.iata}{self.destination.iata}:{self.departs.date()}"


class Network:
    """The routes. ``hubs`` are those that the gazetteer knows."""

    def __init__(self, airports: Airports) -> None:
        self.hubs = tuple(_known_hubs(airports))
        self._hub_codes = frozenset(hub.iata for hub in self.hubs)
        self._nearest = lru_cache(maxsize=4096)(self._find_nearest)
        self._on_day = lru_cache(maxsize=16384)(self._timetable)
        self.serves = lru_cache(maxsize=65536)(self._serves)

    def is_hub(self, airport: Airport) -> bool:
        return airport.iata in self._hub_codes

    def _serves(self, a: Airport, b: Airport) -> bool:
        """Does anybody fly nonstop? The same both ways. Large airports are linked far, small ones to near hubs."""
        km = distance(a, b)
        if not SHORTEST_HOP <= km <= MAX_RANGE:
            return False
        if b.iata in self._nearest(a) or a.iata in self._nearest(b):
            return True
        hubs = self.is_hub(a) + self.is_hub(b)
        chance = draw(100, "route", *sorted((a.iata, b.iata)))
        if hubs == 2:
            return chance < (100 if km <= 9_000 else 65 if km <= 12_000 else 20)
        if hubs == 1:
            return km <= 6_000 and chance < (80 if km <= 1_500 else 45 if km <= 3_500 else 12)
        return km <= 2_500 and chance < (45 if km <= 1_200 else 15)

    def legs(self, a: Airport, b: Airport, day: date) -> Sequence[Leg]:
        """Every flight that leaves ``a`` for ``b`` on that (local) day, earliest first; of a served route or not."""
        return self._on_day(a, b, day)

    def _timetable(self, a: Airport, b: Airport, day: date) -> Sequence[Leg]:
        km = distance(a, b)
        legs = [leg for carrier in self._carriers(a, b, km) for leg in self._flights(carrier, a, b, km, day)]
        return tuple(sorted(legs, key=lambda leg: (leg.departs, leg.carrier.code)))

    def _carriers(self, a: Airport, b: Airport, km: int) -> list[Carrier]:
        """The home airlines of both ends that are hubs (of both where none is), and the low-cost one nearby."""
        ends = [end for end in (a, b) if self.is_hub(end)] or [a, b]
        carriers = {home_carrier(end).code: home_carrier(end) for end in ends}
        if km <= LOW_COST_CARRIER.range and draw(100, "low-cost", *sorted((a.iata, b.iata))) < 50:
            carriers[LOW_COST_CARRIER.code] = LOW_COST_CARRIER
        return list(carriers.values())

    def _flights(self, carrier: Carrier, a: Airport, b: Airport, km: int, day: date) -> list[Leg]:
        hubs = self.is_hub(a) + self.is_hub(b)
        daily = _flights_a_day(km, hubs)
        thin = hubs == 0 and draw(100, "thin", carrier.code, *sorted((a.iata, b.iata))) < 50
        if thin and draw(7, "off", carrier.code, a.iata, b.iata, day.isoweekday()) < 3:
            return []
        return [_leg(carrier, a, b, km, day, turn, daily) for turn in range(daily)]

    def _find_nearest(self, airport: Airport) -> frozenset[str]:
        """The three hubs that any airport is linked with, so that the whole world can be reached."""
        ranked = sorted((distance(airport, hub), hub.iata) for hub in self.hubs if hub.iata != airport.iata)
        return frozenset([code for km, code in ranked if km >= SHORTEST_HOP][:3])


def _known_hubs(airports: Airports) -> list[Airport]:
    hubs = []
    for code in HUBS:
        try:
            hubs.append(airports.airport(code))
        except KeyError:  # closed, or the gazetteer's data have changed: connect elsewhere
            log.warning("hub_unknown", airport=code)
    return hubs


def _flights_a_day(km: int, hubs: int) -> int:
    """Of one airline on a route between so many large airports (0 to 2)."""
    if km > 9_000:
        return 1
    if hubs == 2:
        return 5 if km <= 1_500 else 3 if km <= 4_500 else 2
    return (2 if km <= 1_500 else 1) + (hubs == 1)


def _leg(carrier: Carrier, a: Airport, b: Airport, km: int, day: date, turn: int, daily: int) -> Leg:
    """The ``turn``-th of the day's flights; each has its own part of the day."""
    departs, arrives = _times(carrier, a, b, day, turn, daily)
    span = range(10, 900) if km > 4_500 else range(1_000, 9_000)
    base = span.start + 2 * draw((len(span) - 20) // 2, "number", carrier.code, *sorted((a.iata, b.iata)))
    number = base + 2 * turn + (a.iata > b.iata)  # even there, odd back
    return Leg(carrier, str(number), a, b, km, departs, arrives)


def _times(carrier: Carrier, a: Airport, b: Airport, day: date, turn: int, daily: int) -> tuple[datetime, datetime]:
    """Departure on its wall clock, the same on every day; the arrival is what the zones make of it."""
    part = (_LAST_DEPARTURE - _FIRST_DEPARTURE) // daily
    block = block_time(a, b)
    minute = 0
    for attempt in range(4 if block > timedelta(hours=4) else 1):
        into = draw(part, "at", carrier.code, a.iata, b.iata, turn, attempt)
        minute = (_FIRST_DEPARTURE + turn * part + into) // 5 * 5
        if _typical_arrival(a, b, minute, block).hour in _WAKING_HOURS:
            break
    clock = time(minute // 60, minute % 60)
    departs = datetime.combine(day, clock, ZoneInfo(a.timezone))
    arrives = (departs.astimezone(UTC) + block).astimezone(ZoneInfo(b.timezone))
    assert elapsed(departs, arrives) == block
    return departs, arrives


def _typical_arrival(a: Airport, b: Airport, minute: int, block: timedelta) -> datetime:
    """On one fixed day of the year, so that a change of the clocks does not move the whole timetable."""
    departs = datetime(2026, 6, 1, minute // 60, minute % 60, tzinfo=ZoneInfo(a.timezone))
    return (departs.astimezone(UTC) + block).astimezone(ZoneInfo(b.timezone))
