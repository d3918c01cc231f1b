"""Dates as said, and what day each means when said on a given day.

Day before month where the order of two numbers is open; a date without a year is the next such day. A travel date is
never in the past, and at most ``BOOKABLE_DAYS`` ahead.
"""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from bot.conversation.understand.model import ProblemKind

BOOKABLE_DAYS = 361  # airlines open their flights eleven to twelve months ahead
# A numeric date that has to roll this far ahead was probably meant month first.
_SUSPICIOUS_DAYS = 270


class Which(StrEnum):
    """The word before a weekday or weekend."""

    BARE = "bare"
    THIS = "this"
    NEXT = "next"


@dataclass(frozen=True, slots=True)
class DayMonth:
    """``5 december``, ``25/12/2026``. ``weekday`` where one was said along; ``numeric``: the order is a guess."""

    day: int
    month: int
    year: int | None = None
    weekday: int | None = None
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class BareDay:
    """``the 12th``."""

    day: int
    weekday: int | None = None
    ahead: int | None = None  # months from this one: "the 25th of next month"


@dataclass(frozen=True, slots=True)
class WholeMonth:
    """``december``, ``next month`` (months from now in ``ahead``): which day is to be asked."""

    month: int | None
    year: int | None = None
    ahead: int = 0


@dataclass(frozen=True, slots=True)
class PartOfMonth:
    """``end of march``: ``day`` is 1, 15 or 31, at most the month's last."""

    day: int
    month: WholeMonth


@dataclass(frozen=True, slots=True)
class WeekOfMonth:
    """``the first week of june``: seven days to choose from."""

    week: int
    month: WholeMonth


@dataclass(frozen=True, slots=True)
class Weekday:
    weekday: int
    which: Which = Which.BARE
    weeks: int | None = None  # calendar weeks from this one: "friday next week"


@dataclass(frozen=True, slots=True)
class FromToday:
    days: int = 0
    months: int = 0


@dataclass(frozen=True, slots=True)
class AfterDeparture:
    """``a week later``, ``the same day``; from today where no departure is known."""

    days: int = 0
    months: int = 0


@dataclass(frozen=True, slots=True)
class Weekend:
    which: Which = Which.BARE


@dataclass(frozen=True, slots=True)
class NextWeek:
    """Some day of the calendar week after this one."""


DateExpression = (
    DayMonth
    | BareDay
    | WholeMonth
    | PartOfMonth
    | WeekOfMonth
    | Weekday
    | FromToday
    | AfterDeparture
    | Weekend
    | NextWeek
)
VAGUE = (WholeMonth, WeekOfMonth, Weekend, NextWeek)  # a more exact date beside one says which day of it


@dataclass(frozen=True, slots=True)
class DateRange:
    """``10-17 january``: departure and return in one."""

    start: DateExpression
    end: DateExpression


@dataclass(frozen=True, slots=True)
class Stay:
    """``for a week``, ``5 nights``. ``explicit``: said as a stay, not just a number of days."""

    days: int
    months: int = 0
    explicit: bool = True


@dataclass(frozen=True, slots=True)
class ClockTime:
    """``6pm``, ``18:30``: nothing is done with it, but its numbers are no other thing."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """What an expression means: a day, or days to choose from, or a month of which the day is open, or a problem."""

    day: date | None = None
    candidates: tuple[date, ...] = ()
    month: date | None = None
    problem: ProblemKind | None = None


def resolve(expression: DateExpression, today: date, depart: date | None = None) -> Resolved:
    """The day meant, said on ``today``. For a return, ``depart`` is the departure it must follow."""
    start = max(depart, today) if depart is not None else today
    match expression:
        case DayMonth():
            return _day_month(expression, today, start)
        case BareDay(day=day, ahead=int(ahead)):
            return in_month(day, _month_start(WholeMonth(None, ahead=ahead), today), today)
        case BareDay(day=day):
            return _checked(_next_with_day(start, day), today)
        case WholeMonth():
            return Resolved(month=_month_start(expression, today))
        case PartOfMonth(day=day, month=month):
            return _part_of_month(day, _month_start(month, today), today)
        case WeekOfMonth(week=week, month=month):
            return _week_of_month(week, _month_start(month, today), today)
        case Weekday():
            return _weekday(expression, today, depart)
        case FromToday(days=days, months=months):
            return _checked(_add_months(today + timedelta(days=days), months), today)
        case AfterDeparture(days=days, months=months):
            return _checked(_add_months(start + timedelta(days=days), months), today)
        case Weekend(which=which):
            saturday = start + timedelta(days=(5 - start.weekday()) % 7)
            saturday += timedelta(days=7 if which is Which.NEXT else 0)
            return Resolved(candidates=(saturday, saturday + timedelta(days=1)))
        case NextWeek():
            monday = today + timedelta(days=7 - today.weekday())
            return Resolved(candidates=tuple(monday + timedelta(days=day) for day in range(7)))


def in_month(day: int, month: date, today: date) -> Resolved:
    """A bare day within a month that was named before."""
    if day > calendar.monthrange(month.year, month.month)[1]:
        return Resolved(problem=ProblemKind.BAD_DATE)
    return _checked(month.replace(day=day), today)


def stay_end(depart: date, stay: Stay) -> date:
    return _add_months(depart + timedelta(days=stay.days), stay.months) or depart


def _checked(day: date | None, today: date) -> Resolved:
    if day is None:
        return Resolved(problem=ProblemKind.BAD_DATE)
    if day < today:
        return Resolved(problem=ProblemKind.DATE_IN_PAST)
    if (day - today).days > BOOKABLE_DAYS:
        return Resolved(problem=ProblemKind.DATE_TOO_FAR)
    return Resolved(day=day)


def _real(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _day_month(said: DayMonth, today: date, start: date) -> Resolved:
    day = _in_year(said, today)
    resolved = _checked(day, today)
    if said.numeric and said.year is None and resolved.day is not None and said.day <= 12:
        swapped = _in_year(DayMonth(said.month, said.day), today)
        if (resolved.day - today).days > _SUSPICIOUS_DAYS and swapped is not None and start <= swapped < resolved.day:
            return Resolved(candidates=(swapped, resolved.day))
    if said.weekday is not None and resolved.day is not None and resolved.day.weekday() != said.weekday:
        return Resolved(candidates=_nearest_weekday(resolved.day, said.weekday, today))
    return resolved


def _in_year(said: DayMonth, today: date) -> date | None:
    if said.year is not None:
        return _real(said.year, said.month, said.day)
    this_year = _real(today.year, said.month, said.day)
    return this_year if this_year is not None and this_year >= today else _real(today.year + 1, said.month, said.day)


def _nearest_weekday(day: date, weekday: int, today: date) -> tuple[date, ...]:
    """The date as said, and the nearest day of the weekday as said: one of the two is a slip."""
    near = sorted((day + timedelta(days=offset) for offset in range(-3, 4)), key=lambda other: abs(other - day))
    meant = next((other for other in near if other.weekday() == weekday and other >= today), day)
    return tuple(sorted({day, meant}))


def _next_with_day(start: date, day: int) -> date | None:
    """The first such day of a month from ``start`` on; months that are too short are passed over."""
    if not 1 <= day <= 31:
        return None
    year, month = start.year, start.month
    for _ in range(3):
        found = _real(year, month, day)
        if found is not None and found >= start:
            return found
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return None


def _month_start(said: WholeMonth, today: date) -> date:
    if said.month is None:
        return _add_months(today.replace(day=1), said.ahead) or today
    year = said.year or (today.year if said.month >= today.month else today.year + 1)
    return date(year, said.month, 1)


def _part_of_month(day: int, month: date, today: date) -> Resolved:
    found = month.replace(day=min(day, calendar.monthrange(month.year, month.month)[1]))
    if found < today and (month.year, month.month) == (today.year, today.month):
        return Resolved(month=month)
    return _checked(found, today)


def _week_of_month(week: int, month: date, today: date) -> Resolved:
    first = month + timedelta(days=7 * (week - 1))
    days = (first + timedelta(days=offset) for offset in range(7))
    return Resolved(candidates=tuple(day for day in days if day >= today and day.month == month.month), month=month)


def _weekday(said: Weekday, today: date, depart: date | None) -> Resolved:
    if said.weeks is not None:
        monday = today - timedelta(days=today.weekday())
        return _checked(monday + timedelta(days=7 * said.weeks + said.weekday), today)
    ahead = (said.weekday - today.weekday()) % 7
    if said.which is Which.THIS:
        return _checked(today + timedelta(days=ahead), today)
    upcoming = today + timedelta(days=ahead or 7)
    if depart is not None and (said.which is Which.BARE or upcoming <= depart):
        return _checked(depart + timedelta(days=(said.weekday - depart.weekday()) % 7 or 7), today)
    if said.which is Which.NEXT and upcoming.isocalendar().week == today.isocalendar().week:
        # Said of a day that is still to come this week: tomorrow would be called tomorrow; else it can be either.
        later = upcoming + timedelta(days=7)
        return Resolved(day=later) if ahead == 1 else Resolved(candidates=(upcoming, later))
    return _checked(upcoming, today)


def _add_months(day: date, months: int) -> date | None:
    """The same day some months on, or the last of that month; None beyond the calendar."""
    if not months:
        return day
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if not 1 <= year <= 9998:
        return None
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
