"""How dates, ranges and lengths of stay are written: patterns, and what is made of them."""

from bot.conversation.understand.dates import (
    AfterDeparture,
    BareDay,
    ClockTime,
    DateExpression,
    DateRange,
    DayMonth,
    FromToday,
    NextWeek,
    PartOfMonth,
    Stay,
    Weekday,
    Weekend,
    WeekOfMonth,
    Which,
    WholeMonth,
)
from bot.conversation.understand.grammar import Match, Rule, rule
from bot.conversation.understand.lexicon import Kind
from bot.conversation.understand.tokens import Lexeme

When = DateExpression | DateRange | Stay | ClockTime

_NOT_A_YEAR = (Kind.ADULT, Kind.CHILD, Kind.CHILDREN, Kind.INFANT, Kind.PERSON, Kind.UNIT, Kind.MONTH, Kind.SLASH)
_COUNTED = (*_NOT_A_YEAR[:6], Kind.MONTH_UNIT, Kind.YEAR_OLD, Kind.MONTH_OLD, Kind.CLOCK, Kind.FRIENDS, Kind.MORE)
_LARGEST_COUNT = 400  # of days or weeks; more is no stay


def _written(match: Match) -> DayMonth | None:
    """A day and a month's name in either order."""
    day, month = match.number(Kind.ORDINAL, Kind.DAY), match.number(Kind.MONTH)
    year = match.get(Kind.YEAR, Kind.YEAR2)
    if match.captures[-1][0] is Kind.YEAR2 and match.followed_by(*_NOT_A_YEAR, Kind.NUMBER):
        return None
    if match.captures[-1][0] is Kind.DAY and match.followed_by(*_COUNTED):
        return None
    return DayMonth(day, month, year, match.get(Kind.WEEKDAY))


def _no_such_day(match: Match) -> DayMonth | None:
    """``32 december``: to be named as no date."""
    day = match.number(Kind.DIGITS)
    return DayMonth(day, match.number(Kind.MONTH)) if 31 < day < 100 else None


def _day_first(match: Match) -> DayMonth | None:
    """``5/12``, ``5.12.26``: the other way round only where it cannot be."""
    day, month, *rest = match.all(Kind.DIGITS)
    year = rest[0] if rest else None
    if year is not None:
        year = year + 2000 if year < 100 else year
        if not 2000 <= year <= 2100:
            return None
    if month > 12 >= day:
        day, month = month, day
    if not 1 <= month <= 12 or day > 31:
        return None
    return DayMonth(day, month, year, match.get(Kind.WEEKDAY), numeric=True)


def _day_first_without_year(match: Match) -> DayMonth | None:
    return None if match.followed_by(Kind.MONTH, *_COUNTED) else _day_first(match)


def _iso(match: Match) -> DayMonth | None:
    month, day = match.all(Kind.DIGITS)
    return DayMonth(day, month, match.number(Kind.YEAR)) if month <= 12 and day <= 31 else None


def _compact(match: Match) -> DayMonth | None:
    """``20261205``."""
    digits = match.number(Kind.DIGITS)
    year, month, day = digits // 10000, digits // 100 % 100, digits % 100
    return DayMonth(day, month, year) if 2000 <= year <= 2100 and 1 <= month <= 12 else None


def _bare_day(match: Match) -> BareDay | None:
    if not _stands_alone(match) or match.followed_by(Kind.ONE, Kind.CLASS, *_COUNTED):
        return None
    return BareDay(match.number(Kind.ORDINAL, Kind.DAY), match.get(Kind.WEEKDAY))


def _spelled_ordinal(match: Match) -> BareDay | None:
    """``the twelfth``; "first" and "second" say too many other things."""
    digits = match.line[match.end - 1].text.isdecimal()
    return _bare_day(match) if digits or match.number(Kind.ORDINAL) > 3 else None


def _day_range(match: Match) -> DateRange | None:
    """``10-17 january``, ``dec 5 to 12``."""
    first, last = match.all(Kind.ORDINAL, Kind.DAY)[:2]
    month, year = match.number(Kind.MONTH), match.get(Kind.YEAR)
    if last < first or (match.captures[-1][0] is Kind.DAY and match.followed_by(*_COUNTED)):
        return None
    return DateRange(DayMonth(first, month, year), DayMonth(last, month, year))


def _named_month(match: Match) -> WholeMonth | None:
    if not (match.has(Kind.OF) or match.has(Kind.NEXT) or match.has(Kind.YEAR) or _stands_alone(match)):
        return None
    return WholeMonth(match.number(Kind.MONTH), match.get(Kind.YEAR))


def _plain_weekday(match: Match) -> Weekday | None:
    return Weekday(match.number(Kind.WEEKDAY)) if _stands_alone(match) else None


def _stands_alone(match: Match) -> bool:
    """Words like "may" and "sat" are dates only beside signs and words of the grammar, not within a sentence."""
    if not any(lexeme.weak_date for lexeme in match.line[match.start : match.end]):
        return True
    return not any(lexeme is not None and _is_prose(lexeme) for lexeme in (match.before, match.after))


def _is_prose(lexeme: Lexeme) -> bool:
    return lexeme.is_word and set(lexeme.meanings) <= {Kind.NOISE, Kind.POLITE, Kind.SELF} and not lexeme.can_be_place


def _today_or_so(match: Match) -> FromToday | None:
    return FromToday(match.number(Kind.DAY_OFFSET)) if _stands_alone(match) else None


def _count(match: Match) -> int:
    return match.get(Kind.NUMBER) or 1


def _in_days(match: Match) -> FromToday | None:
    days = _count(match) * match.number(Kind.UNIT)
    return FromToday(days) if days <= _LARGEST_COUNT else None


def _in_months(match: Match) -> FromToday | None:
    months = _count(match)
    return FromToday(months=months) if months <= 24 else None


def _later(match: Match) -> AfterDeparture | None:
    days = _count(match) * match.number(Kind.UNIT)
    return AfterDeparture(days) if days <= _LARGEST_COUNT else None


def _months_later(match: Match) -> AfterDeparture | None:
    months = _count(match)
    return AfterDeparture(months=months) if months <= 12 else None


def _stay(match: Match) -> Stay | None:
    days = _count(match) * match.number(Kind.UNIT)
    return Stay(days, explicit=match.has(Kind.FOR)) if 0 < days <= _LARGEST_COUNT else None


def _stay_of_months(match: Match) -> Stay | None:
    months = _count(match)
    return Stay(0, months) if 0 < months <= 12 and not match.followed_by(Kind.INFANT) else None


def _next_unit(match: Match) -> When | None:
    """``next week``; ``the next day`` is the day after departure."""
    days = match.number(Kind.UNIT)
    return NextWeek() if days == 7 else AfterDeparture(1) if days == 1 else None


def _weekday_next_week(match: Match) -> Weekday | None:
    weeks = 1 if match.has(Kind.NEXT) else 0
    return Weekday(match.number(Kind.WEEKDAY), weeks=weeks) if match.number(Kind.UNIT) == 7 else None


def _holiday(match: Match) -> DayMonth | None:
    digits = match.text(Kind.HOLIDAY)
    return DayMonth(int(digits[2:]), int(digits[:2]), match.get(Kind.YEAR)) if _stands_alone(match) else None


def _day_of_this_or_next_month(match: Match) -> BareDay:
    return BareDay(match.number(Kind.ORDINAL, Kind.DAY), ahead=1 if match.has(Kind.NEXT) else 0)


def _week_of_month(match: Match) -> WeekOfMonth | None:
    week = match.number(Kind.ORDINAL)
    if match.number(Kind.UNIT) != 7 or not 1 <= week <= 5:
        return None
    return WeekOfMonth(week, WholeMonth(match.number(Kind.MONTH), match.get(Kind.YEAR)))


def _part_of_month_named(match: Match) -> PartOfMonth:
    return PartOfMonth(match.number(Kind.PART), WholeMonth(match.number(Kind.MONTH), match.get(Kind.YEAR)))


def _part_of_this_or_next_month(match: Match) -> PartOfMonth:
    return PartOfMonth(match.number(Kind.PART), WholeMonth(None, ahead=1 if match.has(Kind.NEXT) else 0))


DATE_RULES: tuple[Rule[When], ...] = (
    # written with the month's name
    rule("ON? WEEKDAY? COMMA? ON? THE? ORDINAL|DAY OF? MONTH COMMA? YEAR|YEAR2?", _written),
    rule("ON? WEEKDAY? COMMA? ON? THE? ORDINAL|DAY OF? MONTH", _written),
    rule("ON? WEEKDAY? COMMA? ON? THE? ORDINAL|DAY +DASH MONTH +DASH YEAR|YEAR2", _written),
    rule("ON? WEEKDAY? COMMA? ON? THE? DAY +DOT OF? MONTH COMMA? YEAR?", _written),
    rule("DIGITS OF? MONTH", _no_such_day),
    rule("ON? WEEKDAY? COMMA? MONTH THE? ORDINAL|DAY COMMA? YEAR?", _written),
    # in digits
    rule("YEAR +DASH|SLASH|DOT +DIGITS +DASH|SLASH|DOT +DIGITS", _iso),
    rule("ON? WEEKDAY? COMMA? ON? THE? DIGITS +SLASH|DOT|DASH +DIGITS +SLASH|DOT|DASH +DIGITS", _day_first),
    rule("ON? WEEKDAY? COMMA? ON? THE? DIGITS +SLASH|DOT +DIGITS +DOT?", _day_first_without_year),
    rule("DIGITS", _compact),
    # ranges within a month
    rule("FROM|BETWEEN? THE? ORDINAL|DAY DASH|TO|UNTIL|AND|SLASH THE? ORDINAL|DAY OF? MONTH YEAR?", _day_range),
    rule("FROM|BETWEEN? MONTH THE? ORDINAL|DAY DASH|TO|UNTIL|AND THE? ORDINAL|DAY COMMA? YEAR?", _day_range),
    # days of a month that is not said
    rule("ON? WEEKDAY? COMMA? ON? THE? ORDINAL", _spelled_ordinal),
    rule("ON? WEEKDAY? COMMA? ON? THE DAY", _bare_day),
    rule("ON DAY", _bare_day),
    rule("ON? THE? ORDINAL|DAY OF? NEXT|THIS MONTH_UNIT", _day_of_this_or_next_month),
    # relative to today
    rule("DAY_OFFSET", _today_or_so),
    rule("IN|OF NUMBER|A UNIT", _in_days),
    rule("NUMBER|A UNIT FROM_NOW", _in_days),
    rule("IN|OF NUMBER|A MONTH_UNIT", _in_months),
    rule("NUMBER|A MONTH_UNIT FROM_NOW", _in_months),
    rule("THE? NEXT UNIT", _next_unit),
    rule("UNIT NEXT", _next_unit),
    rule("THE? NEXT MONTH_UNIT", lambda match: WholeMonth(None, ahead=1)),
    rule("MONTH_UNIT NEXT", lambda match: WholeMonth(None, ahead=1)),
    rule("OF? THIS MONTH_UNIT", lambda match: WholeMonth(None)),
    # weekdays
    rule("THE? NEXT WEEKDAY", lambda match: Weekday(match.number(Kind.WEEKDAY), Which.NEXT)),
    rule("WEEKDAY NEXT", lambda match: Weekday(match.number(Kind.WEEKDAY), Which.NEXT)),
    rule("THIS WEEKDAY", lambda match: Weekday(match.number(Kind.WEEKDAY), Which.THIS)),
    rule("ON WEEKDAY", lambda match: Weekday(match.number(Kind.WEEKDAY))),
    rule("WEEKDAY", _plain_weekday),
    rule("WEEKDAY THIS|NEXT UNIT", _weekday_next_week),
    rule("THIS|NEXT UNIT ON? WEEKDAY", _weekday_next_week),
    rule("FOR? THE|A|THIS? WEEKEND", lambda match: Weekend(Which.THIS)),
    rule("NEXT WEEKEND", lambda match: Weekend(Which.NEXT)),
    # after the departure
    rule("NUMBER|A UNIT LATER|AFTER", _later),
    rule("AFTER NUMBER|A UNIT", _later),
    rule("NUMBER|A MONTH_UNIT LATER|AFTER", _months_later),
    rule("AFTER NUMBER|A MONTH_UNIT", _months_later),
    rule("ON? SAME_DAY", lambda match: AfterDeparture(0)),
    # months without a day, and holidays
    rule("OF|NEXT|THIS? MONTH YEAR?", _named_month),
    rule("PART OF? THE|NEXT? MONTH YEAR?", _part_of_month_named),
    rule("ON? THE? PART OF? THE|THIS|NEXT? MONTH_UNIT", _part_of_this_or_next_month),
    rule("ON? THE? ORDINAL UNIT OF? MONTH YEAR?", _week_of_month),
    rule("ON? HOLIDAY YEAR?", _holiday),
    rule("AFTER HOLIDAY", lambda match: WholeMonth(int(match.text(Kind.HOLIDAY)[:2]))),
    # stays
    rule("FOR? NUMBER|A UNIT", _stay),
    rule("FOR UNIT", _stay),
    rule("FOR? NUMBER|A MONTH_UNIT", _stay_of_months),
    # times of day
    rule("ON? DIGITS +COLON +DIGITS CLOCK?", lambda match: ClockTime()),
    rule("ON? DIGITS CLOCK", lambda match: ClockTime()),
)
