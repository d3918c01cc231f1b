"""The offline timetable: a flight source that needs nobody. Its flights are samples, its orders are kept for good.

What can be right is right: distances, flying times, time zones, connections. What cannot be known is invented and
says so: airlines, prices, seats. See ``network`` for the routes, ``connections`` for the ways, ``fares`` for prices.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b

from bot.flights import timetable_store as store
from bot.flights.model import (
    Contact,
    FlightSourceError,
    Offer,
    OfferGone,
    Order,
    OrderState,
    SearchRequest,
    Traveller,
)
from bot.flights.network import Airports, Network
from bot.flights.timetable_search import BOOKING_CLOSES, search
from runtime.clock import REFERENCE_ALPHABET, Clock
from runtime.database import Database, Transaction

TICKET_PREFIX = "000"  # an airline's accounting code that IATA gives to nobody


class OrderMismatch(FlightSourceError):
    """The booking's order is for something else: a programming error upstream, never to be papered over."""


class TimetableSource:
    """A ``FlightSource``. The clock decides what has expired; the database is the airline's memory."""

    def __init__(self, database: Database, clock: Clock, airports: Airports) -> None:
        self._database = database
        self._clock = clock
        self._network = Network(airports)
        self._airports = airports

    async def search(self, request: SearchRequest) -> Sequence[Offer]:
        """Up to 40 offers, cheapest first. Raises SameCity and ImpossibleDates."""
        return await asyncio.to_thread(search, self._network, self._airports, request, self._clock.now())

    async def reprice(self, offer: Offer) -> Offer:
        """The offer itself, while it stands: a sample fare does not move before it expires. Raises OfferGone."""
        self._check_open(offer, self._clock.now())
        return offer

    async def reserve(
        self, booking_id: str, offer: Offer, travellers: Sequence[Traveller], contact: Contact
    ) -> Order | None:
        """Hold it until ``offer.holdable_until``. None where the fare has no hold. Raises OfferGone."""
        _check_party(booking_id, offer, travellers)
        now = self._clock.now()
        async with self._database.transaction() as tx:
            row = await store.read(tx, booking_id, lock=True)
            if row is None:
                if offer.holdable_until is None:
                    return None
                self._check_open(offer, now)
                await store.insert(tx, booking_id, offer, OrderState.RESERVED, offer.holdable_until, now)
                row = await _settled(tx, booking_id)
            _check_same(row, booking_id, offer)
            if _state(row, now) is OrderState.RELEASED:
                raise _lapsed(booking_id)
            return _order(row, now)

    async def confirm(self, booking_id: str, offer: Offer, travellers: Sequence[Traveller], contact: Contact) -> Order:
        """Ticket it. Raises OfferGone where the hold was released or has lapsed, or an offer not held has expired."""
        _check_party(booking_id, offer, travellers)
        now = self._clock.now()
        async with self._database.transaction() as tx:
            row = await store.read(tx, booking_id, lock=True)
            if row is None:
                self._check_open(offer, now)
                await store.insert(tx, booking_id, offer, OrderState.CONFIRMED, None, now)
                row = await _settled(tx, booking_id)  # of another caller, if that one was quicker
            _check_same(row, booking_id, offer)
            state = _state(row, now)
            if state is OrderState.RELEASED:
                raise _lapsed(booking_id)
            if state is OrderState.RESERVED:
                await store.move(tx, booking_id, source=OrderState.RESERVED, target=OrderState.CONFIRMED, now=now)
                row = await _settled(tx, booking_id)
            return _order(row, now)

    async def release(self, booking_id: str) -> None:
        """Give a hold back. A ticketed order stays: that one is cancelled, not released."""
        async with self._database.transaction() as tx:
            await store.move(
                tx, booking_id, source=OrderState.RESERVED, target=OrderState.RELEASED, now=self._clock.now()
            )

    async def find(self, booking_id: str) -> Order | None:
        """The booking's order; a hold whose time is over counts as released."""
        async with self._database.snapshot() as reader:
            row = await store.read(reader, booking_id)
        return _order(row, self._clock.now()) if row is not None else None

    def _check_open(self, offer: Offer, now: datetime) -> None:
        if now >= offer.expires_at:
            raise OfferGone(f"offer {offer.id} expired at {offer.expires_at:%Y-%m-%d %H:%M} UTC: search again")
        departs = offer.slices[0].departs.astimezone(UTC)
        if now >= departs - BOOKING_CLOSES:
            raise OfferGone(f"booking for offer {offer.id} has closed, it departs at {departs:%Y-%m-%d %H:%M} UTC")


async def _settled(tx: Transaction, booking_id: str) -> store.OrderRow:
    row = await store.read(tx, booking_id, lock=True)
    assert row is not None, f"booking {booking_id} has just been given an order"
    return row


def _state(row: store.OrderRow, now: datetime) -> OrderState:
    state = OrderState(row["state"])
    lapsed = state is OrderState.RESERVED and now >= row["held_until"]
    return OrderState.RELEASED if lapsed else state


def _order(row: store.OrderRow, now: datetime) -> Order:
    """Its numbers follow from the row: the same however often they are asked for."""
    state = _state(row, now)
    tickets: tuple[str, ...] = ()
    if state is OrderState.CONFIRMED:
        tickets = tuple(f"{TICKET_PREFIX}{row['number']:08d}{place:02d}" for place in range(1, row["passengers"] + 1))
    return Order(f"tto_{row['number']:08d}", row["booking_id"], state, _reference(row["booking_id"]), tickets)


def _reference(booking_id: str) -> str:
    """Six characters, as airlines give them."""
    value = int.from_bytes(blake2b(f"airline|{booking_id}".encode(), digest_size=8).digest(), "big")
    return "".join(REFERENCE_ALPHABET[value >> 5 * place & 31] for place in range(6))


def _lapsed(booking_id: str) -> OfferGone:
    return OfferGone(f"the hold for booking {booking_id} was given back or has lapsed: search again")


def _check_party(booking_id: str, offer: Offer, travellers: Sequence[Traveller]) -> None:
    if len(travellers) != offer.party.size:
        raise OrderMismatch(
            f"booking {booking_id} has {len(travellers)} travellers, its offer is for {offer.party.size}"
        )


def _check_same(row: store.OrderRow, booking_id: str, offer: Offer) -> None:
    if row["offer_id"] != offer.id:
        raise OrderMismatch(f"booking {booking_id} has an order for offer {row['offer_id']}, not for {offer.id}")
