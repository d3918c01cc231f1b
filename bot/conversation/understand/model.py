"""What a message was understood to say: slots of the trip, what is still open, what is wrong, and intents."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from bot.flights.model import Cabin, Party, Place, SearchRequest


class Slot(StrEnum):
    """A part of the trip. As ``expecting`` it is what was asked last. In the order in which they are asked."""

    ORIGIN = "origin"
    DESTINATION = "destination"
    DEPART = "depart"
    RETURN = "return"  # a date, or the word that there is none
    PARTY = "party"
    CHILD_AGES = "child_ages"  # asked only where children were named without ages; fills the party
    CABIN = "cabin"


class Intent(StrEnum):
    YES = "yes"
    NO = "no"
    CHOOSE = "choose"  # one of the numbered choices: ``Understanding.choice``
    FASTEST = "fastest"
    CHEAPEST = "cheapest"
    MORE = "more"
    CHANGE = "change"  # which slot, where it was named: ``Understanding.change``
    CANCEL = "cancel"
    BACK = "back"
    HELP = "help"
    GREETING = "greeting"
    THANKS = "thanks"
    START_OVER = "start_over"
    PAY_CARD = "pay_card"
    PAY_USDC = "pay_usdc"
    PAY_ONCHAIN = "pay_onchain"


@dataclass(frozen=True, slots=True)
class PartialParty:
    """A party of which something is still to be asked. ``adults`` or ``size`` None: not said."""

    adults: int | None = None
    child_ages: tuple[int, ...] = ()
    infants: int = 0
    children_without_age: int = 0
    size: int | None = None  # "family of four": who is who was not said


@dataclass(frozen=True, slots=True)
class TripDraft:
    """The trip as far as it is known. ``one_way`` is None until something was said about a return."""

    origin: Place | None = None
    destination: Place | None = None
    depart: date | None = None
    return_on: date | None = None
    one_way: bool | None = None
    party: Party | None = None
    cabin: Cabin | None = None
    # Said, but not enough for a slot: kept so that the next answer completes it.
    partial_party: PartialParty | None = None
    stay_days: int | None = None  # "for a week": the return follows from the departure
    month: date | None = None  # first day of a month named without a day; a bare day answers within it

    @property
    def missing(self) -> tuple[Slot, ...]:
        """What must still be asked before a search, in order."""
        missing = []
        if self.origin is None:
            missing.append(Slot.ORIGIN)
        if self.destination is None:
            missing.append(Slot.DESTINATION)
        if self.depart is None:
            missing.append(Slot.DEPART)
        if self.return_on is None and not self.one_way:
            missing.append(Slot.RETURN)
        if self.party is None:
            partial = self.partial_party
            ages = partial is not None and partial.children_without_age > 0 and partial.size is None
            missing.append(Slot.CHILD_AGES if ages else Slot.PARTY)
        if self.cabin is None:
            missing.append(Slot.CABIN)
        return tuple(missing)

    def request(self) -> SearchRequest | None:
        """The search this draft asks for; None while something is missing."""
        if self.missing or self.origin is None or self.destination is None or self.depart is None:
            return None
        if self.party is None or self.cabin is None:
            return None
        return_on = None if self.one_way else self.return_on
        return SearchRequest(self.origin, self.destination, self.depart, return_on, self.party, self.cabin)


SlotValue = Place | date | Party | Cabin | None


@dataclass(frozen=True, slots=True)
class Found:
    """A slot that this message fills. For ``Slot.RETURN`` a value of None means one way."""

    slot: Slot
    value: SlotValue
    words: str  # as the traveller wrote them
    start: int  # offsets into the message
    end: int


@dataclass(frozen=True, slots=True)
class Ambiguity:
    """Something to ask about with buttons. Its slot is left as it was. One of the candidate lists is filled,
    or none: then only the question is left (which day of that month, how old the children are).

    ``slots``: the value is clear (``dates``), but not whether it is the departure or the return.
    """

    slot: Slot
    words: str
    places: tuple[Place, ...] = ()
    dates: tuple[date, ...] = ()
    slots: tuple[Slot, ...] = ()


class ProblemKind(StrEnum):
    BAD_DATE = "bad_date"  # no such day: "31 feb"
    DATE_IN_PAST = "date_in_past"
    DATE_TOO_FAR = "date_too_far"  # airlines sell about eleven months ahead
    RETURN_BEFORE_DEPARTURE = "return_before_departure"
    UNKNOWN_PLACE = "unknown_place"
    CLOSED_AIRPORT = "closed_airport"
    SAME_PLACE = "same_place"
    TOO_MANY_INFANTS = "too_many_infants"  # more than one for an adult's lap
    TOO_MANY_TRAVELLERS = "too_many_travellers"
    NO_ADULT = "no_adult"
    NOT_UNDERSTOOD = "not_understood"  # the slot that was asked is not in the answer


@dataclass(frozen=True, slots=True)
class Problem:
    """What could not be taken over, and the words that said it. Its slot is left as it was."""

    kind: ProblemKind
    slot: Slot
    words: str


@dataclass(frozen=True, slots=True)
class Understanding:
    """What one message said. ``draft`` is what was known before with what was found filled in."""

    draft: TripDraft
    found: tuple[Found, ...] = ()
    ambiguities: tuple[Ambiguity, ...] = ()
    problems: tuple[Problem, ...] = ()
    intents: frozenset[Intent] = frozenset()
    choice: int | None = None  # with Intent.CHOOSE, counted from 1
    change: Slot | None = None  # with Intent.CHANGE

    @property
    def slots(self) -> Mapping[Slot, SlotValue]:
        return {found.slot: found.value for found in self.found}

    @property
    def is_empty(self) -> bool:
        """Nothing at all was understood."""
        return not (self.found or self.ambiguities or self.problems or self.intents)
