"""The conversation as a function: a session and an event in, the next session and its effects out. No I/O.

Commands and the wish to leave are answered here, the same in every stage; the rest is the stage's own answer.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from bot.channels.model import Attachment, AttachmentKind, Text
from bot.channels.text import paragraphs
from bot.conversation.context import Context
from bot.conversation.effects import Effect, Option, Say, ShowTrips, Step
from bot.conversation.events import (
    Event,
    PaymentChanged,
    PaymentOpened,
    Pressed,
    Said,
    SearchFinished,
    Ticketed,
    TicketingDelayed,
    TicketingFailed,
    Unreadable,
)
from bot.conversation.phrases import common
from bot.conversation.phrases import offers as offer_phrases
from bot.conversation.phrases import paying as paying_phrases
from bot.conversation.session import Session, Stage
from bot.conversation.stages import method, offers, paying, travellers, trip
from bot.conversation.turn import Turn, read_turn, say, with_choices
from bot.conversation.understanding import Intent, TripDraft

_OTHER_FLIGHTS = re.compile(r"((show )?me )?(the )?(other|more|cheaper|different) (flights|offers|ones)", re.IGNORECASE)
_DETAILS = re.compile(
    r"\b(change travell?ers|names?|birth ?(date|day)|date of birth|gender|e-?mail|phone)\b", re.IGNORECASE
)


class Prompt(Protocol):
    def __call__(self, session: Session, context: Context, lead: str | Text = (), /) -> Step: ...


@dataclass(frozen=True, slots=True)
class Room:
    """What a stage can do: say where we are, and answer."""

    prompt: Prompt
    answer: Callable[[Session, Turn, Context], Step]


def advance(session: Session, event: Event, context: Context) -> Step:
    """The answer to one event. Every stage has one for everything: nothing is lost, nothing is a dead end."""
    step = _react(session, event, context)
    return with_choices(step, asks=_asks(session, event, step))


def _asks(session: Session, event: Event, step: Step) -> bool:
    """Whether the talk has moved on, or an answer asked again. Help, lists and news leave the question as it was."""
    if step.session != session:
        return True
    is_answer = isinstance(event, Said | Pressed | Unreadable)
    return is_answer and any(isinstance(effect, Say) and not effect.aside for effect in step.effects)


def _react(session: Session, event: Event, context: Context) -> Step:
    match event:
        case Said() | Pressed():
            return _answer(session, event, context)
        case Unreadable():
            return where_we_are(session, context, common.UNREADABLE)
        case SearchFinished():
            return offers.finished(session, event, context)
        case PaymentOpened():
            return paying.opened(session, event, context)
        case PaymentChanged():
            return paying.changed(session, event, context)
        case Ticketed():
            return _ticketed(session, event, context)
        case TicketingDelayed():
            return Step(session, (say(common.ticketing_delayed(event.reference)),))
        case TicketingFailed():
            return _ticketing_failed(session, event)


def where_we_are(session: Session, context: Context, lead: str | Text = ()) -> Step:
    return ROOMS[session.stage].prompt(session, context, lead)


def _answer(session: Session, event: Said | Pressed, context: Context) -> Step:
    if isinstance(event, Said) and event.text.strip().startswith("/"):
        return _command(session, event.text.strip(), context)
    turn = read_turn(session, event, context)
    if turn is None:
        return where_we_are(session, context, common.STALE)
    if session.leaving:
        return _answer_leaving(session, turn, context)
    if command := _as_command(session, turn):
        return _command(session, command, context)
    if session.stage is Stage.ISSUING and (step := _next_trip(session, event, context)):
        return step
    return ROOMS[session.stage].answer(session, turn, context)


def _next_trip(session: Session, event: Said | Pressed, context: Context) -> Step | None:
    """Another trip begins while the tickets of the last one are on their way: they come wherever the talk is."""
    fresh = session.begin_again()
    turn = read_turn(fresh, event, context)
    return trip.take_over(fresh, turn, context) if turn is not None and trip.is_change(turn) else None


def _as_command(session: Session, turn: Turn) -> str | None:
    """The command that a few plain words stand for: "help", "start over" …"""
    if turn.understood.found or len(turn.words.split()) > 3:
        return None
    if session.stage is Stage.PAYING and turn.wants(Intent.BACK):
        return "/cancel"
    for intent, command in (
        (Intent.HELP, "/help"),
        (Intent.BACK, "/back"),
        (Intent.CANCEL, "/cancel"),
        (Intent.START_OVER, "/cancel"),
    ):
        if turn.wants(intent):
            return command
    return None


def _command(session: Session, words: str, context: Context) -> Step:
    """``/command@OurBot argument``, in every stage."""
    name, _, argument = words.partition(" ")
    session = replace(session, leaving=False)
    match name.partition("@")[0].lower():
        case "/start":
            lead = common.WELCOME_BACK if _has_begun(session) else ""
            return where_we_are(session, context, lead)
        case "/help":
            return Step(session, (replace(say(common.help_text(session.stage)), aside=True),))
        case "/status":
            return where_we_are(session, context)
        case "/trips":
            return Step(session, (ShowTrips(argument.strip().upper() or None),))
        case "/back":
            return _back(session, context)
        case "/cancel":
            return _cancel(session, context)
        case unknown:
            return where_we_are(session, context, common.unknown_command(unknown))


def _has_begun(session: Session) -> bool:
    return session.stage is not Stage.TRIP or session.draft != TripDraft()


def _cancel(session: Session, context: Context) -> Step:
    match session.stage:
        case Stage.PAYING:
            return paying.ask_cancel(session, context)
        case Stage.ISSUING:
            return where_we_are(session, context, paying_phrases.PAID_ALREADY)
        case _ if not _has_begun(session):
            return Step(session, (say(common.NOTHING_TO_CANCEL),))
    options = (Option("Yes, drop it", "leave"), Option("Keep it", "stay"))
    return Step(replace(session, leaving=True), (say(common.ASK_START_OVER, options),))


def _answer_leaving(session: Session, turn: Turn, context: Context) -> Step:
    if session.stage is Stage.PAYING:
        return paying.answer_cancel(session, turn, context)
    stays = replace(session, leaving=False)
    if turn.action == "leave" or turn.only(Intent.YES) or turn.only(Intent.CANCEL):
        return Step(session.begin_again(), (say(common.GIVEN_UP),))
    if turn.action == "stay" or turn.only(Intent.NO):
        return where_we_are(stays, context)
    return ROOMS[stays.stage].answer(stays, turn, context)


def _back(session: Session, context: Context) -> Step:
    match session.stage:
        case Stage.CONFIRM | Stage.SEARCHING:
            return trip.ask_what_to_change(replace(session, search_id=None))
        case Stage.OFFERS:
            return trip.confirm(session)
        case Stage.TRAVELLERS:
            before = travellers.step_back(session)
            if before is None:
                return offers.prompt(replace(session.at(Stage.OFFERS), offer=None), context)
            return travellers.prompt(before, context)
        case Stage.METHOD:
            before = travellers.step_back(session)
            return travellers.prompt(before or session, context)
        case Stage.PAYING:
            return paying.ask_cancel(session, context)
        case Stage.TRIP if not session.draft.missing:  # a change was asked about
            if session.search_id is not None:
                return offers.prompt(session.at(Stage.OFFERS), context)
            return trip.confirm(session.at(Stage.CONFIRM))
        case Stage.TRIP | Stage.ISSUING:
            return where_we_are(session, context, common.CANNOT_GO_BACK)


def _answer_travellers(session: Session, turn: Turn, context: Context) -> Step:
    if _OTHER_FLIGHTS.fullmatch(turn.words.strip(" .!?")):
        return offers.prompt(replace(session.at(Stage.OFFERS), offer=None), context)
    return travellers.answer(session, turn, context)


def _answer_method(session: Session, turn: Turn, context: Context) -> Step:
    if turn.action == "flights" or _OTHER_FLIGHTS.fullmatch(turn.words.strip(" .!?")):
        return offers.prompt(replace(session.at(Stage.OFFERS), offer=None), context)
    if turn.action == "travellers" or (_DETAILS.search(turn.words) and not turn.understood.found):
        return travellers.begin(replace(session, travellers=()), context)
    return method.answer(session, turn, context)


def _prompt_searching(session: Session, context: Context, lead: str | Text = ()) -> Step:
    return Step(session, (say(paragraphs(lead, offer_phrases.SEARCHING)),))


def _answer_searching(session: Session, turn: Turn, context: Context) -> Step:
    if trip.is_change(turn):
        return trip.take_over(session, turn, context)
    return _prompt_searching(session, context, trip.problems(turn))


def _ticketed(session: Session, event: Ticketed, context: Context) -> Step:
    """The end of a booking: the papers, and a fresh start where this booking was what the talk was about."""
    papers: list[Effect] = [
        Say((), attachment=Attachment(AttachmentKind.DOCUMENT, document_id, filename))
        for document_id, filename in event.documents
    ]
    words = say(common.ticketed(event, is_sample=context.is_sample))
    over = session.booking_id == event.booking_id
    return Step(session.begin_again() if over else session, (words, *papers))


def _ticketing_failed(session: Session, event: TicketingFailed) -> Step:
    over = session.booking_id == event.booking_id
    words = say(common.ticketing_failed(event.reference))
    return Step(session.begin_again() if over else session, (words,))


ROOMS: dict[Stage, Room] = {
    Stage.TRIP: Room(trip.prompt, trip.answer),
    Stage.CONFIRM: Room(trip.prompt_confirm, trip.answer_confirm),
    Stage.SEARCHING: Room(_prompt_searching, _answer_searching),
    Stage.OFFERS: Room(offers.prompt, offers.answer),
    Stage.TRAVELLERS: Room(travellers.prompt, _answer_travellers),
    Stage.METHOD: Room(method.prompt, _answer_method),
    Stage.PAYING: Room(paying.prompt, paying.answer),
    Stage.ISSUING: Room(paying.prompt_issuing, paying.answer_issuing),
}
