"""The service that reads the chain's events in order and has the payments they are about weighed."""

import asyncio
from collections.abc import Sequence

import structlog

from indexer.model import ChainEvent, ChainWatch
from payments import reader_store, store
from payments.evidence import Evidence
from payments.methods.clayer_weighing import weigh
from runtime.database import Database, Transaction, connection_lost
from runtime.dead_letters import describe

log = structlog.get_logger()

BATCH = 200
POLL_SECONDS = 2.0  # a wake-up of another process may be missed
RETRY_SECONDS = 60.0  # what could not be weighed is weighed again so often


class ChainEvidence:
    """Reads the indexer's events in order and weighs the payments they are about. The cursor moves with them.

    A payment that cannot be weighed holds up no other: it is noted, and weighed again until it can be.
    """

    name = "chain_evidence"

    def __init__(self, database: Database, chain: ChainWatch, evidence: Evidence) -> None:
        self._database = database
        self._chain = chain
        self._evidence = evidence

    async def run(self) -> None:
        now = asyncio.get_running_loop().time
        retry_at = now()
        while True:
            if now() >= retry_at:
                await self.retry()
                retry_at = now() + RETRY_SECONDS
            if await self.read_batch() < BATCH:
                await self._wait()

    async def read_batch(self) -> int:
        """Handle the next events; how many there were."""
        async with self._database.snapshot() as connection:
            events = await self._chain.events(connection, await reader_store.cursor(connection), BATCH)
        if not events:
            return 0
        try:
            return await self._weigh_together()
        except Exception as error:
            if connection_lost(error):
                raise
            log.warning("batch_not_weighed", events=len(events), error=describe(error))
        return await self._weigh_one_by_one(events)

    async def retry(self) -> int:
        """Weigh again what could not be; how many still cannot."""
        async with self._database.snapshot() as connection:
            addresses = await reader_store.unweighed(connection)
        return [await self._weigh_guarded(address) for address in addresses].count(False)

    async def _weigh_together(self) -> int:
        """All in one transaction: the usual way, and the quick one."""
        async with self._database.transaction() as tx:
            after = await reader_store.lock_cursor(tx)
            events = await self._chain.events(tx.connection, after, BATCH)
            for address in _addresses(events):
                await self._weigh(tx, address)
            if events:
                await reader_store.move_cursor(tx, events[-1].seq)
        return len(events)

    async def _weigh_one_by_one(self, events: Sequence[ChainEvent]) -> int:
        """Each address in a transaction of its own. A repeat changes nothing: the deposits decide, not the events."""
        for address in _addresses(events):
            await self._weigh_guarded(address)
        async with self._database.transaction() as tx:
            if await reader_store.lock_cursor(tx) < events[-1].seq:
                await reader_store.move_cursor(tx, events[-1].seq)
        return len(events)

    async def _weigh_guarded(self, address: str) -> bool:
        """False when it could not be weighed; then that is noted."""
        try:
            async with self._database.transaction() as tx:
                await self._weigh(tx, address)
                await reader_store.forget_unweighed(tx, address)
        except Exception as error:
            if connection_lost(error):
                raise
            log.exception("payment_not_weighed", address=address)
            async with self._database.transaction() as tx:
                await reader_store.note_unweighed(tx, address, describe(error))
            return False
        return True

    async def _weigh(self, tx: Transaction, address: str) -> None:
        payment = await store.lock_by_address(tx, address)
        if payment is None:  # watched for somebody else, or by hand
            return
        deposits = await self._chain.deposits(tx.connection, address)
        await self._evidence.apply(tx, payment, weigh(payment, deposits), actor="chain")

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._chain.changed()
        except TimeoutError:
            return


def _addresses(events: Sequence[ChainEvent]) -> list[str]:
    return list(dict.fromkeys(event.address for event in events))
