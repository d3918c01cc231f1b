"""How far the chain's events have been read, and which addresses could not be weighed: all of their SQL."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from payments.tables import reader_cursors, unweighed_addresses
from runtime.database import Transaction

READER = "payments"


async def cursor(connection: AsyncConnection) -> int:
    """The seq of the last event that was handled; 0 before the first."""
    return (await connection.scalar(sa.select(reader_cursors.c.seq).where(reader_cursors.c.reader == READER))) or 0


async def lock_cursor(tx: Transaction) -> int:
    """The cursor, held against other processes until the transaction ends."""
    await tx.insert_if_new(reader_cursors, {"reader": READER, "seq": 0}, key=("reader",))
    seq = await tx.execute(sa.select(reader_cursors.c.seq).where(reader_cursors.c.reader == READER).with_for_update())
    return int(seq.scalar_one())


async def move_cursor(tx: Transaction, seq: int) -> None:
    await tx.execute(sa.update(reader_cursors).where(reader_cursors.c.reader == READER).values(seq=seq))


async def unweighed(connection: AsyncConnection) -> Sequence[str]:
    """Addresses whose payments have to be weighed again."""
    return (await connection.scalars(sa.select(unweighed_addresses.c.address))).all()


async def note_unweighed(tx: Transaction, address: str, error: str) -> None:
    await tx.insert_if_new(unweighed_addresses, {"address": address, "error": error}, key=("address",))


async def forget_unweighed(tx: Transaction, address: str) -> None:
    await tx.execute(sa.delete(unweighed_addresses).where(unweighed_addresses.c.address == address))
