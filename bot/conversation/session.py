"""Where a conversation stands: everything that must be known to answer the traveller's next message."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from bot.conversation.details import TravellerDraft
from bot.conversation.understanding import Slot, TripDraft
from bot.flights.model import Offer


class Stage(StrEnum):
    TRIP = "trip"  # which trip? slots are filled one by one or all at once
    CONFIRM = "confirm"  # said back; waits for a yes
    SEARCHING = "searching"
    OFFERS = "offers"  # waits for a choice
    TRAVELLERS = "travellers"  # names and birth dates, one traveller after the other
    METHOD = "method"  # all is known; how to pay?
    PAYING = "paying"  # a payment is open
    ISSUING = "issuing"  # paid; tickets are on their way


class Sort(StrEnum):
    CHEAPEST = "cheapest"
    FASTEST = "fastest"


@dataclass(frozen=True, slots=True)
class Choice:
    """A button as it was shown last: the same choice can be made by pressing, by number or by its words."""

    token: str
    label: str


@dataclass(frozen=True, slots=True)
class Session:
    """One traveller's conversation. A value: each message makes a new one."""

    stage: Stage = Stage.TRIP
    draft: TripDraft = field(default_factory=TripDraft)
    asking: Slot | None = None
    search_id: str | None = None  # results of any other search are dropped
    sort: Sort = Sort.CHEAPEST
    page: int = 0
    offer: Offer | None = None
    travellers: tuple[TravellerDraft, ...] = ()
    booking_id: str | None = None
    payment_id: str | None = None
    leaving: bool = False  # asked whether to give up; a yes does it
    choices: tuple[Choice, ...] = ()
    generation: int = 0  # counts the sets of buttons; a button of an older set is stale
    name: str | None = None

    def begin_again(self) -> "Session":
        """Nothing is left of the trip; who the traveller is, and which buttons are old, stays known."""
        return Session(name=self.name, generation=self.generation)

    def at(self, stage: Stage) -> "Session":
        return replace(self, stage=stage, asking=None, leaving=False)
