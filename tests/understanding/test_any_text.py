"""Whatever is written: no exception, no wrong draft, and no long wait."""

import time
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.conversation.details import Detail, read_details
from bot.conversation.understand.lexicon import load_lexicon
from bot.conversation.understanding import Slot, TripDraft, understand
from bot.flights.model import PassengerType
from bot.flights.places import Gazetteer

WORDS = sorted(load_lexicon("en").phrases)
PLACES = ["lagos", "LHR", "new york", "lodnon", "Birmingham", "France", "TXL", "Portland, ME", "nice", "xqzzy"]
SIGNS = ["-", "–", ",", ".", "(", ")", "/", "→", "!", "+", "12", "9", "5th", "31/12", "2026", "27.11.2026", "a@b.c"]
PROSE = st.lists(st.sampled_from([*WORDS, *PLACES, *SIGNS]), max_size=25).map(" ".join)
MESSAGES = st.lists(st.tuples(PROSE | st.text(max_size=80), st.none() | st.sampled_from(Slot)), min_size=1, max_size=4)
GARBAGE = [
    *("a", "a ", "1 ", "1-", "1/1/", "to ", "lodnon ", "xqzzyk ", "2 kids (4, ", "9 and ", "(", "@", "a@", "a.", "+1"),
    *("é", "a\u0301", "o'", "st. ", "new york ", "5 dec ", "مرحبا ", "😀", "-", "+1 (2) ", "a@b.", "next "),
]
LONGEST = 0.5  # seconds of processor time for the worst message there is


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=MESSAGES, today=st.dates(date(2024, 1, 1), date(2032, 12, 31)))
def test_no_conversation_leads_to_an_error_or_an_impossible_trip(
    gazetteer: Gazetteer, messages: list[tuple[str, Slot | None]], today: date
) -> None:
    draft = TripDraft()
    for text, expecting in messages:
        understood = understand(text, today=today, gazetteer=gazetteer, expecting=expecting, known=draft)
        draft = understood.draft
        assert all(text[found.start : found.end] == found.words for found in understood.found)
        if draft.depart is not None:
            assert today <= draft.depart <= today + timedelta(days=366)
            assert draft.return_on is None or draft.return_on >= draft.depart
        if draft.party is not None:
            assert 1 <= draft.party.size <= 9
            assert draft.party.infants <= draft.party.adults
        if draft.origin is not None and draft.destination is not None:
            assert set(draft.origin.airports).isdisjoint(draft.destination.airports)


@settings(max_examples=300, deadline=None)
@given(
    text=PROSE | st.text(max_size=120),
    expecting=st.none() | st.sampled_from(Detail),
    passenger=st.sampled_from(PassengerType),
)
def test_no_text_leads_to_an_error_in_details(text: str, expecting: Detail | None, passenger: PassengerType) -> None:
    read_details(text, today=date(2026, 11, 20), passenger=passenger, departs=date(2026, 12, 1), expecting=expecting)


@pytest.mark.parametrize("piece", GARBAGE)
def test_the_longest_garbage_is_read_in_bounded_time(gazetteer: Gazetteer, piece: str) -> None:
    text = (piece * 4096)[:4096]
    began = time.thread_time()
    understand(text, today=date(2026, 11, 20), gazetteer=gazetteer)
    read_details(text, today=date(2026, 11, 20), passenger=PassengerType.ADULT, departs=date(2026, 12, 1))
    assert time.thread_time() - began < LONGEST
