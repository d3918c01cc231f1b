"""From one airport to another on one day: nonstop, or through hubs that lie on the way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from bot.flights.geography import SHORTEST_HOP, distance, same_city
from bot.flights.hubs import Carrier, connection_time, home_carrier
from bot.flights.model import Airport, elapsed
from bot.flights.network import Leg, Network

MAX_DETOUR = 1.5  # flown kilometres against the great circle
LONGEST_LAYOVER = timedelta(hours=12)
_HUBS_TRIED = 12  # those with the smallest detour
_KEPT_A_HUB = 3  # journeys, shortest first
_FEW = 4  # with fewer journeys than that, two stops are tried
_PAIRS_TRIED = 60
_ENOUGH = 12  # journeys with two stops

_SMALL_AIRCRAFT = 1_500  # km that one flies between small airports


@dataclass(frozen=True, slots=True)
class Journey:
    """Legs one after another."""

    legs: tuple[Leg, ...]

    @property
    def carrier(self) -> Carrier:
        """The airline of its longest leg: it sells the ticket."""
        return max(self.legs, key=lambda leg: leg.distance).carrier

    @property
    def origin(self) -> Airport:
        return self.legs[0].origin

    @property
    def destination(self) -> Airport:
        return self.legs[-1].destination

    @property
    def departs(self) -> datetime:
        return self.legs[0].departs

    @property
    def arrives(self) -> datetime:
        return self.legs[-1].arrives

    @property
    def duration(self) -> timedelta:
        return elapsed(self.departs, self.arrives)

    @property
    def distance(self) -> int:
        """Great circle between its ends, km: what a fare is counted by."""
        return distance(self.origin, self.destination)


def nonstop(network: Network, a: Airport, b: Airport, day: date) -> list[Journey]:
    """The direct flights of the ``a``-local day."""
    return [Journey((leg,)) for leg in network.legs(a, b, day)] if network.serves(a, b) else []


def connecting(network: Network, a: Airport, b: Airport, day: date) -> list[Journey]:
    """Through one hub, or two where that gives little; by a small direct flight where no hub lies on the way."""
    km = distance(a, b)
    found = _through_one(network, a, b, day, km)
    if len(found) < _FEW and km > _SMALL_AIRCRAFT:
        found += _through_two(network, a, b, day, km)
    if not found and not network.serves(a, b) and SHORTEST_HOP <= km <= _SMALL_AIRCRAFT:
        return [Journey((leg,)) for leg in network.legs(a, b, day)]
    return found


def worthwhile(found: Sequence[Journey]) -> list[Journey]:
    """Without those that nobody would take beside the fastest."""
    if not found:
        return []
    fastest = min(journey.duration for journey in found)
    return [journey for journey in found if journey.duration <= fastest * 3 / 2 + timedelta(hours=5)]


def _through_one(network: Network, a: Airport, b: Airport, day: date, km: int) -> list[Journey]:
    """One airline all the way: the hub's own."""
    ranked = sorted(
        (distance(a, hub) + distance(hub, b), hub.iata, hub)
        for hub in network.hubs
        if not same_city(hub, a) and not same_city(hub, b)
    )
    on_the_way = [hub for flown, _, hub in ranked if flown <= km * MAX_DETOUR]
    usable = [hub for hub in on_the_way if network.serves(a, hub) and network.serves(hub, b)]
    found: list[Journey] = []
    for hub in usable[:_HUBS_TRIED]:
        found += _shortest(network, (a, hub, b), (home_carrier(hub), home_carrier(hub)), day)
    return found


def _through_two(network: Network, a: Airport, b: Airport, day: date, km: int) -> list[Journey]:
    """Each hub's own airline for its end; the first one flies between them."""
    longest = km * MAX_DETOUR
    near_way = [hub for hub in network.hubs if distance(a, hub) + distance(hub, b) <= longest]
    first = [hub for hub in near_way if network.serves(a, hub) and not same_city(hub, b)]
    last = [hub for hub in near_way if network.serves(hub, b) and not same_city(hub, a)]
    ranked = sorted(
        (distance(a, one) + distance(one, two) + distance(two, b), one.iata, two.iata, one, two)
        for one in first
        for two in last
        if network.serves(one, two)
    )
    found: list[Journey] = []
    for flown, _, _, one, two in ranked[:_PAIRS_TRIED]:
        if flown <= longest and len(found) < _ENOUGH:
            carriers = (home_carrier(one), home_carrier(one), home_carrier(two))
            found += _shortest(network, (a, one, two, b), carriers, day)
    return found


def _shortest(network: Network, stops: tuple[Airport, ...], carriers: tuple[Carrier, ...], day: date) -> list[Journey]:
    candidates = []
    for leg in network.legs(stops[0], stops[1], day):
        if leg.carrier == carriers[0]:
            candidates += [Journey(legs) for legs in _continue(network, (leg,), stops[2:], carriers[1:])]
    return sorted(candidates, key=lambda journey: journey.duration)[:_KEPT_A_HUB]


def _continue(
    network: Network, legs: tuple[Leg, ...], onward: tuple[Airport, ...], carriers: tuple[Carrier, ...]
) -> Iterator[tuple[Leg, ...]]:
    """The next flight that can be reached, to the end; nothing where none leaves in time."""
    if not onward:
        yield legs
        return
    last = legs[-1]
    ready = connection_time(last.origin, last.destination, onward[0])
    for days_later in (0, 1):
        for leg in network.legs(last.destination, onward[0], last.arrives.date() + timedelta(days=days_later)):
            layover = elapsed(last.arrives, leg.departs)
            if leg.carrier == carriers[0] and ready <= layover <= LONGEST_LAYOVER and leg.number != last.number:
                yield from _continue(network, (*legs, leg), onward[1:], carriers[1:])
                return
