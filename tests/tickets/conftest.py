"""Trips and tickets to print."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.flights.model import (
    Airport,
    Cabin,
    FareConditions,
    Gender,
    Offer,
    Party,
    PassengerType,
    Segment,
    Slice,
    Traveller,
)
from bot.tickets.ticket import Receipt, Ticket
from payments.money import Money

AIRPORTS = {
    "LOS": Airport("LOS", "Murtala Muhammed International Airport", "Lagos", "NG", "Africa/Lagos", 6.577, 3.321),
    "ATL": Airport(
        "ATL", "Hartsfield/Jackson Atlanta International Airport", "Atlanta", "US", "America/New_York", 33.64, -84.43
    ),
    "LHR": Airport("LHR", "London Heathrow Airport", "London", "GB", "Europe/London", 51.47, -0.461),
    "KTM": Airport("KTM", "Tribhuvan International Airport", "Kathmandu", "NP", "Asia/Kathmandu", 27.697, 85.359),
}
HASH = "0x" + "9f3c2b" * 10 + "9f21"


def fly(start: datetime, *stops: str) -> Slice:
    """Six hours a flight, two hours a change, from ``start`` (UTC)."""
    segments = []
    for place, (here, there) in enumerate(pairwise(stops)):
        departs = start + timedelta(hours=8 * place)
        origin, destination = AIRPORTS[here], AIRPORTS[there]
        segments.append(
            Segment(
                carrier="X0",
                carrier_name="Sample Air",
                number=str(401 + place),
                origin=origin,
                destination=destination,
                departs=departs.astimezone(ZoneInfo(origin.timezone)),
                arrives=(departs + timedelta(hours=6, minutes=40)).astimezone(ZoneInfo(destination.timezone)),
                cabin=Cabin.PREMIUM_ECONOMY,
                checked_bags=1,
                origin_terminal="2",
            )
        )
    return Slice(tuple(segments))


@pytest.fixture
def make_ticket() -> Callable[..., Ticket]:
    """``make_ticket("Ada", "Obi", stops=…, is_sample=…, receipt={…})``."""

    def make(
        given: str = "Ada",
        family: str = "Obi",
        *,
        stops: int = 0,
        one_way: bool = False,
        is_sample: bool = True,
        party: Party | None = None,
        receipt: dict[str, Any] | None = None,
    ) -> Ticket:
        way = {0: ("LOS", "LHR"), 1: ("LOS", "ATL", "LHR"), 2: ("LOS", "ATL", "KTM", "LHR")}[stops]
        there = fly(datetime(2026, 11, 27, 17, 55, tzinfo=UTC), *way)
        back = fly(datetime(2026, 12, 12, 11, 40, tzinfo=UTC), *reversed(way))
        offer = Offer(
            id="tt_1",
            source="timetable",
            airline="Sample Air",
            slices=(there,) if one_way else (there, back),
            party=party or Party(adults=2),
            total=Money(184_260, "USD"),
            conditions=FareConditions(True, Money(150_00, "USD"), True, None),
            expires_at=datetime(2026, 11, 20, 15, 30, tzinfo=UTC),
            holdable_until=None,
            is_sample=is_sample,
        )
        paid = Receipt(
            method="On-chain",
            amount="1.00 CLAYER",
            paid_at=datetime(2026, 11, 20, 15, 42, tzinfo=UTC),
            network="Circle Layer Testnet",
            address="0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
            transactions=(HASH,),
            confirmations=3,
            block=1_234_567,
            explorer_url=f"https://explorer.example/tx/{HASH}",
        )
        return Ticket(
            booking_reference="QX4TZ7",
            airline_reference="K7M2PD",
            ticket_number="0000000000101",
            traveller=Traveller(PassengerType.ADULT, given, family, date(1990, 5, 1), Gender.FEMALE),
            position=1,
            offer=offer,
            receipt=replace(paid, **(receipt or {})),
            verify_url="https://layover.example/verify/QX4TZ7-1?signature=3f9ac1d2e4b59077",
            issued_at=datetime(2026, 11, 20, 15, 45, tzinfo=UTC),
        )

    return make
