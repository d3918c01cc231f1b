"""What the chain's deposits make of a payment: a pure judgement, and the service that reads the chain's events."""

import asyncio
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql, sqlite

from indexer.model import ChainEvent, ChainWatch, Deposit
from payments import store
from payments.evidence import Amounts, Evidence, Finding
from payments.payment import ENDED_UNPAID, PAID, Payment, State
from payments.tables import reader_cursors, unweighed_addresses
from runtime.database import Database, Transaction, connection_lost
from runtime.dead_letters import describe

log = structlog.get_logger()

READER = "payments"
BATCH = 200
POLL_SECONDS = 2.0  # a wake-up of another process may be missed
RETRY_SECONDS = 60.0  # what could not be weighed is weighed again so often


def weigh(payment: Payment, deposits: Sequence[Deposit]) -> Finding:
    """What the credits that stand on the canonical chain make of the payment. Same input, same answer."""
    amounts = Amounts(
        received=sum(deposit.amount for deposit in deposits),
        confirmed=sum(deposit.amount for deposit in deposits if deposit.confirmed),
        confirmations=_confirmations(deposits, payment.due),
        tx_hashes=tuple(dict.fromkeys(deposit.tx_hash for deposit in deposits if deposit.tx_hash)),
    )
    state, reason = _judge(payment, amounts)
    evidence = {"deposits": [_deposit_json(deposit) for deposit in deposits]}
    return Finding(state, reason, amounts, evidence)


def _judge(payment: Payment, amounts: Amounts) -> tuple[State, str]:
    if payment.state is State.REFUNDED:
        return payment.state, "the payment was refunded"
    if payment.state in ENDED_UNPAID:
        return _judge_ended(payment, amounts)
    if amounts.confirmed >= payment.due:
        paid = State.OVERPAID if amounts.confirmed > payment.due else State.COMPLETE
        return paid, "the amount due is confirmed on chain"
    if payment.state in PAID or payment.state is State.REVERSED:
        return State.REVERSED, "the chain took back what had been confirmed"
    if amounts.received == 0:
        return State.PENDING, "the chain took back what had been seen" if payment.received else "nothing has come"
    if amounts.received > amounts.confirmed:
        return State.PROCESSING, "seen on chain, not yet confirmed"
    return State.UNDERPAID, "confirmed on chain, but less than is due"


def _judge_ended(payment: Payment, amounts: Amounts) -> tuple[State, str]:
    if amounts.confirmed > payment.confirmed:
        return State.LATE, "money was confirmed after the payment had ended"
    if payment.state is State.LATE and amounts.received == 0:
        return State.EXPIRED, "the chain took the late money back"
    return payment.state, "the payment has ended"


def _confirmations(deposits: Sequence[Deposit], due: int) -> int:
    """Of the youngest deposit that is needed to reach what is due; of the youngest at all while that is not reached."""
    total, fewest = 0, None
    for deposit in sorted(deposits, key=lambda each: -each.confirmations):
        fewest = deposit.confirmations
        total += deposit.amount
        if total >= due:
            break
    return fewest or 0


def _deposit_json(deposit: Deposit) -> dict[str, Any]:
    return {
        "id": deposit.id,
        "amount": str(deposit.amount),
        "block": deposit.block.number,
        "hash": deposit.block.hash,
        "tx": deposit.tx_hash,
        "confirmed": deposit.confirmed,
    }


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
            cursor = await connection.scalar(sa.select(reader_cursors.c.seq).where(reader_cursors.c.reader == READER))
            events = await self._chain.events(connection, cursor or 0, BATCH)
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
            addresses = (await connection.scalars(sa.select(unweighed_addresses.c.address))).all()
        return [await self._weigh_guarded(address) for address in addresses].count(False)

    async def _weigh_together(self) -> int:
        """All in one transaction: the usual way, and the quick one."""
        async with self._database.transaction() as tx:
            after = await _lock_cursor(tx)
            events = await self._chain.events(tx.connection, after, BATCH)
            for address in _addresses(events):
                await self._weigh(tx, address)
            if events:
                await _move_cursor(tx, events)
        return len(events)

    async def _weigh_one_by_one(self, events: Sequence[ChainEvent]) -> int:
        """Each address in a transaction of its own. A repeat changes nothing: the deposits decide, not the events."""
        for address in _addresses(events):
            await self._weigh_guarded(address)
        async with self._database.transaction() as tx:
            if await _lock_cursor(tx) < events[-1].seq:
                await _move_cursor(tx, events)
        return len(events)

    async def _weigh_guarded(self, address: str) -> bool:
        """False when it could not be weighed; then that is noted."""
        try:
            async with self._database.transaction() as tx:
                await self._weigh(tx, address)
                await tx.execute(sa.delete(unweighed_addresses).where(unweighed_addresses.c.address == address))
        except Exception as error:
            if connection_lost(error):
                raise
            log.exception("payment_not_weighed", address=address)
            async with self._database.transaction() as tx:
                note = {"address": address, "error": describe(error)}
                await tx.insert_if_new(unweighed_addresses, note, key=("address",))
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


async def _lock_cursor(tx: Transaction) -> int:
    """The cursor, held against other processes until the transaction ends."""
    insert: Any = (sqlite if tx.is_sqlite else postgresql).insert(reader_cursors)
    await tx.execute(insert.values(reader=READER, seq=0).on_conflict_do_nothing())
    seq = await tx.execute(sa.select(reader_cursors.c.seq).where(reader_cursors.c.reader == READER).with_for_update())
    return int(seq.scalar_one())


async def _move_cursor(tx: Transaction, events: Sequence[ChainEvent]) -> None:
    await tx.execute(sa.update(reader_cursors).where(reader_cursors.c.reader == READER).values(seq=events[-1].seq))
