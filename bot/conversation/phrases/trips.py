"""A traveller's trips as lines of a list."""

from collections.abc import Sequence

from bot.booking import Booking, BookingState
from bot.conversation.phrases.forms import day

STATES = {
    BookingState.UNPAID: "not paid",
    BookingState.PAID: "paid, being ticketed",
    BookingState.TICKETED: "ticketed",
    BookingState.REFUSED: "paid, not confirmed by the airline: a person is looking at it",
}


def trip_rows(bookings: Sequence[Booking]) -> list[tuple[str, str, str]]:
    """Reference, route and dates, state; a sample says so."""
    return [(booking.reference, _trip(booking), _state(booking)) for booking in bookings]


def _state(booking: Booking) -> str:
    return STATES[booking.state] + (" · sample" if booking.offer.is_sample else "")


def _trip(booking: Booking) -> str:
    out, last = booking.offer.slices[0], booking.offer.slices[-1]
    route = f"{out.segments[0].origin.city} → {out.segments[-1].destination.city}"
    back = f", back {day(last.departs)}" if len(booking.offer.slices) > 1 else ""
    return f"{route}, {day(out.departs)}{back}"
