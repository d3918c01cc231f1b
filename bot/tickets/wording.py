"""How a ticket puts things. English, and the same on every machine: nothing here asks for the machine's locale."""

from datetime import UTC, date, datetime, timedelta

from bot.flights.model import Airport, Cabin, Offer, Party, PassengerType, Segment, Slice, Traveller
from payments.money import Money

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

CABINS = {
    Cabin.ECONOMY: "Economy",
    Cabin.PREMIUM_ECONOMY: "Premium economy",
    Cabin.BUSINESS: "Business",
    Cabin.FIRST: "First",
}
PASSENGERS = {
    PassengerType.ADULT: "Adult",
    PassengerType.CHILD: "Child",
    PassengerType.INFANT: "Infant on an adult's lap",
}


def name(traveller: Traveller) -> str:
    """As its own script writes it: 李小龍 and 김민준 with the family first, others as they were given."""
    both = traveller.family_name + traveller.given_name
    east = all("\u4e00" <= letter <= "\u9fff" or "\uac00" <= letter <= "\ud7a3" for letter in both)
    return both if east else traveller.full_name


def day(moment: date) -> str:
    """``Fri 27 Nov 2026``."""
    return f"{_WEEKDAYS[moment.weekday()]} {moment.day} {_MONTHS[moment.month - 1]} {moment.year}"


def short_day(moment: date) -> str:
    """``Fri 27 Nov``."""
    return day(moment).rsplit(" ", 1)[0]


def clock(moment: datetime) -> str:
    return f"{moment.hour:02d}:{moment.minute:02d}"


def instant(moment: datetime) -> str:
    """``20 Nov 2026, 15:42 UTC``."""
    utc = moment.astimezone(UTC)
    return f"{utc.day} {_MONTHS[utc.month - 1]} {utc.year}, {clock(utc)} UTC"


def zone(moment: datetime) -> str:
    """``WAT (UTC+1)``; the offset alone where the zone has no name of its own."""
    minutes = int((moment.utcoffset() or timedelta()).total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    offset = "UTC" if not minutes else f"UTC{'+' if minutes > 0 else '−'}{hours}" + (f":{rest:02d}" if rest else "")
    name = moment.tzname() or ""
    return f"{name} ({offset})" if name.isalpha() and name != "UTC" else offset


def day_change(segment: Segment) -> str:
    """``+1`` where it lands on the next day of the calendar there; empty on the same day."""
    days = (segment.arrives.date() - segment.departs.date()).days
    return f"{days:+d}".replace("-", "−") if days else ""


def span(duration: timedelta) -> str:
    """``6 h 40 min``."""
    hours, minutes = divmod(int(duration.total_seconds()) // 60, 60)
    return " ".join(filter(None, [f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""])) or "0 min"


def stops(part: Slice) -> str:
    if not part.stops:
        return "nonstop"
    return f"{part.stops} connection{'s' if part.stops > 1 else ''}"


def city(airport: Airport) -> str:
    return airport.city or airport.name


def terminal(name: str | None) -> str:
    return f"Terminal {name}" if name else ""


def bags(least: int, most: int) -> str:
    """What every traveller with a seat may check in, on the flight with the least and on that with the most."""
    if not most:
        return "No checked bag included"
    count = f"{most} checked bag{'s' if most > 1 else ''}" if least == most else f"{least} to {most} checked bags"
    return f"{count} for each traveller with a seat"


def party(people: Party) -> str:
    """``2 adults, 1 child, 1 infant``."""
    kinds = (
        (people.adults, "adult", "adults"),
        (len(people.child_ages), "child", "children"),
        (people.infants, "infant", "infants"),
    )
    return ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in kinds if count)


def refund(offer: Offer) -> str:
    return _permission("Refundable", "Not refundable", offer.conditions.refundable, offer.conditions.refund_penalty)


def change(offer: Offer) -> str:
    return _permission("Can be changed", "No changes", offer.conditions.changeable, offer.conditions.change_penalty)


def _permission(yes: str, no: str, allowed: bool, penalty: Money | None) -> str:
    if not allowed:
        return no
    return f"{yes} for {penalty}, before departure" if penalty else f"{yes} free of charge, before departure"


def ticket_number(digits: str) -> str:
    """The airline's three digits apart from the rest, as tickets print it: ``000-0000000101``."""
    return f"{digits[:3]}-{digits[3:]}" if len(digits) == 13 else digits
