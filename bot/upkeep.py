"""Forgets what has served its purpose. How long everything is kept is said here and nowhere else.

Kept for good: payments and their history, what the chain told, bookings that were paid, and their tickets.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

import structlog

from bot import booking_store
from bot.conversation import store
from bot.documents import Documents
from runtime.clock import Clock
from runtime.database import Database, Transaction
from runtime.inbox import Inbox
from runtime.outbox import Outbox

log = structlog.get_logger()

EVERY = timedelta(hours=1)
KEEP_FACTS = timedelta(days=30)  # repeats of a fact must find it: no provider repeats one for longer
KEEP_LETTERS = timedelta(days=30)
KEEP_DEAD = timedelta(days=90)  # facts and letters that were given up on: time for an operator to see to them
KEEP_SEARCHES = timedelta(days=2)  # fares are old long before
KEEP_QR_CODES = timedelta(days=30)  # made anew when they are asked for
KEEP_UNPAID = timedelta(days=90)  # bookings; money that comes very late still finds for whom it was
KEEP_SESSIONS = timedelta(days=90)  # since the last word; what was paid is kept with its booking
BATCH = 1000

Deletion = Callable[[Transaction], Awaitable[int]]


class Upkeep:
    """A service that deletes in small batches, so that nothing waits for it."""

    name = "upkeep"

    def __init__(self, database: Database, inbox: Inbox, outbox: Outbox, documents: Documents, clock: Clock) -> None:
        self._database = database
        self._inbox = inbox
        self._outbox = outbox
        self._documents = documents
        self._clock = clock

    async def run(self) -> None:
        while True:
            most = await self.tidy()
            await self._clock.sleep(EVERY.total_seconds() if most < BATCH else 1.0)

    async def tidy(self) -> int:
        """One batch of each kind, each in a transaction of its own; how many rows went of the kind with most."""
        gone = {}
        for kind, delete in self._deletions().items():
            async with self._database.transaction() as tx:
                gone[kind] = await delete(tx)
        if any(gone.values()):
            log.info("old_rows_deleted", **gone)
        return max(gone.values())

    def _deletions(self) -> dict[str, Deletion]:
        now = self._clock.now()
        return {
            "facts": partial(self._inbox.delete_handled, older_than=KEEP_FACTS, limit=BATCH),
            "dead_facts": partial(self._inbox.delete_dead, older_than=KEEP_DEAD, limit=BATCH),
            "letters": partial(self._outbox.delete_sent, older_than=KEEP_LETTERS, limit=BATCH),
            "dead_letters": partial(self._outbox.delete_dead, older_than=KEEP_DEAD, limit=BATCH),
            "searches": partial(store.forget_searches, before=now - KEEP_SEARCHES, limit=BATCH),
            "qr_codes": partial(self._documents.forget_images, before=now - KEEP_QR_CODES, limit=BATCH),
            "unpaid_bookings": partial(booking_store.forget_unpaid, before=now - KEEP_UNPAID, limit=BATCH),
            "sessions": partial(store.forget_sessions, before=now - KEEP_SESSIONS, limit=BATCH),
        }
