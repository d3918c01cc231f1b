"""What travellers write is understood: at least 97 of 100 slots of the corpus, in a few milliseconds a message."""

import sys
import time

import pytest

from bot.flights.places import Gazetteer
from tests.understanding.corpus import compare, phrases, read

FEWEST_UNDERSTOOD = 0.97
LONGEST_READING = 0.005  # seconds of processor time, at the 99th percentile


@pytest.mark.parametrize("name", ["corpus.toml", "corpus_later.toml"])
def test_at_least_97_of_100_slots_are_understood(name: str, gazetteer: Gazetteer) -> None:
    said = list(phrases(name, gazetteer))
    total, misses = 0, []
    for phrase in said:
        count, missed = compare(phrase, read(phrase, gazetteer))
        total += count
        misses += [f"{phrase.text!r} (asked: {phrase.expecting}): {miss}" for miss in missed]
    sys.stdout.write("\n".join([f"{total - len(misses)} of {total} in {len(said)} phrases", *misses, ""]))
    assert 1 - len(misses) / total >= FEWEST_UNDERSTOOD, "\n".join(misses)


def test_a_message_is_read_within_five_milliseconds(gazetteer: Gazetteer) -> None:
    times: list[float] = []
    for phrase in phrases("corpus.toml", gazetteer):
        read(phrase, gazetteer)
        began = time.thread_time()
        read(phrase, gazetteer)
        times.append(time.thread_time() - began)
    assert sorted(times)[int(len(times) * 0.99)] <= LONGEST_READING


def test_the_gazetteer_is_loaded_within_a_second() -> None:
    began = time.thread_time()
    Gazetteer.load()
    assert time.thread_time() - began < 1
