"""Birth dates as written: day before month, the year always said; and ages on a day."""

from datetime import date

from bot.conversation.understand.grammar import Grammar, Match, rule
from bot.conversation.understand.lexicon import Kind, Lexicon
from bot.conversation.understand.tokens import lexemes


class BirthDate:
    """A date found at ``start`` to ``end`` of the text; ``day`` None where there is no such day, or no year."""

    __slots__ = ("day", "end", "start")

    def __init__(self, day: date | None, start: int, end: int) -> None:
        self.day, self.start, self.end = day, start, end


def find_birth_dates(text: str, today: date, lexicon: Lexicon, *, spaced: bool) -> list[BirthDate]:
    """``spaced``: numbers apart ("03 05 1990") are a date too; where a phone number may come, they are not."""
    line = lexemes(text, lexicon, None)
    grammar = _SPACED if spaced else _TIGHT
    return [
        BirthDate(_real(node.value, today), line[node.start].start, line[node.end - 1].end)
        for node in grammar.parse(line)
    ]


def age_on(day: date, born_on: date) -> int:
    """Full years; who was born on 29 February is a year older on 1 March."""
    return day.year - born_on.year - ((day.month, day.day) < (born_on.month, born_on.day))


_Numbers = tuple[int, int, int]  # year (two digits where it was written so, 0 where it is missing), month, day


def _real(numbers: _Numbers, today: date) -> date | None:
    year, month, day = numbers
    if 0 < year < 100:
        year += 2000 if 2000 + year <= today.year else 1900
    try:
        return date(year, month, day) if year else None
    except ValueError:
        return None


def _written(match: Match) -> _Numbers | None:
    year = match.get(Kind.YEAR)
    short = match.get(Kind.YEAR2)
    if year is None and short is not None:
        year = short % 100 or None
    return year or 0, match.number(Kind.MONTH), match.number(Kind.ORDINAL, Kind.DAY, Kind.DIGITS)


def _year_first(match: Match) -> _Numbers | None:
    month, day = match.all(Kind.DIGITS)
    return (match.number(Kind.YEAR), month, day) if _starts_free(match) else None


def _year_last(match: Match) -> _Numbers | None:
    day, month, *rest = match.all(Kind.DIGITS)
    year = rest[0] if rest else match.number(Kind.YEAR)
    if not _starts_free(match) or not (0 < year < 100 or 1000 <= year <= 2999):
        return None
    return (year, day, month) if month > 12 >= day else (year, month, day)


def _compact(match: Match) -> _Numbers | None:
    """``19900503`` or ``03051990``."""
    digits = match.line[match.start].text
    if len(digits) != 8 or not _starts_free(match) or match.followed_by(Kind.DIGITS, Kind.DASH):
        return None
    if digits[:2] in {"19", "20"} and int(digits[4:6]) <= 12:
        return int(digits[:4]), int(digits[4:6]), int(digits[6:])
    return (int(digits[4:]), int(digits[2:4]), int(digits[:2])) if digits[4:6] in {"19", "20"} else None


def _starts_free(match: Match) -> bool:
    """Not in the middle of a longer number, like a phone's."""
    before, first = match.before, match.line[match.start]
    return before is None or not (first.touches and before.has(Kind.PLUS, Kind.DASH, Kind.DIGITS, Kind.SLASH))


_RULES = (
    rule("THE? ORDINAL|DAY|DIGITS DASH|SLASH|DOT? OF? MONTH DASH|SLASH|COMMA|DOT? YEAR|YEAR2?", _written),
    rule("MONTH THE? ORDINAL|DAY COMMA? YEAR|YEAR2?", _written),
    rule("YEAR +DASH|SLASH|DOT +DIGITS +DASH|SLASH|DOT +DIGITS", _year_first),
    rule("DIGITS +DASH|SLASH|DOT +DIGITS +DASH|SLASH|DOT +DIGITS", _year_last),
    rule("DIGITS", _compact),
)
_TIGHT: Grammar[_Numbers] = Grammar(_RULES)
_SPACED: Grammar[_Numbers] = Grammar([*_RULES, rule("DIGITS DIGITS YEAR", _year_last)])
