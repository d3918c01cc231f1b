"""The timetable is the airline: it keeps its orders, once each, whatever is repeated and whoever comes first."""

import asyncio
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from bot.flights.model import (
    Contact,
    FlightSource,
    Gender,
    Offer,
    OfferGone,
    OrderState,
    Party,
    PassengerType,
    SearchRequest,
    Traveller,
)
from bot.flights.network import Airports
from bot.flights.tables import metadata
from bot.flights.timetable import OrderMismatch, TimetableSource
from runtime.database import Database

PARTY = [
    Traveller(PassengerType.ADULT, "Ada", "Obi", date(1990, 5, 1), Gender.FEMALE),
    Traveller(PassengerType.ADULT, "Tunde", "Obi", date(1988, 2, 29), Gender.MALE),
]
CONTACT = Contact("ada@example.org", "+2348012345678")


@pytest.fixture
async def source(database: Database, clock: Any, airports: Airports) -> FlightSource:
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    return TimetableSource(database, clock, airports)


@pytest.fixture
async def offers(source: FlightSource, ask: Callable[..., SearchRequest]) -> tuple[Offer, Offer]:
    """One that can be held, and one that must be paid at once."""
    found = await source.search(ask("LOS", "LON", date(2026, 12, 27), date(2027, 1, 12), party=Party(adults=2)))
    return next(o for o in found if o.holdable_until), next(o for o in found if not o.holdable_until)


async def test_a_held_offer_is_ticketed_after_it_has_expired(
    source: FlightSource, offers: tuple[Offer, Offer], clock: Any
) -> None:
    held, _ = offers
    reserved = await source.reserve("bkg_1", held, PARTY, CONTACT)
    assert reserved is not None
    assert reserved.state is OrderState.RESERVED
    assert reserved.ticket_numbers == ()
    clock.turn(hours=24)
    with pytest.raises(OfferGone):
        await source.reprice(held)
    order = await source.confirm("bkg_1", held, PARTY, CONTACT)
    assert order.state is OrderState.CONFIRMED
    assert (order.id, order.airline_reference) == (reserved.id, reserved.airline_reference)
    assert len(set(order.ticket_numbers)) == 2
    assert all(len(number) == 13 and number.isdigit() and number.startswith("000") for number in order.ticket_numbers)
    assert await source.find("bkg_1") == order


async def test_an_instant_fare_has_no_hold_and_is_ticketed_at_once(
    source: FlightSource, offers: tuple[Offer, Offer]
) -> None:
    _, instant = offers
    assert await source.reserve("bkg_1", instant, PARTY, CONTACT) is None
    assert await source.find("bkg_1") is None
    assert (await source.confirm("bkg_1", instant, PARTY, CONTACT)).state is OrderState.CONFIRMED


async def test_every_verb_may_be_repeated(source: FlightSource, offers: tuple[Offer, Offer], clock: Any) -> None:
    held, _ = offers
    first = await source.reserve("bkg_1", held, PARTY, CONTACT)
    assert await source.reserve("bkg_1", held, PARTY, CONTACT) == first
    order = await source.confirm("bkg_1", held, PARTY, CONTACT)
    clock.turn(days=30)  # an answer that was lost for long
    assert await source.confirm("bkg_1", held, PARTY, CONTACT) == order
    assert await source.reserve("bkg_1", held, PARTY, CONTACT) == order
    await source.release("bkg_1")  # a ticket is not a hold
    assert await source.find("bkg_1") == order
    await source.release("bkg_unknown")


async def test_orders_survive_the_program(
    source: FlightSource, offers: tuple[Offer, Offer], database_url: str, clock: Any, airports: Airports
) -> None:
    order = await source.confirm("bkg_1", offers[1], PARTY, CONTACT)
    async with Database.open(database_url) as reopened:
        assert await TimetableSource(reopened, clock, airports).find("bkg_1") == order


async def test_callers_at_once_make_one_order(
    source: FlightSource, offers: tuple[Offer, Offer], database_url: str, clock: Any, airports: Airports
) -> None:
    async with Database.open(database_url) as elsewhere:
        other = TimetableSource(elsewhere, clock, airports)
        callers = [one.confirm("bkg_1", offers[0], PARTY, CONTACT) for one in (source, other) for _ in range(10)]
        orders = await asyncio.gather(*callers)
        assert len(set(orders)) == 1
        different = await asyncio.gather(
            *(source.confirm(f"bkg_{number}", offers[0], PARTY, CONTACT) for number in range(2, 12))
        )
    assert len({number for order in different for number in order.ticket_numbers}) == 20
    assert len({order.airline_reference for order in different}) == 10


async def test_what_was_given_back_cannot_be_ticketed(source: FlightSource, offers: tuple[Offer, Offer]) -> None:
    held, _ = offers
    await source.reserve("bkg_1", held, PARTY, CONTACT)
    await source.release("bkg_1")
    order = await source.find("bkg_1")
    assert order is not None
    assert order.state is OrderState.RELEASED
    for verb in (source.confirm, source.reserve):
        with pytest.raises(OfferGone, match="search again"):
            await verb("bkg_1", held, PARTY, CONTACT)


async def test_a_hold_ends(source: FlightSource, offers: tuple[Offer, Offer], clock: Any) -> None:
    held, _ = offers
    await source.reserve("bkg_1", held, PARTY, CONTACT)
    clock.turn(hours=48)
    order = await source.find("bkg_1")
    assert order is not None
    assert order.state is OrderState.RELEASED
    with pytest.raises(OfferGone):
        await source.confirm("bkg_1", held, PARTY, CONTACT)


async def test_an_expired_offer_is_gone(source: FlightSource, offers: tuple[Offer, Offer], clock: Any) -> None:
    held, instant = offers
    clock.turn(minutes=89)
    assert await source.reprice(instant) == instant
    clock.turn(minutes=1)
    with pytest.raises(OfferGone, match="expired"):
        await source.reprice(instant)
    with pytest.raises(OfferGone):
        await source.confirm("bkg_1", instant, PARTY, CONTACT)
    with pytest.raises(OfferGone):
        await source.reserve("bkg_2", held, PARTY, CONTACT)
    assert await source.find("bkg_1") is None


async def test_a_booking_is_for_one_offer_and_its_whole_party(
    source: FlightSource, offers: tuple[Offer, Offer]
) -> None:
    held, instant = offers
    with pytest.raises(OrderMismatch, match="1 travellers"):
        await source.confirm("bkg_1", held, PARTY[:1], CONTACT)
    await source.confirm("bkg_1", held, PARTY, CONTACT)
    with pytest.raises(OrderMismatch, match="not for"):
        await source.confirm("bkg_1", instant, PARTY, CONTACT)


async def test_holds_are_given_only_well_before_departure(
    source: FlightSource, ask: Callable[..., SearchRequest]
) -> None:
    soon = await source.search(ask("LOS", "LON", date(2026, 11, 23)))
    assert soon
    assert all(offer.holdable_until is None for offer in soon)
    later = await source.search(ask("LOS", "LON", date(2026, 11, 27)))
    assert all(
        offer.slices[0].departs - offer.holdable_until > timedelta(hours=48) for offer in later if offer.holdable_until
    )
