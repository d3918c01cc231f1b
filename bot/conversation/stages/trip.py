"""Which trip: slots in one go or one by one, said back, corrected, confirmed."""

from dataclasses import replace

from bot.channels.model import Text
from bot.channels.text import lines, paragraphs, text
from bot.conversation.context import Context
from bot.conversation.effects import Effect, Option, ShowTyping, StartSearch, Step
from bot.conversation.phrases import common, forms, offers
from bot.conversation.phrases import trip as phrases
from bot.conversation.session import Session, Sort, Stage
from bot.conversation.turn import Turn, say
from bot.conversation.understanding import Ambiguity, Intent, Slot, TripDraft
from bot.flights.model import Place

PLACES_SHOWN = 6
LONGEST_SAID = 40  # bytes of the traveller's words that a button sends back
SAID = {Slot.ORIGIN: "from", Slot.DESTINATION: "to", Slot.DEPART: "leave", Slot.RETURN: "back"}

OPTIONS: dict[Slot, tuple[tuple[Option, ...], ...]] = {
    Slot.RETURN: ((Option("One way", "say:one way"),),),
    Slot.PARTY: ((Option("Just me", "say:just me"), Option("2 adults", "say:2 adults")),),
    Slot.CABIN: (
        (Option("Economy", "say:economy"), Option("Premium economy", "say:premium economy")),
        (Option("Business", "say:business"), Option("First", "say:first class")),
    ),
}
CONFIRM_OPTIONS = ((Option("Yes, search", "search"), Option("Change something", "change")),)


def prompt(session: Session, context: Context, lead: str | Text = ()) -> Step:
    """Ask for the first thing that is missing, or say the trip back where nothing is."""
    if session.draft == TripDraft() and session.asking is None:
        return Step(session, (say(paragraphs(lead, phrases.greeting(session.name))),))
    slot = session.asking or next(iter(session.draft.missing), None)
    if slot is None:
        return confirm(session, text(lead))
    asking = replace(session.at(Stage.TRIP), asking=slot)
    question = phrases.QUESTIONS[slot]
    return Step(asking, (say(paragraphs(lead, question), *OPTIONS.get(slot, ())),))


def confirm(session: Session, lead: Text = ()) -> Step:
    return Step(session.at(Stage.CONFIRM), (say(phrases.confirmation(session.draft, lead), *CONFIRM_OPTIONS),))


def prompt_confirm(session: Session, context: Context, lead: str | Text = ()) -> Step:
    return confirm(session, text(lead))


def answer(session: Session, turn: Turn, context: Context) -> Step:
    """While slots are being filled."""
    if slot := turn.argument("slot:"):
        return prompt(replace(session, asking=Slot(slot)), context)
    understood = turn.understood
    if understood.is_empty or not (understood.found or understood.ambiguities or understood.problems):
        return _small_talk(session, turn, context)
    return take_over(session, turn, context)


def answer_confirm(session: Session, turn: Turn, context: Context) -> Step:
    """While the whole trip waits for a yes. What is found changes only its own slot."""
    if turn.action == "search" or turn.only(Intent.YES):
        return search(session, context)
    if slot := turn.argument("slot:"):
        return prompt(replace(session, asking=Slot(slot)), context)
    if turn.understood.change and not turn.understood.found:
        return prompt(replace(session, asking=turn.understood.change), context)
    if turn.understood.found or turn.understood.ambiguities or turn.understood.problems:
        return take_over(session, turn, context)
    if turn.action == "change" or turn.wants(Intent.CHANGE) or turn.wants(Intent.NO):
        return ask_what_to_change(session)
    return confirm(session, text(common.NOT_UNDERSTOOD))


def take_over(session: Session, turn: Turn, context: Context) -> Step:
    """Fill in what was understood; ask about what is unclear, wrong or missing, one thing at a time."""
    understood = turn.understood
    was_complete = not session.draft.missing
    filled = replace(session, draft=understood.draft, asking=None)
    if understood.found:
        filled = replace(filled, search_id=None, offer=None)
    wrong = problems(turn)
    if understood.ambiguities:
        return _ask_about(filled, understood.ambiguities[0], wrong)
    if understood.problems:
        slot = understood.problems[0].slot
        return prompt(replace(filled, asking=slot), context, wrong)
    lead = phrases.changed(session.draft, understood.draft) if was_complete else ()
    return prompt(filled, context, lead)


def problems(turn: Turn) -> Text:
    """What is wrong with what was said."""
    return lines(*(phrases.problem(each) for each in turn.understood.problems))


def is_change(turn: Turn) -> bool:
    """The trip becomes another one, or may do: something was found, or is to be asked about."""
    return bool(turn.understood.found or turn.understood.ambiguities)


def _ask_about(session: Session, unclear: Ambiguity, wrong: Text) -> Step:
    asking = replace(session.at(Stage.TRIP), asking=unclear.slot)
    rows = tuple((option,) for option in _candidates(unclear)) or OPTIONS.get(unclear.slot, ())
    return Step(asking, (say(paragraphs(wrong, phrases.ambiguity(unclear)), *rows),))


def _candidates(unclear: Ambiguity) -> list[Option]:
    if unclear.slots:
        name, meant = unclear.words, unclear.words
        if len(unclear.places) == 1:
            name, meant = unclear.places[0].name, _said(unclear.places[0])
        elif unclear.dates:
            meant = unclear.dates[0].isoformat()
        if len(meant.encode()) > LONGEST_SAID:
            return []
        labels = {slot: phrases.SLOT_NAMES[slot] + (f" {name}" if unclear.places else "") for slot in unclear.slots}
        return [Option(label, f"say:{SAID[slot]} {meant}") for slot, label in labels.items()]
    if unclear.places:
        return [Option(place.label, f"say:{_said(place)}") for place in unclear.places[:PLACES_SHOWN]]
    return [Option(forms.day(day), f"say:{day.isoformat()}") for day in unclear.dates]


def _said(place: Place) -> str:
    """A code alone can be one airport of several ("IST"): a city with several is said by its name."""
    return place.name if len(place.airports) > 1 else place.code


def _small_talk(session: Session, turn: Turn, context: Context) -> Step:
    if turn.wants(Intent.THANKS):
        return prompt(session, context, common.THANKS)
    if turn.wants(Intent.GREETING) or session.draft == TripDraft():
        fresh = replace(session, asking=None) if session.draft == TripDraft() else session
        lead = common.NOT_UNDERSTOOD if turn.words and turn.understood.is_empty and session.asking else ""
        return prompt(fresh, context, lead)
    return prompt(session, context, common.NOT_UNDERSTOOD)


def ask_what_to_change(session: Session, lead: str | Text = ()) -> Step:
    buttons = [Option(name, f"slot:{slot}") for slot, name in phrases.SLOT_NAMES.items()]
    rows = (tuple(buttons[:3]), tuple(buttons[3:]))
    return Step(session.at(Stage.CONFIRM), (say(paragraphs(lead, phrases.WHAT_TO_CHANGE), *rows),))


def search(session: Session, context: Context, lead: str = offers.SEARCHING) -> Step:
    """Have the trip searched. Results of an earlier search will be dropped."""
    request = session.draft.request()
    if request is None:
        return prompt(session, context)
    search_id = context.ids.new("search")
    searching = replace(
        session.at(Stage.SEARCHING), search_id=search_id, page=0, sort=Sort.CHEAPEST, offer=None, choices=()
    )
    effects: tuple[Effect, ...] = (say(lead), ShowTyping(), StartSearch(search_id, request))
    return Step(searching, effects)
