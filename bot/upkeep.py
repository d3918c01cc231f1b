"""Forgets what has served its purpose: handled facts (they hold what travellers wrote) and sent letters."""

from datetime import timedelta

import structlog

from runtime.clock import Clock
from runtime.database import Database
from runtime.inbox import Inbox
from runtime.outbox import Outbox

log = structlog.get_logger()

EVERY = timedelta(hours=1)
KEEP_FACTS = timedelta(days=30)  # repeats of a fact must find it: no provider repeats one for longer
KEEP_LETTERS = timedelta(days=30)
BATCH = 1000


class Upkeep:
    """A service that deletes in small batches, so that nothing waits for it."""

    name = "upkeep"

    def __init__(self, database: Database, inbox: Inbox, outbox: Outbox, clock: Clock) -> None:
        self._database = database
        self._inbox = inbox
        self._outbox = outbox
        self._clock = clock

    async def run(self) -> None:
        while True:
            gone = await self._pass()
            if gone:
                log.info("old_rows_deleted", rows=gone)
            await self._clock.sleep(EVERY.total_seconds() if gone < BATCH else 1.0)

    async def _pass(self) -> int:
        async with self._database.transaction() as tx:
            facts = await self._inbox.delete_handled(tx, older_than=KEEP_FACTS, limit=BATCH)
        async with self._database.transaction() as tx:
            letters = await self._outbox.delete_sent(tx, older_than=KEEP_LETTERS, limit=BATCH)
        return max(facts, letters)
