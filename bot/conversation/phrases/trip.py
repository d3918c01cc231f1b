"""Greeting, asking for the trip, saying it back."""

import re

from bot.channels.model import Text
from bot.channels.text import bold, lines, paragraphs, text
from bot.conversation.phrases.forms import CABINS, day, party
from bot.conversation.understanding import Ambiguity, Problem, ProblemKind, Slot, TripDraft

_PREPOSITION = re.compile(r"^(on|from|to|at|in|by)\s+", re.IGNORECASE)
EXAMPLE = "two adults Lagos to London next Friday, back on the 12th, economy"


def greeting(name: str | None) -> Text:
    hello = f"Hello {name}, I am Layover." if name else "Hello, I am Layover."
    return paragraphs(
        f"{hello} I find and book flights here in the chat, and send you the ticket as a PDF.",
        text("Where would you like to go? Say it in one go if you like: ", bold(EXAMPLE)),
    )


QUESTIONS = {
    Slot.ORIGIN: "Where do you fly from?",
    Slot.DESTINATION: "Where would you like to go?",
    Slot.DEPART: "Which day do you want to fly?",
    Slot.RETURN: "When do you fly back?",
    Slot.PARTY: "Who is flying? For example “2 adults” or “me and our 9-year-old”.",
    Slot.CHILD_AGES: "How old are the children?",
    Slot.CABIN: "Which cabin?",
}

SLOT_NAMES = {
    Slot.ORIGIN: "From",
    Slot.DESTINATION: "To",
    Slot.DEPART: "Departure",
    Slot.RETURN: "Return",
    Slot.PARTY: "Travellers",
    Slot.CABIN: "Cabin",
}


def summary(draft: TripDraft) -> Text:
    """The trip as understood so far; what is missing is left out."""
    route = " → ".join(place.label for place in (draft.origin, draft.destination) if place)
    if draft.destination and not draft.origin:
        route = f"to {route}"
    elif draft.origin and not draft.destination:
        route = f"from {route}"
    dates = day(draft.depart) if draft.depart else ""
    if draft.return_on:
        dates += f", back {day(draft.return_on)}" if dates else f"back {day(draft.return_on)}"
    elif draft.one_way:
        dates += ", one way" if dates else "one way"
    who = [party(draft.party)] if draft.party else []
    cabin = [CABINS[draft.cabin]] if draft.cabin else []
    return lines(bold(route) if route else "", dates, " · ".join(who + cabin))


def confirmation(draft: TripDraft, lead: Text = ()) -> Text:
    return paragraphs(lead, lines(summary(draft), "Is that right?"))


def changed(before: TripDraft, after: TripDraft) -> Text:
    """``Changed to premium economy. Everything else as before.``"""
    news: list[str] = []
    if before.origin != after.origin and after.origin:
        news.append(f"flying from {after.origin.label}")
    if before.destination != after.destination and after.destination:
        news.append(f"flying to {after.destination.label}")
    if before.depart != after.depart and after.depart:
        news.append(f"leaving {day(after.depart)}")
    if (before.return_on, before.one_way) != (after.return_on, after.one_way):
        news.append(f"back {day(after.return_on)}" if after.return_on else "one way")
    if before.party != after.party and after.party:
        news.append(party(after.party))
    if before.cabin != after.cabin and after.cabin:
        news.append(CABINS[after.cabin])
    return text(f"Changed to {', '.join(news)}. Everything else as before.") if news else ()


def problem(what: Problem) -> str:
    """What is wrong with which words. The question that follows says what to do."""
    words = _quoted(what.words)
    return {
        ProblemKind.BAD_DATE: f"I did not understand the date {words}.",
        ProblemKind.DATE_IN_PAST: f"{words} is in the past.",
        ProblemKind.DATE_TOO_FAR: f"{words} is too far ahead: airlines sell about eleven months in advance.",
        ProblemKind.RETURN_BEFORE_DEPARTURE: f"{words} is before the day you leave.",
        ProblemKind.UNKNOWN_PLACE: f"I do not know a place called {words}.",
        ProblemKind.CLOSED_AIRPORT: f"The airport {words} is closed.",
        ProblemKind.SAME_PLACE: f"{words} is where you start from.",
        ProblemKind.TOO_MANY_INFANTS: "Each infant needs an adult's lap: at most one infant for an adult.",
        ProblemKind.TOO_MANY_TRAVELLERS: "I can book up to 9 travellers at a time.",
        ProblemKind.NO_ADULT: "At least one adult has to fly along.",
        ProblemKind.NOT_UNDERSTOOD: "I did not understand that.",
    }[what.kind]


def _quoted(words: str) -> str:
    """The traveller's own words, without the preposition and the comma that stood around them."""
    return f"“{_PREPOSITION.sub('', words.strip(' ,.;!?'))}”"


def ambiguity(what: Ambiguity) -> str:
    """The question whose candidates are the buttons."""
    if what.slots and what.places:
        return f"“{what.words}”: do you fly from there, or to there?"
    if what.slots:
        return f"“{what.words}”: is that when you leave or when you come back?"
    if what.places:
        ask = "Where exactly do you fly from" if what.slot is Slot.ORIGIN else "Where exactly do you want to go"
        return f"{ask}? “{what.words}” could be:"
    if what.dates:
        return f"Which day do you mean by “{what.words}”?"
    if what.slot in (Slot.DEPART, Slot.RETURN):
        return f"Which day in “{what.words}”?"
    return QUESTIONS[what.slot]


WHAT_TO_CHANGE = "What should I change? Press one, or just write it: “make it business”, “back on the 15th”."
