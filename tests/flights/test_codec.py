"""A trip read back from the database is the trip that was written, to the last hour and cent."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.flights import codec
from bot.flights.model import Airport, Contact, Offer, Order, SearchRequest, Segment, Traveller
from bot.flights.network import Airports, Network
from bot.flights.timetable_search import search

ZONES = sorted(zone for zone in available_timezones() if "/" in zone)

moments = st.datetimes(
    min_value=datetime(2000, 1, 1),
    max_value=datetime(2060, 1, 1),
    timezones=st.sampled_from([*map(ZoneInfo, ZONES), UTC]),
)
degrees = st.integers(-1_800_000, 1_800_000).map(lambda ten_thousandths: ten_thousandths / 10_000)
st.register_type_strategy(Airport, st.builds(Airport, latitude=degrees, longitude=degrees))
st.register_type_strategy(Segment, st.builds(Segment, departs=moments, arrives=moments))
st.register_type_strategy(Offer, st.builds(Offer, expires_at=moments, holdable_until=st.none() | moments))


@pytest.mark.parametrize("kind", [Offer, SearchRequest, Traveller, Contact, Order])
def test_what_was_written_is_read_back(kind: type[Any]) -> None:
    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.from_type(kind))
    def round_trip(value: Any) -> None:
        document = json.loads(json.dumps(codec.dump(value)))
        again = codec.load(kind, document)
        assert again == value
        assert repr(again) == repr(value)  # equal times may differ in their zone or fold, their text does not

    round_trip()


def test_the_hour_that_comes_twice_keeps_its_place(offer: Offer) -> None:
    twice = datetime(2026, 10, 25, 1, 30, tzinfo=ZoneInfo("Europe/London"))
    for fold, offset in ((0, 1), (1, 0)):
        changed = json.loads(json.dumps(codec.dump(_departing(offer, twice.replace(fold=fold)))))
        departs = codec.load(Offer, changed).slices[0].departs
        assert departs.utcoffset() == timedelta(hours=offset)


def test_a_time_with_an_offset_alone_is_kept_as_the_same_moment(offer: Offer) -> None:
    moment = datetime(2026, 10, 25, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    again = codec.load(Offer, codec.dump(_departing(offer, moment))).slices[0].departs
    assert again == moment
    assert again.tzinfo is UTC


def test_the_offers_of_a_search_keep_order_and_stay_small(
    airports: Airports, ask: Callable[..., SearchRequest]
) -> None:
    request = ask("LON", "NYC", date(2026, 12, 24), date(2027, 1, 2))
    offers = search(Network(airports), airports, request, datetime(2026, 11, 20, tzinfo=UTC))
    text = json.dumps(codec.dump_all(offers))
    assert list(codec.load_all(Offer, json.loads(text))) == offers
    assert len(text) < 1_800 * len(offers)  # each airport is written once
    assert codec.load_all(Offer, codec.dump_all([])) == ()


def test_a_document_says_what_it_is(offer: Offer) -> None:
    document = codec.dump(offer)
    for wrong in (document | {"v": 2}, document | {"data": {}}, document | {"airports": []}, {}):
        with pytest.raises(codec.UnreadableDocument, match="stored Offer"):
            codec.load(Offer, wrong)
    with pytest.raises(codec.UnreadableDocument, match="it holds 'Offer'"):
        codec.load(Order, document)


@pytest.fixture(scope="module")
def offer(airports: Airports, ask: Callable[..., SearchRequest]) -> Offer:
    request = ask("LON", "NYC", date(2026, 12, 24))
    return search(Network(airports), airports, request, datetime(2026, 11, 20, tzinfo=UTC))[0]


def _departing(offer: Offer, departs: datetime) -> Offer:
    part = offer.slices[0]
    first = replace(part.segments[0], departs=departs)
    return replace(offer, slices=(replace(part, segments=(first, *part.segments[1:])),))
