"""Who flies: each traveller's details, all at once or one by one, and the contact."""

import re
from dataclasses import replace
from datetime import date

from bot.channels.model import Text
from bot.channels.text import lines, paragraphs
from bot.conversation.context import Context
from bot.conversation.details import Detail, DetailsUnderstanding, TravellerDraft, read_details
from bot.conversation.effects import Option, Step
from bot.conversation.phrases import offers as offer_phrases
from bot.conversation.phrases import travellers as phrases
from bot.conversation.session import Session, Stage
from bot.conversation.stages import method, trip
from bot.conversation.turn import Turn, ahead, say
from bot.conversation.understanding import Slot
from bot.flights.model import Offer

# Small words as they are written within a sentence, not within a name ("Ali To", "Maria de la Cruz").
_TRAVEL = re.compile(
    r"\b(to|from|later|earlier|instead|one way|adults?|child(ren)?|infants?|people)\b"
    r"|\b(?i:leav(e|ing)|return(ing)?|fly(ing)?|back)\b"
)
GENDER_OPTIONS = (Option("Female", "say:female"), Option("Male", "say:male"))


def begin(session: Session, context: Context) -> Step:
    """An offer is chosen. Travellers known from before stay where the party is the same."""
    offer = _offer(session)
    party = offer.party
    known = session.travellers if len(session.travellers) == party.size else (TravellerDraft(),) * party.size
    start = replace(session.at(Stage.TRAVELLERS), travellers=known)
    return ahead(prompt(start, context), say(offer_phrases.chosen(offer)))


def prompt(session: Session, context: Context, lead: str | Text = ()) -> Step:
    """Ask for the first thing that is missing; go on to paying where nothing is."""
    at = current(session)
    if at is None:
        return method.prompt(session.at(Stage.METHOD), context, lead)
    draft = session.travellers[at]
    missing = draft.missing(with_contact=at == 0)
    if draft == TravellerDraft():
        types = _offer(session).party.types
        question = phrases.ask_traveller(at + 1, len(types), types[at])
        return Step(session, (say(paragraphs(lead, question)),))
    options = GENDER_OPTIONS if missing[0] is Detail.GENDER else ()
    return Step(session, (say(paragraphs(lead, phrases.ask_detail(missing[0], draft)), options),))


def current(session: Session) -> int | None:
    """Which traveller is being asked about; None when everybody is known."""
    for index, draft in enumerate(session.travellers):
        if draft.missing(with_contact=index == 0):
            return index
    return None


def answer(session: Session, turn: Turn, context: Context) -> Step:
    at = current(session)
    if at is None:
        return prompt(session, context)
    read = _read(session, at, turn.words, context.today)
    if _is_about_trip(session, turn, read):
        return trip.take_over(session, turn, context)
    travellers = (*session.travellers[:at], read.draft, *session.travellers[at + 1 :])
    wrong = lines(*(phrases.problem(each) for each in read.problems))
    return prompt(replace(session, travellers=travellers), context, wrong)


def _is_about_trip(session: Session, turn: Turn, read: DetailsUnderstanding) -> bool:
    """``make it business``, ``Lagos to Paris``: the trip becomes another one. Places and months alone are names too
    (Santiago, June), so they count only with a word of travel; and beside another detail nothing does.
    """
    understood = turn.understood
    wrong = {problem.detail for problem in read.problems}
    if (read.found | wrong) - {Detail.NAME, _expected(session)} or read.found - {Detail.NAME}:
        return False
    if not understood.found or understood.problems or understood.draft == session.draft:
        return False
    cabin = any(found.slot is Slot.CABIN and len(found.words) > 1 for found in understood.found)  # "Ada J Obi"
    return cabin or _TRAVEL.search(turn.words) is not None


def _expected(session: Session) -> Detail:
    at = current(session)
    assert at is not None
    return session.travellers[at].missing(with_contact=at == 0)[0]


def _read(session: Session, at: int, words: str, today: date) -> DetailsUnderstanding:
    draft = session.travellers[at]
    offer = _offer(session)
    missing = draft.missing(with_contact=at == 0)
    return read_details(
        words,
        today=today,
        passenger=offer.party.types[at],
        departs=offer.slices[0].departs.date(),
        last_day=offer.slices[-1].arrives.date(),
        expecting=None if draft == TravellerDraft() else missing[0],
        known=draft,
    )


def step_back(session: Session) -> Session | None:
    """Forget the traveller asked about, or the one before; None when the first has not begun."""
    at = current(session)
    last = len(session.travellers) - 1 if at is None else at
    if session.travellers[last] == TravellerDraft():
        last -= 1
    if last < 0:
        return None
    travellers = (*session.travellers[:last], *(TravellerDraft(),) * (len(session.travellers) - last))
    return replace(session.at(Stage.TRAVELLERS), travellers=travellers)


def _offer(session: Session) -> Offer:
    assert session.offer is not None, "travellers are asked after an offer was chosen"
    return session.offer
