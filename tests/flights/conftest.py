"""The world's airports, a clock that the test turns, and requests."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import airportsdata
import pytest

from bot.flights.model import Airport, Cabin, Party, Place, PlaceKind, SearchRequest

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

CITIES = {
    "LON": ("LHR", "LGW", "STN"),
    "NYC": ("JFK", "EWR", "LGA"),
    "PAR": ("CDG", "ORY"),
}


class WorldAirports:
    """Airports as the gazetteer gives them, straight from the data."""

    def __init__(self) -> None:
        self.rows = airportsdata.load("IATA")

    def airport(self, iata: str) -> Airport:
        row = self.rows[iata]
        return Airport(iata, row["name"], row["city"], row["country"], row["tz"], row["lat"], row["lon"])


class TestClock:
    """Stands still until it is turned."""

    __test__ = False

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    def turn(self, **ahead: float) -> None:
        self.time += timedelta(**ahead)

    async def sleep(self, seconds: float) -> None:
        self.turn(seconds=seconds)


@pytest.fixture(scope="session")
def airports() -> WorldAirports:
    return WorldAirports()


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture(scope="session")
def ask(airports: WorldAirports) -> Callable[..., SearchRequest]:
    """``ask("LOS", "LON", date(…), back=…)``."""

    def place(code: str) -> Place:
        codes = CITIES.get(code, (code,))
        airport = airports.airport(codes[0])
        return Place(code, airport.city, PlaceKind.CITY, airport.country, codes)

    def request(
        origin: str,
        destination: str,
        depart: date,
        back: date | None = None,
        party: Party | None = None,
        cabin: Cabin = Cabin.ECONOMY,
    ) -> SearchRequest:
        return SearchRequest(place(origin), place(destination), depart, back, party or Party(), cabin)

    return request
