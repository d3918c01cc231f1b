"""Understands what a traveller writes, offline: a message in, slots, open questions, problems and intents out.

Pure functions. The layers, bottom up: ``understand/lexicon`` (the words of a language, data), ``tokens`` (words with
their meanings), ``grammar`` (patterns over meanings, the same for every language), ``dates``, ``party``, ``places``
and ``intents`` (what the patterns mean), and this module, which settles what belongs to which slot.
"""

from datetime import date

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


def understand(
    text: str,
    *,
    today: date,
    gazetteer: Gazetteer,
    expecting: Slot | None = None,
    known: TripDraft | None = None,
    language: str = "en",
) -> Understanding:
    """What ``text`` says, on top of what is ``known``, where ``expecting`` was asked last. Never raises on any text."""
    return Understanding(known or TripDraft())
