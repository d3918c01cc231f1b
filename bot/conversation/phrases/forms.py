"""How dates, times, lengths of time and parties are written."""

from datetime import date, datetime, timedelta

from bot.flights.model import Cabin, Party

CABINS = {
    Cabin.ECONOMY: "economy",
    Cabin.PREMIUM_ECONOMY: "premium economy",
    Cabin.BUSINESS: "business",
    Cabin.FIRST: "first class",
}


def day(when: date) -> str:
    """``Fri 27 Nov 2026``: always with the weekday, so that a misunderstanding shows."""
    return f"{when:%a} {when.day} {when:%b} {when.year}"


def birthday(when: date) -> str:
    """``3 May 1990``."""
    return f"{when.day} {when:%b} {when.year}"


def short_day(when: date) -> str:
    """``Fri 27 Nov``."""
    return f"{when:%a} {when.day} {when:%b}"


def clock_time(when: datetime) -> str:
    """``15:42 UTC``, or ``10:55 WAT``: never without its zone."""
    return f"{when:%H:%M} {zone(when)}"


def zone(when: datetime) -> str:
    """``WAT`` where the zone has a name, else ``UTC+3``."""
    name = when.tzname() or ""
    if name.isalpha():
        return name
    offset = when.utcoffset() or timedelta()
    hours, minutes = divmod(abs(int(offset.total_seconds())) // 60, 60)
    sign = "-" if offset < timedelta() else "+"
    return f"UTC{sign}{hours}" + (f":{minutes:02}" if minutes else "")


def length(duration: timedelta) -> str:
    """``6 h 40``, ``1 h``, ``40 min``."""
    hours, minutes = divmod(int(duration.total_seconds()) // 60, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes:02}" if minutes else f"{hours} h"


def plain_length(duration: timedelta) -> str:
    """``1 hour``, ``28 minutes``: for the time that is left, to the nearest minute."""
    minutes = max(0, round(duration.total_seconds() / 60))
    if minutes >= 60 and minutes % 60 == 0:
        return _count(minutes // 60, "hour")
    return _count(minutes, "minute") if minutes < 120 else f"{minutes // 60} h {minutes % 60:02}"


def party(who: Party) -> str:
    """``2 adults, 1 child (9), 1 infant``."""
    parts = [_count(who.adults, "adult")]
    if who.child_ages:
        ages = ", ".join(str(age) for age in who.child_ages)
        parts.append(f"{_count(len(who.child_ages), 'child', 'children')} ({ages})")
    if who.infants:
        parts.append(_count(who.infants, "infant"))
    return ", ".join(parts)


def listing(words: list[str] | tuple[str, ...], conjunction: str = "and") -> str:
    """``Ada, Tunde and Zoë``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}"


def short_hash(tx_hash: str) -> str:
    """``0x9f3c…21ab``."""
    return f"{tx_hash[:6]}…{tx_hash[-4:]}"


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
