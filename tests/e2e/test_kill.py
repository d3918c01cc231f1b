"""``kill -9`` of the daemon, again and again, in the middle of bookings: nothing is lost and nothing is done twice.

Afterwards each booking has one order at the airline, one payment and one ticket a traveller, and no conversation had
more than one message repeated for each kill.
"""

import asyncio
import random
from collections.abc import Sequence
from functools import partial

import pytest
import sqlalchemy as sa

from bot.tables import bookings
from runtime.tables import inbox
from sandbox.faults import Fault, FaultKind
from scripts.daemon_process import DaemonFailed
from scripts.demo import DemoFailed
from tests.e2e.parties import LENGTH, Party, book, one_on_each_channel, what_is_wrong
from tests.e2e.stage import Stage, until

PATIENCE = 150.0  # seconds; about 45 on a busy machine
LONG_PATIENCE = 400.0  # where each time leases must run out
SHORT = range(1, 6)
LONG = [pytest.param(range(first, first + 5), marks=pytest.mark.long) for first in range(6, 51, 5)]


@pytest.mark.parametrize("seeds", [SHORT, *LONG], ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
async def test_killed_at_random_moments(stage: Stage, seeds: range) -> None:
    await _book_under_kills(stage, seeds)


@pytest.mark.long
@pytest.mark.parametrize("seeds", [range(101, 103), range(103, 105)], ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
async def test_killed_at_random_moments_on_postgresql(postgresql_stage: Stage, seeds: range) -> None:
    """Fewer, for a killed process keeps its leases until they run out, and its heir waits for that."""
    await _book_under_kills(postgresql_stage, seeds, LONG_PATIENCE)


async def _book_under_kills(stage: Stage, seeds: range, within: float = PATIENCE) -> None:
    """For each seed a party on each channel and a kill at a moment of their bookings; all of them side by side."""
    await stage.start_daemon()
    parties = {seed: one_on_each_channel(stage, seed) for seed in seeds}
    everybody = [party for both in parties.values() for party in both]
    problems: list[str] = []
    try:
        async with asyncio.TaskGroup() as group:
            for seed, both in parties.items():
                group.create_task(_kill_at_random(stage, both, random.Random(seed), within))
            await book(everybody, within=within)
    except* (AssertionError, DemoFailed, DaemonFailed) as failures:
        problems = [str(failure) for failure in failures.exceptions]
    problems = problems or await what_is_wrong(stage, everybody, repeats_allowed=len(seeds))
    assert not problems, f"seeds {seeds[0]} to {seeds[-1]}:\n" + "\n".join(problems)


async def _kill_at_random(stage: Stage, parties: Sequence[Party], dice: random.Random, within: float) -> None:
    """Kill when so much has been said, and a moment later; another daemon takes over at once."""
    moment = dice.randrange(LENGTH)
    come = partial(_has_come_to, parties, moment)
    await until(come, within=within, what=f"message {moment} of the conversations")
    await asyncio.sleep(dice.uniform(0, 0.3))
    await stage.replace_daemon()


async def _has_come_to(parties: Sequence[Party], moment: int) -> bool:
    everybody = all(party.booker.has_all_tickets for party in parties)
    return everybody or sum(party.shown for party in parties) >= moment


async def test_killed_where_it_hurts_most(stage: Stage) -> None:
    """Right after an update was stored, between payment and fulfilment, and while tickets are being handed over."""
    await stage.start_daemon()
    parties = one_on_each_channel(stage, 1)
    async with asyncio.TaskGroup() as group:
        group.create_task(_kill_where_it_hurts(stage))
        await book(parties, within=PATIENCE)
    problems = await what_is_wrong(stage, parties, repeats_allowed=3)
    assert not problems, "\n".join(problems)
    async with stage.database() as database, database.snapshot() as connection:
        told = sa.select(sa.func.count()).select_from(inbox).where(inbox.c.source.like("telegram:%"))
        assert await connection.scalar(told) == 8  # what Ada wrote and pressed, though Telegram told some of it twice


async def _kill_where_it_hurts(stage: Stage) -> None:
    telegram = stage.world.telegram.faults
    # An update is stored and answered; the question that would confirm it to Telegram never gets there.
    unconfirmed = telegram.add(Fault(FaultKind.BAD_GATEWAY, operation="getUpdates", times=None, after=1))
    await _struck(stage, FaultKind.BAD_GATEWAY)
    await stage.kill_daemon()
    telegram.remove(unconfirmed)
    await stage.start_daemon()

    telegram.add(Fault(FaultKind.DELAY, operation="sendDocument", delay=1.0))
    async with stage.database() as database:

        async def is_paid() -> bool:
            async with database.snapshot() as connection:
                paid = sa.select(sa.func.count()).select_from(bookings).where(bookings.c.state == "paid")
                return bool(await connection.scalar(paid))

        await until(is_paid, within=60, what="a booking that is paid and has no ticket yet")
        await stage.kill_daemon()
        assert await is_paid(), "the kill came too late"
    await stage.start_daemon()

    await _struck(stage, FaultKind.DELAY)
    await stage.kill_daemon()
    await stage.start_daemon()


async def _struck(stage: Stage, kind: FaultKind) -> None:
    async def has_struck() -> bool:
        return any(struck.kind is kind for struck in stage.world.telegram.faults.struck)

    await until(has_struck, within=60, what=f"the fault {kind}")
