"""The airline is down, loses its answer, or has sold the seat: the traveller is told, and never booked twice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.flights.model import Contact, FlightSource, FlightSourceDown, Offer, OfferGone, Order, SearchRequest, Traveller
from bot.flights.places import Gazetteer
from bot.schema import bring_up_to_date
from runtime.database import Database
from tests.e2e.books import is_settled, problems_in
from tests.e2e.lives import Core, Outside, Trip, running
from tests.e2e.stage import until


@dataclass
class Airline:
    """Stands before a flight source; ``fails`` may raise before a confirmation, ``loses`` after it."""

    source: FlightSource
    fails: Callable[[int], Exception | None] = lambda attempt: None
    loses: Callable[[int], bool] = lambda attempt: False
    attempts: list[str] = field(default_factory=list)

    async def search(self, request: SearchRequest) -> Sequence[Offer]:
        return await self.source.search(request)

    async def reprice(self, offer: Offer) -> Offer:
        return await self.source.reprice(offer)

    async def reserve(
        self, booking_id: str, offer: Offer, travellers: Sequence[Traveller], contact: Contact
    ) -> Order | None:
        return await self.source.reserve(booking_id, offer, travellers, contact)

    async def confirm(self, booking_id: str, offer: Offer, travellers: Sequence[Traveller], contact: Contact) -> Order:
        self.attempts.append(booking_id)
        if (failure := self.fails(len(self.attempts))) is not None:
            raise failure
        order = await self.source.confirm(booking_id, offer, travellers, contact)
        if self.loses(len(self.attempts)):
            raise FlightSourceDown("the answer was lost on its way")
        return order

    async def release(self, booking_id: str) -> None:
        await self.source.release(booking_id)

    async def find(self, booking_id: str) -> Order | None:
        return await self.source.find(booking_id)


class World:
    """One life of the durable core with that airline before the timetable, and a traveller who books for two."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'layover.db'}"
        self.outside = Outside()
        self.trip = Trip(self.outside, 1)
        self.airline: Airline | None = None

    async def book(self, *, ends_with: str, **faults: Callable[[int], object]) -> list[str]:
        """What the chat was told, from the payment's confirmation on; returns when ``ends_with`` was said."""

        def before(source: FlightSource) -> FlightSource:
            self.airline = Airline(source, **faults)  # type: ignore[arg-type]
            return self.airline

        self.outside.airline = before
        await bring_up_to_date(self.url)
        async with Database.open(self.url) as database:
            core = Core(database, self.outside, Gazetteer.load())
            async with running(core):
                await self.trip.go_on(core, ends_with)
                await until(lambda: is_settled(database), within=20, what="everything said")
            return await problems_in(database, {self.trip.chat: 2}) if ends_with.endswith(".pdf") else []

    def said(self, words: str) -> int:
        """In how many letters."""
        return sum(words in letter for letter in self.trip.delivered.texts)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_an_airline_that_is_down_is_told_of_once_and_tried_until_it_answers(world: World) -> None:
    problems = await world.book(
        ends_with="Tunde-Obi.pdf", fails=lambda attempt: FlightSourceDown("no answer") if attempt <= 6 else None
    )
    assert problems == []
    assert world.said("The airline is slow to confirm") == 1
    assert world.said("You are booked") == 1
    assert len(world.trip.delivered.tickets) == 2


async def test_an_order_whose_answer_was_lost_is_found_and_not_sent_again(world: World) -> None:
    problems = await world.book(ends_with="Tunde-Obi.pdf", loses=lambda attempt: attempt == 1)
    assert problems == []
    assert world.airline is not None
    assert len(world.airline.attempts) == 1
    assert world.said("You are booked") == 1


async def test_a_fare_that_is_gone_after_payment_is_told_and_the_money_kept(world: World) -> None:
    await world.book(ends_with="Your money is safe", fails=lambda attempt: OfferGone("sold to somebody else"))
    assert world.said("could not confirm the seats") == 1
    assert world.trip.delivered.tickets == []
