"""How travellers and cabins are written: patterns, and what is made of them."""

from bot.conversation.understand.grammar import Match, Rule, rule
from bot.conversation.understand.lexicon import Kind
from bot.conversation.understand.party import OLDEST_MINOR, Adding, CabinSaid, Family, Including, People, Who
from bot.flights.model import Cabin

_PEOPLE = (Kind.ADULT, Kind.CHILD, Kind.CHILDREN, Kind.INFANT, Kind.PERSON, Kind.FRIENDS)
_TIMES = (Kind.UNIT, Kind.MONTH, Kind.MONTH_UNIT, Kind.YEAR_UNIT, Kind.MONTH_OLD, Kind.CLOCK)
_OTHER_NUMBERS = (*_PEOPLE, *_TIMES, Kind.SLASH)
_MOST_CHILDREN = 5


def _number(match: Match) -> int:
    value = match.get(Kind.NUMBER)
    return 1 if value is None else value


def _children(match: Match) -> People | None:
    """``2 kids (4 and 7)``: the first number counts them where it stands before the word."""
    numbers = match.all(Kind.NUMBER)
    word = next(i for i, (kind, _) in enumerate(match.captures) if kind in (Kind.CHILD, Kind.CHILDREN))
    counted = next((int(v) for kind, v in match.captures[:word] if kind is Kind.NUMBER), None)
    ages = tuple(numbers[1:] if counted is not None else numbers)
    if any(age > OLDEST_MINOR for age in ages) or (ages and match.followed_by(*_OTHER_NUMBERS)):
        return None
    if counted is None:
        counted = len(ages) if match.has(Kind.CHILDREN) else 1
    if len(ages) > counted:
        return None
    if match.has(Kind.THE):
        return People(child_ages=ages, the_same=True) if ages else None
    return People(child_ages=ages, children=counted - len(ages)) if counted else None


def _aged(match: Match) -> People | None:
    """``a 9-year-old``, ``4 and 7 year olds``."""
    ages = tuple(match.all(Kind.NUMBER))
    if not ages or any(age > OLDEST_MINOR for age in ages):
        return None
    return People(child_ages=ages)


def _aged_in_months(match: Match) -> People | None:
    months = match.number(Kind.NUMBER)
    return People(child_ages=(months // 12,)) if months <= 12 * OLDEST_MINOR else None


def _several_aged(match: Match) -> People | None:
    """``two 9-year-olds``."""
    many, age = match.all(Kind.NUMBER)
    return People(child_ages=(age,) * many) if many <= _MOST_CHILDREN and age <= OLDEST_MINOR else None


def _companions(match: Match) -> People:
    for_others = (
        match.line[match.start].has(Kind.FOR)
        or (match.before is not None and match.before.has(Kind.FOR))
        or match.followed_by(Kind.AGED)  # "my parents are flying"
    )
    adults = _number(match) if match.has(Kind.FRIENDS) else match.number(Kind.COMPANION)
    return People(companions=adults, for_others=for_others)


def _persons(match: Match) -> People:
    return People(persons=_number(match))


def _persons_alone(match: Match) -> People | None:
    """``for 3``, ``we are 4``: only where no other word says what the number counts."""
    after = match.after
    counts_else = after is not None and after.is_word and not (after.can_be_place or after.has(*_AFTER_A_PARTY))
    if counts_else or match.followed_by(*_OTHER_NUMBERS) or _number(match) > 20:
        return None
    return _persons(match)


_AFTER_A_PARTY = (Kind.FROM, Kind.TO, Kind.ON, Kind.IN, Kind.AND, Kind.LEAVE, Kind.RETURN, Kind.POLITE, Kind.CABIN)


def _adults_after(match: Match) -> People | None:
    """``adults: 2``."""
    return None if match.followed_by(*_OTHER_NUMBERS) else People(adults=_number(match))


def _cabin(match: Match) -> CabinSaid | None:
    letter = match.line[match.start]
    if len(letter.text) == 1 and not letter.is_upper:
        return None
    return CabinSaid(Cabin(match.text(Kind.CABIN)))


def _first_class(match: Match) -> CabinSaid | None:
    return CabinSaid(Cabin.FIRST) if match.number(Kind.ORDINAL) == 1 else None


def _seats_in(match: Match) -> CabinSaid:
    """``2 business class tickets``."""
    return CabinSaid(Cabin(match.text(Kind.CABIN)), _persons(match))


def _with_ages(before: str) -> list[Rule[Who]]:
    """Children, and up to five ages after the word: ``aged 4, 7 and 9``, ``(4/7)``."""
    rules: list[Rule[Who]] = [rule(before, _children)]
    ages = "COMMA? OPEN? OF? AGED? AGED? COLON? NUMBER"
    for _ in range(_MOST_CHILDREN):
        rules.append(rule(f"{before} {ages} YEAR_OLD? CLOSE?", _children))
        ages += " COMMA|AND|SLASH|PLUS AND? NUMBER"
    return rules


_AGE_UNITS = "MONTH_UNIT|MONTH_OLD|YEAR_OLD|YEAR_UNIT"

WHO_RULES: tuple[Rule[Who], ...] = (
    rule("NUMBER|A ADULT", lambda match: People(adults=_number(match))),
    rule("ADULT COLON? NUMBER", _adults_after),
    rule("NUMBER|A MORE ADULT|PERSON", lambda match: People(persons=_number(match), more=True)),
    rule("NUMBER PERSON", _persons),
    rule("PERSON COLON NUMBER", lambda match: None if match.followed_by(*_OTHER_NUMBERS) else _persons(match)),
    rule("GROUP OF NUMBER PERSON?", _persons),
    rule("FOR NUMBER", _persons_alone),
    rule("WE_ARE NUMBER", _persons_alone),
    rule("COUPLE", lambda match: None if match.followed_by(Kind.UNIT) else People(persons=2)),
    rule("ALONE", lambda match: People(adults=1, myself=True)),
    rule("SELF", lambda match: People(myself=True)),
    rule("FOR? MY|A|WITH? COMPANION", _companions),
    rule("NUMBER FRIENDS", _companions),
    rule("NUMBER|A|MY? INFANT", lambda match: People(infants=_number(match))),
    rule(f"NUMBER|A|MY? INFANT OPEN AGED? NUMBER {_AGE_UNITS}? CLOSE", lambda match: People(infants=1)),
    *_with_ages("MY|THE? NUMBER|A CHILD|CHILDREN"),
    *_with_ages("MY|THE? CHILD|CHILDREN"),
    rule("MY|A|AGED? NUMBER DASH? YEAR_OLD CHILD|CHILDREN|INFANT?", _aged),
    rule("MY? NUMBER COMMA|AND NUMBER DASH? YEAR_OLD CHILDREN?", _aged),
    rule("NUMBER NUMBER DASH? YEAR_OLD CHILDREN?", _several_aged),
    rule("MY|A|AGED? NUMBER DASH? MONTH_OLD CHILD|INFANT?", _aged_in_months),
    rule("FAMILY", lambda match: Family(None)),
    rule("FAMILY OF NUMBER", lambda match: Family(_number(match))),
    rule("ADD", lambda match: Adding()),
    rule("ADD ADULT|PERSON", lambda match: People(persons=1, more=True)),
    rule("ADD CHILD", lambda match: People(children=1, more=True)),
    rule("ADD INFANT", lambda match: People(infants=1, more=True)),
    rule("INCLUDING", lambda match: Including()),
    rule("CABIN CLASS?", _cabin),
    rule("ORDINAL CLASS", _first_class),
    rule("NUMBER CABIN CLASS? PERSON", _seats_in),
)
