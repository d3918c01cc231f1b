"""Who travels: the people named in a message, and the party they add up to.

A child is 2 to 11 on the day of departure, an infant under 2 (bot.flights.model); who is 12 or older needs an adult's
fare. Companions ("my wife") imply the writer, unless the trip is said to be for them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.conversation.understand.lexicon import Kind
from bot.conversation.understand.model import PartialParty, ProblemKind
from bot.conversation.understand.tokens import Lexeme
from bot.flights.model import Cabin, Party

MOST_TRAVELLERS = 9  # in one booking, everywhere
OLDEST_MINOR = 17
_ADULT_FROM, _CHILD_FROM = 12, 2  # years


@dataclass(frozen=True, slots=True)
class People:
    """Some of the travellers. ``child_ages`` in years, also those that make an infant or an adult.

    ``of_whom``: the children are among those counted before. ``the_same``: ages of children counted before.
    """

    adults: int = 0
    persons: int = 0
    companions: int = 0
    child_ages: tuple[int, ...] = ()
    children: int = 0  # whose age is not said
    infants: int = 0
    myself: bool = False
    for_others: bool = False
    the_same: bool = False
    more: bool = False


@dataclass(frozen=True, slots=True)
class Family:
    """``family of four``: who is who is to be asked."""

    size: int | None


@dataclass(frozen=True, slots=True)
class Adding:
    """``add``: what follows comes on top of the party known."""


@dataclass(frozen=True, slots=True)
class Including:
    """What follows is part of the number before."""


@dataclass(frozen=True, slots=True)
class CabinSaid:
    """A cabin; with ``2 business class tickets`` also how many people."""

    cabin: Cabin
    people: People | None = None


Who = People | Family | Adding | Including | CabinSaid


@dataclass(frozen=True, slots=True)
class Counted:
    """What the people of a message add up to: a party, or what is known of it, or what is wrong with it."""

    party: Party | None = None
    partial: PartialParty | None = None
    problem: ProblemKind | None = None


def count(people: Sequence[Who], known: Party | None) -> Counted | None:
    """The party that ``people`` make; None where nobody was counted ("me" alone says little)."""
    groups = [item for item in people if isinstance(item, People)]
    if not any(group != People(myself=True) for group in groups):
        family = next((item for item in people if isinstance(item, Family)), None)
        return Counted(partial=PartialParty(size=family.size)) if family is not None else None
    adding = any(isinstance(item, Adding) for item in people) or any(group.more for group in groups)
    ages = [age for group in groups for age in group.child_ages]
    unaged = sum(group.children for group in groups) - sum(len(g.child_ages) for g in groups if g.the_same)
    infants = sum(group.infants for group in groups)
    adults = _adults(groups)
    if any(isinstance(item, Including) for item in people):
        adults -= len(ages) + max(unaged, 0) + infants
    if adding and known is not None:
        adults = adults + known.adults
        ages, infants = [*known.child_ages, *ages], infants + known.infants
    elif not adults and not any(group.adults or group.persons for group in groups):
        adults = 1  # children travel with the one who writes
    return _party(adults, ages, max(unaged, 0), infants)


def complete(partial: PartialParty, ages: Sequence[int]) -> Counted:
    """The party once the children's ages are said; still partial where some are missing."""
    if len(ages) > partial.children_without_age:
        return Counted(partial=partial)
    missing = partial.children_without_age - len(ages)
    return _party(partial.adults or 1, [*partial.child_ages, *ages], missing, partial.infants)


def read_ages(line: Sequence[Lexeme]) -> list[int]:
    """Every age in an answer to "how old are the children?", in years."""
    ages = []
    for at, lexeme in enumerate(line):
        age = lexeme.meanings.get(Kind.NUMBER)
        if isinstance(age, int) and age <= OLDEST_MINOR * 12:
            following = [after for after in line[at + 1 : at + 3] if not after.has(Kind.DASH)]
            months = bool(following) and following[0].has(Kind.MONTH_UNIT, Kind.MONTH_OLD)
            ages.append(age // 12 if months else age)
    return [age for age in ages if age <= OLDEST_MINOR]


def _adults(groups: Sequence[People]) -> int:
    counted = sum(group.adults for group in groups)
    persons = sum(group.persons for group in groups)
    companions = sum(group.companions for group in groups)
    if counted or persons:
        return counted + persons
    first = next((group for group in groups if group.companions), None)
    myself = any(group.myself for group in groups) or (first is not None and not first.for_others)
    return companions + (1 if companions and myself else 0)


def _party(adults: int, ages: Sequence[int], unaged: int, infants: int) -> Counted:
    adults += sum(1 for age in ages if age >= _ADULT_FROM)
    infants += sum(1 for age in ages if age < _CHILD_FROM)
    children = tuple(age for age in ages if _CHILD_FROM <= age < _ADULT_FROM)
    if infants > adults > 0:
        return Counted(problem=ProblemKind.TOO_MANY_INFANTS)
    if adults < 1:
        return Counted(problem=ProblemKind.NO_ADULT)
    if adults + len(children) + unaged + infants > MOST_TRAVELLERS:
        return Counted(problem=ProblemKind.TOO_MANY_TRAVELLERS)
    if unaged:
        return Counted(partial=PartialParty(adults, children, infants, unaged))
    return Counted(party=Party(adults, children, infants))
