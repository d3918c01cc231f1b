"""The offline timetable is invented, and right in everything that can be right."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest

from bot.flights import codec
from bot.flights.geography import MAX_RANGE, block_time, distance, same_city
from bot.flights.hubs import HUBS, LOW_COST_CARRIER, NETWORK_CARRIERS
from bot.flights.model import Airport, Cabin, Offer, Party, SearchRequest, Segment
from bot.flights.network import Airports, Network
from bot.flights.timetable_search import VALID_FOR, ImpossibleDates, SameCity, search
from payments.money import Money

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
Ask = Callable[..., SearchRequest]


@pytest.fixture(scope="session")
def network(airports: Airports) -> Network:
    return Network(airports)


@pytest.fixture(scope="session")
def find(network: Network, airports: Airports, ask: Ask) -> Callable[..., list[Offer]]:
    def offers(*words: Any, now: datetime = NOW, **more: Any) -> list[Offer]:
        return search(network, airports, ask(*words, **more), now)

    return offers


Find = Callable[..., list[Offer]]

JOURNEYS = [
    ("LOS", "LON", date(2026, 11, 27), date(2026, 12, 12)),
    ("LON", "NYC", date(2026, 12, 24), date(2027, 1, 2)),
    ("AMS", "LHR", date(2026, 12, 1), None),
    ("SYD", "LHR", date(2026, 12, 24), None),  # no nonstop: 17,000 km
    ("AKL", "LAX", date(2026, 12, 31), date(2027, 1, 9)),  # over the date line
    ("KAD", "LHR", date(2026, 12, 3), None),  # from a small airport
    ("INV", "CNS", date(2026, 12, 24), date(2027, 1, 20)),  # two connections
    ("BER", "PRG", date(2026, 12, 24), date(2026, 12, 24)),  # there and back in a day
    ("JFK", "LAX", date(2027, 3, 14), None),  # summer time begins that night
    ("DEL", "KTM", date(2026, 12, 24), None),  # zones of half and of quarter hours
]


def segments(offers: Iterable[Offer]) -> list[Segment]:
    return [segment for offer in offers for part in offer.slices for segment in part.segments]


def test_knows_all_its_hubs(network: Network) -> None:
    assert len(network.hubs) == len(HUBS)


def test_airlines_are_invented_and_say_so(find: Find) -> None:
    offers = find("LON", "NYC", date(2026, 12, 24))
    assert all(offer.is_sample and offer.source == "timetable" for offer in offers)
    names = {carrier.name for carrier in (*NETWORK_CARRIERS, LOW_COST_CARRIER)}
    assert {offer.airline for offer in offers} <= names
    assert all(word.split()[0] in {"Sample", "Example", "Placeholder", "Specimen", "Demo"} for word in names)


@pytest.mark.parametrize("journey", JOURNEYS, ids=lambda journey: f"{journey[0]}-{journey[1]}")
def test_offers_are_right_in_all_that_can_be_right(find: Find, ask: Ask, journey: tuple[Any, ...]) -> None:
    *_, depart, back = journey
    request = ask(*journey)
    offers = find(*journey)
    assert (5 if back == depart else 20) <= len(offers) <= 40
    assert offers == sorted(offers, key=lambda offer: offer.total.minor)
    assert len({offer.id for offer in offers}) == len(offers)
    for offer in offers:
        assert len(offer.slices) == (2 if back else 1)
        assert offer.slices[0].departs.date() == depart
        assert offer.slices[0].segments[0].origin.iata in request.origin.airports
        assert offer.slices[0].segments[-1].destination.iata in request.destination.airports
        if back:
            assert offer.slices[1].departs.date() == back
            assert offer.slices[1].segments[0].origin == offer.slices[0].segments[-1].destination
            assert offer.slices[1].segments[-1].destination == offer.slices[0].segments[0].origin
            assert offer.slices[1].departs - offer.slices[0].arrives >= timedelta(hours=2)
        for part in offer.slices:
            check_connections(part.segments)
    for segment in segments(offers):
        check_flight(segment)


def check_flight(segment: Segment) -> None:
    """Its times are local to its airports, and as far apart as the distance makes them."""
    assert str(segment.departs.tzinfo) == segment.origin.timezone
    assert str(segment.arrives.tzinfo) == segment.destination.timezone
    assert 80 <= distance(segment.origin, segment.destination) <= MAX_RANGE
    assert segment.duration == block_time(segment.origin, segment.destination)
    assert segment.departs.minute % 5 == 0
    assert segment.departs.hour in range(6, 23)


def check_connections(flights: tuple[Segment, ...]) -> None:
    assert 1 <= len(flights) <= 3
    for before, after in pairwise(flights):
        assert before.destination == after.origin
        assert timedelta(minutes=45) <= after.departs.astimezone(UTC) - before.arrives.astimezone(UTC)
        assert after.departs.astimezone(UTC) - before.arrives.astimezone(UTC) <= timedelta(hours=12)
        assert before.flight != after.flight
    flown = sum(distance(flight.origin, flight.destination) for flight in flights)
    assert flown <= 1.5 * distance(flights[0].origin, flights[-1].destination) + 1
    stops = [flights[0].origin, *(flight.destination for flight in flights)]
    assert not any(same_city(a, b) for a, b in combinations(stops, 2))


@pytest.mark.parametrize(
    ("a", "b", "km"),
    [("LHR", "JFK", 5_540), ("LOS", "LHR", 5_000), ("SYD", "LHR", 17_020), ("AMS", "LHR", 370), ("AKL", "LAX", 10_480)],
)
def test_distances_are_great_circles(airports: Airports, a: str, b: str, km: int) -> None:
    assert distance(airports.airport(a), airports.airport(b)) == pytest.approx(km, rel=0.005)


@pytest.mark.parametrize(
    ("a", "b", "least", "most"),  # hours, as airlines publish them
    [("LHR", "JFK", 7.2, 8.2), ("JFK", "LHR", 6.7, 7.2), ("LOS", "LHR", 6.4, 6.9), ("AMS", "LHR", 1.0, 1.4),
     ("SIN", "LHR", 13.0, 14.2), ("LHR", "SIN", 12.8, 13.8)],
)  # fmt: skip
def test_flying_times_are_those_of_jets(airports: Airports, a: str, b: str, least: float, most: float) -> None:
    assert least <= block_time(airports.airport(a), airports.airport(b)) / timedelta(hours=1) <= most


def test_a_flight_over_the_date_line_arrives_the_day_before_it_left(find: Find) -> None:
    direct = [offer.slices[0] for offer in find("AKL", "LAX", date(2026, 12, 31)) if not offer.slices[0].stops]
    assert direct
    assert any(flight.arrives.replace(tzinfo=None) < flight.departs.replace(tzinfo=None) for flight in direct)
    assert all(timedelta(hours=12) < flight.duration < timedelta(hours=14) for flight in direct)


def test_summer_time_moves_the_offset_not_the_clock_of_departure(find: Find) -> None:
    def departures(day: date) -> dict[str, datetime]:
        return {
            flight.flight: flight.departs for flight in segments(find("LON", "NYC", day)) if flight.origin.iata == "LHR"
        }

    winter, summer = departures(date(2027, 3, 27)), departures(date(2027, 3, 28))  # the clocks change in between
    both = winter.keys() & summer.keys()
    assert both
    for flight in both:
        assert winter[flight].time() == summer[flight].time()
        assert winter[flight].utcoffset() == timedelta(0)
        assert summer[flight].utcoffset() == timedelta(hours=1)


def test_a_connection_uses_flights_that_their_own_route_has_too(find: Find) -> None:
    through = next(
        part.segments for offer in find("KAD", "LHR", date(2026, 12, 3)) for part in offer.slices if part.stops == 1
    )
    own = segments(find(through[1].origin.iata, "LHR", through[1].departs.date()))
    assert (through[1].flight, through[1].departs) in {(flight.flight, flight.departs) for flight in own}


def test_the_same_request_has_the_same_offers_in_another_process(find: Find, ask: Ask) -> None:
    script = """
import sys, json
sys.path.insert(0, "tests/flights")
from conftest import NOW, WorldAirports
from datetime import date
from bot.flights import codec
from bot.flights.model import SearchRequest
from bot.flights.network import Network
from bot.flights.timetable_search import search
world = WorldAirports()
request = codec.load(SearchRequest, json.loads(sys.stdin.read()))
print(json.dumps(codec.dump_all(search(Network(world), world, request, NOW))))
"""
    request = ask("LON", "NYC", date(2026, 12, 24), date(2027, 1, 2))
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(codec.dump(request)),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)},
        check=True,
    )
    there = codec.load_all(Offer, json.loads(done.stdout))
    assert list(there) == find("LON", "NYC", date(2026, 12, 24), date(2027, 1, 2))


def test_who_travels_changes_the_price_and_not_the_flights(find: Find) -> None:
    alone = find("LOS", "LON", date(2026, 11, 27))
    family = find("LOS", "LON", date(2026, 11, 27), party=Party(adults=2, child_ages=(4, 9), infants=1))
    assert [offer.slices for offer in alone] == [offer.slices for offer in family]
    for one, five in zip(alone, family, strict=True):
        child = (Money(one.total.minor, "USD").amount * 75 / 100).quantize(one.total.amount)
        infant = (Money(one.total.minor, "USD").amount * 10 / 100).quantize(one.total.amount)
        assert five.total.amount == 2 * one.total.amount + 2 * child + infant


def test_prices_follow_cabin_and_time(find: Find) -> None:
    def cheapest(cabin: Cabin = Cabin.ECONOMY, now: datetime = NOW) -> int:
        return find("LON", "NYC", date(2027, 2, 16), cabin=cabin, now=now)[0].total.minor

    cabins = [cheapest(cabin) for cabin in Cabin]
    assert cabins == sorted(cabins)
    assert 150_00 < cabins[0] < 600_00
    assert cheapest(now=datetime(2027, 2, 14, tzinfo=UTC)) > 1.5 * cheapest()


def test_small_feeders_have_no_first_class(find: Find) -> None:
    offers = find("LON", "NYC", date(2026, 12, 24), cabin=Cabin.FIRST)
    mixed = [part.segments for offer in offers for part in offer.slices if part.stops]
    assert mixed
    for flights in mixed:
        assert max(flights, key=lambda flight: distance(flight.origin, flight.destination)).cabin is Cabin.FIRST
        for flight in flights:
            if distance(flight.origin, flight.destination) <= 1_500:
                assert flight.cabin is Cabin.BUSINESS


def test_terms_of_a_fare_agree_with_each_other(find: Find) -> None:
    offers = find("LOS", "LON", date(2026, 12, 27), date(2027, 1, 12), party=Party(adults=2))
    light = [offer for offer in offers if not offer.conditions.refundable]
    others = [offer for offer in offers if offer.conditions.refundable]
    assert light
    assert others
    assert all(offer.holdable_until is None for offer in light)
    assert all(offer.holdable_until == NOW + timedelta(hours=48) for offer in others)
    assert all(offer.expires_at == NOW + VALID_FOR for offer in offers)
    assert all(segment.checked_bags == 0 for segment in segments(light))
    assert all(segment.checked_bags >= 1 for segment in segments(others))
    penalties = {offer.conditions.refund_penalty for offer in others}
    assert penalties <= {None, Money(150_00, "USD")}


def test_nothing_is_sold_that_leaves_before_it_can_be_boarded(find: Find) -> None:
    offers = find("AMS", "LHR", date(2026, 11, 20))
    assert offers
    assert all(offer.slices[0].departs >= NOW + timedelta(minutes=90) for offer in offers)


def test_within_a_city_nobody_flies(find: Find) -> None:
    with pytest.raises(SameCity, match="same city"):
        find("LON", "LGW", date(2026, 12, 24))
    with pytest.raises(SameCity):
        find("LHR", "LHR", date(2026, 12, 24))


def test_impossible_dates_are_refused(find: Find) -> None:
    with pytest.raises(ImpossibleDates, match="is over"):
        find("LON", "NYC", date(2026, 11, 19))
    with pytest.raises(ImpossibleDates, match="before the departure"):
        find("LON", "NYC", date(2026, 12, 24), date(2026, 12, 23))


def test_any_two_towns_of_the_world(network: Network, airports: Airports, ask: Ask) -> None:
    """Almost all can be reached, all that is found holds together, and a search is quick."""
    chance = random.Random(2026)
    codes = sorted(airports.rows)  # type: ignore[attr-defined]
    found, spent = 0, 0.0
    for _ in range(60):
        origin, destination = chance.sample(codes, 2)
        began = time.process_time()
        offers = search(network, airports, ask(origin, destination, date(2026, 12, 15)), NOW)
        spent += time.process_time() - began
        found += bool(offers)
        for segment in segments(offers):
            check_flight(segment)
        for offer in offers:
            check_connections(offer.slices[0].segments)
    assert found >= 54
    assert spent / 60 < 0.030


def test_an_unknown_hub_is_left_out(airports: Airports) -> None:
    class WithoutFrankfurt:
        def airport(self, iata: str) -> Airport:
            if iata == "FRA":
                raise KeyError(iata)
            return airports.airport(iata)

    assert len(Network(WithoutFrankfurt()).hubs) == len(HUBS) - 1
