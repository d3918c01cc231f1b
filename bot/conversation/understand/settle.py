"""Settles which slot each thing said belongs to, on top of what is known, and what is open or wrong with it."""

from datetime import date

from bot.conversation.understand.model import Slot, TripDraft, Understanding
from bot.conversation.understand.outline import Outline
from bot.conversation.understand.settle_dates import DateSettler
from bot.conversation.understand.settle_people import PeopleSettler
from bot.conversation.understand.settle_places import PlaceSettler
from bot.conversation.understand.settlement import Settlement


def settle(outline: Outline, today: date, expecting: Slot | None, known: TripDraft) -> Understanding:
    state = Settlement(outline, today, expecting, known=known, draft=known)
    PlaceSettler(state).settle()
    DateSettler(state).settle()
    PeopleSettler(state).settle()
    return state.result()
