"""SIGTERM in the middle of many bookings: the daemon ends what it has begun, and the next one goes on behind it."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import pytest
import sqlalchemy as sa

from runtime.tables import leases, outbox, outbox_waiting
from tests.e2e.parties import LENGTH, Party, book, one_on_each_channel, what_is_wrong
from tests.e2e.stage import Stage, until

PAIRS = 4
UNTIDY = ("Traceback", "Task was destroyed", "never retrieved", "service_cancelled", "service_stuck")


async def test_stops_within_ten_seconds_with_nothing_half_done(stage: Stage) -> None:
    await _stopped_under_load(stage)


@pytest.mark.long
async def test_stops_on_postgresql_and_its_heir_need_not_wait(postgresql_stage: Stage) -> None:
    await _stopped_under_load(postgresql_stage)


async def _stopped_under_load(stage: Stage) -> None:
    await stage.start_daemon()
    parties = [party for number in range(PAIRS) for party in one_on_each_channel(stage, number)]
    async with asyncio.TaskGroup() as group:
        group.create_task(book(parties, within=120))
        await until(partial(_are_under_way, parties), within=60, what="bookings that are under way")
        log = stage.daemon.log
        began = time.monotonic()
        code = await stage.stop_daemon()
        seconds = time.monotonic() - began
        untidy = [line for line in log.read_text().splitlines() if any(words in line for words in UNTIDY)]
        held = await _still_held(stage)
        await stage.start_daemon()

    assert code == 0
    assert seconds < 10
    assert not untidy
    assert not held
    # Even the message that was on its way was seen to its end: nothing is said twice.
    problems = await what_is_wrong(stage, parties, repeats_allowed=0)
    assert not problems, "\n".join(problems)


async def _are_under_way(parties: Sequence[Party]) -> bool:
    return sum(party.shown for party in parties) >= PAIRS * LENGTH // 2


async def _still_held(stage: Stage) -> list[str]:
    """What the dead one keeps from its heir: leases, and letters it had taken to send."""
    now = datetime.now(UTC)
    async with stage.database() as database, database.snapshot() as connection:
        names = await connection.execute(sa.select(leases.c.name).where(leases.c.expires_at > now))
        letters = await connection.execute(
            sa.select(outbox.c.id).where(outbox_waiting, outbox.c.claimed_until > now, outbox.c.attempts == 0)
        )
        return [*names.scalars(), *(f"letter {letter}" for letter in letters.scalars())]
