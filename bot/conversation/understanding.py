"""Understands what a traveller writes, offline: a message in, slots, open questions, problems and intents out.

Pure functions, in layers, bottom up: ``understand/languages`` (the words of each language, data), ``lexicon`` and
``tokens`` (words with all their meanings), ``grammar`` (patterns over meanings, the same for every language), ``dates``
and ``party`` (what the patterns mean), ``mentions`` (places), ``outline`` (all of it in order, with the cues around
it), ``settle`` (which slot each thing fills, on top of what is known) and ``intents``.
"""

from dataclasses import replace
from datetime import date

from bot.conversation.understand.dates import BareDay
from bot.conversation.understand.intents import Wish, read_intents
from bot.conversation.understand.lexicon import Kind, load_lexicon
from bot.conversation.understand.model import (
    Ambiguity,
    Found,
    Intent,
    PartialParty,
    Problem,
    ProblemKind,
    Slot,
    SlotValue,
    TripDraft,
    Understanding,
)
from bot.conversation.understand.outline import Direction, Outline, Piece, read_outline
from bot.conversation.understand.party import CabinSaid, People
from bot.conversation.understand.settle import settle
from bot.flights.model import Cabin
from bot.flights.places import Gazetteer

__all__ = [
    "Ambiguity",
    "Found",
    "Intent",
    "PartialParty",
    "Problem",
    "ProblemKind",
    "Slot",
    "SlotValue",
    "TripDraft",
    "Understanding",
    "understand",
]

_LONGEST_MESSAGE = 1000  # characters; a request is a few sentences, and reading holds everybody else up


def understand(
    text: str,
    *,
    today: date,
    gazetteer: Gazetteer,
    expecting: Slot | None = None,
    known: TripDraft | None = None,
    language: str = "en",
) -> Understanding:
    """What ``text`` says, on top of what is ``known``, where ``expecting`` was asked last. Never raises on any text.

    A bare number is both an answer to what was asked ("2" travellers) and ``Intent.CHOOSE``: where numbered choices
    were shown, the choice is what is meant.
    """
    known = known or TripDraft()
    if expecting in (Slot.ORIGIN, Slot.DESTINATION):
        text = _labelled_code(text, gazetteer) or text
    outline = read_outline(text[:_LONGEST_MESSAGE], load_lexicon(language), gazetteer, expecting)
    wish = read_intents(outline.line, has_slots=any(_is_of_trip(piece) for piece in outline.pieces))
    _read_short_answer(outline, wish, expecting)
    understood = settle(outline, today, expecting, known)
    change = _change(outline, understood) if Intent.CHANGE in wish.intents else None
    understood = replace(understood, intents=wish.intents, choice=wish.choice, change=change)
    if expecting is not None and understood.is_empty and text.strip():
        understood = replace(understood, problems=(_not_understood(outline, expecting),))
    return replace(understood, problems=tuple(_closed(problem, gazetteer) for problem in understood.problems))


def _labelled_code(text: str, gazetteer: Gazetteer) -> str | None:
    """Only the code, where it stood, of a place's label sent back as the answer: ``Mili Island (MIJ)``."""
    label = text.rstrip()
    code = label[-4:-1]
    if label[-5:-4] != "(" or label[-1:] != ")" or not code.isupper() or gazetteer.coded(code) is None:
        return None
    return " " * (len(label) - 4) + code


def _is_of_trip(piece: Piece) -> bool:
    return piece.what != People(myself=True)


def _read_short_answer(outline: Outline, wish: Wish, expecting: Slot | None) -> None:
    """What counts only because it was asked for: a bare number, "first", "none"."""
    if any(_is_of_trip(piece) for piece in outline.pieces):
        return
    whole = (0, len(outline.line))
    number = wish.choice
    if expecting is Slot.RETURN and Intent.NO in wish.intents:
        outline.pieces.append(Piece(Direction(one_way=True), *whole))
    elif number is None:
        return
    elif expecting is Slot.PARTY:
        outline.pieces.append(Piece(People(adults=number), *whole))
    elif expecting in (Slot.DEPART, Slot.RETURN) and number <= 31:
        outline.pieces.append(Piece(BareDay(number), *whole, expecting))
    elif expecting is Slot.CABIN and number == 1 and outline.says(Kind.ORDINAL):
        outline.pieces.append(Piece(CabinSaid(Cabin.FIRST), *whole))


def _change(outline: Outline, understood: Understanding) -> Slot | None:
    """The slot to change: as named, or the only one that was given anew."""
    if outline.slot_named is not None:
        return outline.slot_named
    return understood.found[0].slot if len(understood.found) == 1 else None


def _closed(problem: Problem, gazetteer: Gazetteer) -> Problem:
    closed = problem.kind is ProblemKind.UNKNOWN_PLACE and gazetteer.is_closed(problem.words)
    return replace(problem, kind=ProblemKind.CLOSED_AIRPORT) if closed else problem


def _not_understood(outline: Outline, expecting: Slot) -> Problem:
    """The answer names nothing that was asked for. Asked for a place, its unknown words must be meant for one."""
    kind = ProblemKind.NOT_UNDERSTOOD
    words = outline.text.strip()
    if expecting in (Slot.ORIGIN, Slot.DESTINATION):
        unknown = [lexeme for lexeme in outline.line if lexeme.is_unknown_word]
        if unknown:
            kind = ProblemKind.UNKNOWN_PLACE
            words = outline.text[unknown[0].start : unknown[-1].end]
    return Problem(kind, expecting, words)
