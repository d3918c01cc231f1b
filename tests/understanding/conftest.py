"""The gazetteer, read once: it is never changed."""

import pytest

from bot.conversation.understand.lexicon import load_lexicon
from bot.flights.places import Gazetteer


@pytest.fixture(scope="session")
def gazetteer() -> Gazetteer:
    load_lexicon("en")
    return Gazetteer.load()
