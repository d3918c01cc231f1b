"""Deposit addresses: each index below the merchant's account is given once, ever, by the database."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from payments.tables import address_counters, deposit_addresses
from runtime.database import Transaction


@dataclass(frozen=True, slots=True)
class GivenIndex:
    account: str  # the account's extended public key
    index: int


async def take_index(tx: Transaction, account: str) -> GivenIndex:
    """The next index, given in one statement: the row's lock is held until the transaction ends.

    A rollback gives it back; nothing else ever does.
    """
    insert: Any = (sqlite if tx.is_sqlite else postgresql).insert(address_counters)
    statement = (
        insert.values(account=account, next_index=1)
        .on_conflict_do_update(
            index_elements=[address_counters.c.account],
            set_={"next_index": address_counters.c.next_index + 1},
        )
        .returning(address_counters.c.next_index)
    )
    taken = (await tx.execute(statement)).scalar_one()
    return GivenIndex(account, int(taken) - 1)


async def give(tx: Transaction, given: GivenIndex, address: str, payment_id: str, now: datetime) -> None:
    """Write down to which payment the address belongs."""
    await tx.execute(
        deposit_addresses.insert().values(
            account=given.account, index=given.index, address=address, payment_id=payment_id, given_at=now
        )
    )


async def keep_baseline(tx: Transaction, address: str, baseline: dict[str, Any]) -> None:
    await _update(tx, address, baseline=baseline)


async def skip(tx: Transaction, address: str, why: str, baseline: dict[str, Any]) -> None:
    """The address is not used: it had a life before. Its index stays spent."""
    await _update(tx, address, skipped=why, baseline=baseline)


async def _update(tx: Transaction, address: str, **values: Any) -> None:
    await tx.execute(sa.update(deposit_addresses).where(deposit_addresses.c.address == address).values(**values))
