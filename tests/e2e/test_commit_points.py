"""The power goes at a commit, before or after it: whichever it is, the booking goes on and comes to the same end.

The short form cuts at an evenly spaced sample of the commits of a booking, the long form at every one of them.
"""

import random
from collections.abc import Iterator

import pytest

from bot.flights.places import Gazetteer
from bot.schema import bring_up_to_date
from runtime.database import Database
from tests.e2e.books import problems_in
from tests.e2e.lives import Outside, Trip, live
from tests.e2e.power import Cut, Side

SEED = 7
SAMPLES = {"sqlite": 6, "postgresql": 2}  # in the short form


class Runs:
    """Bookings one after the other on one database, each by a traveller of its own."""

    def __init__(self, url: str, gazetteer: Gazetteer) -> None:
        self._url = url
        self._gazetteer = gazetteer
        self._outside = Outside()
        self._number = 0
        self._letters = 0  # that an undisturbed booking needs

    async def book_undisturbed(self) -> int:
        """How many commits it took."""
        self._number += 1
        trip = Trip(self._outside, self._number)
        is_over, power = await live(self._url, self._outside, self._gazetteer, trip, None)
        assert is_over
        self._letters = len(trip.delivered.times)
        return power.commits

    async def book(self, cut: Cut) -> bool:
        """A whole booking with a cut. False where it was over before the cut came."""
        self._number += 1
        trip = Trip(self._outside, self._number)
        is_over, _ = await live(self._url, self._outside, self._gazetteer, trip, cut)
        was_cut = not is_over
        while not is_over:
            is_over, _ = await live(self._url, self._outside, self._gazetteer, trip, None)
        problems = await self._problems(trip, was_cut)
        assert not problems, f"the power went {cut} (of booking {self._number}):\n" + "\n".join(problems)
        return was_cut

    async def _problems(self, trip: Trip, was_cut: bool) -> list[str]:
        problems = []
        if len(set(trip.delivered.tickets)) != 2 or len(trip.delivered.tickets) != 2:
            problems.append(f"tickets delivered: {trip.delivered.tickets}")
        times = trip.delivered.times
        if times.total() - len(times) > was_cut:
            problems.append(f"letters delivered more than once: {times}")
        if len(times) != self._letters:  # a fact that was handled twice, or not at all
            problems.append(f"{len(times)} letters instead of {self._letters}")
        async with Database.open(self._url) as database:
            return problems + await problems_in(database, {trip.chat: 2})


@pytest.fixture
async def runs(database_url: str) -> Runs:
    await bring_up_to_date(database_url)
    return Runs(database_url, Gazetteer.load())


async def test_cut_at_commits_all_over_a_booking(runs: Runs, database_url: str) -> None:
    commits = await runs.book_undisturbed()
    for cut in _sample(commits, SAMPLES[database_url.partition(":")[0]]):
        await runs.book(cut)


@pytest.mark.long
@pytest.mark.parametrize("side", Side)
async def test_cut_at_every_commit_of_a_booking(runs: Runs, side: Side) -> None:
    await runs.book_undisturbed()
    commit = 1
    while await runs.book(Cut(commit, side)):
        commit += 1
    assert commit > 40  # so many there are at least


def _sample(commits: int, size: int) -> Iterator[Cut]:
    """Evenly spaced over the booking, shifted by chance, before and after in turn."""
    dice = random.Random(SEED)
    for number in range(size):
        commit = int((number + dice.random()) * commits / size) + 1
        yield Cut(commit, (Side.BEFORE, Side.AFTER)[number % 2])
