"""Who may do what only one process may do (poll Telegram, index the chain): rows with an expiry and a token.

A lease can be lost without its holder knowing, when a process stalls. So whatever it writes is **fenced**: the unit
of work compares the token, which grows with every holder, and fails with LeaseLost.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
import structlog

from runtime.clock import Clock
from runtime.database import Database, Transaction, connection_lost
from runtime.errors import LayoverError
from runtime.process import identity
from runtime.tables import leases

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do what ``name`` stands for. ``token`` is greater than that of any holder before."""

    name: str
    owner: str
    token: int


class LeaseLost(LayoverError):
    """Another process has taken over; this one must stop what the lease was for, and write nothing more of it."""

    def __init__(self, lease: Lease) -> None:
        super().__init__(f"The lease {lease.name!r} (token {lease.token}) was lost to another process. Start over.")
        self.lease = lease


async def fenced(tx: Transaction, lease: Lease) -> None:
    """Make sure that the lease is still held when ``tx`` commits. Raises LeaseLost."""
    held = sa.select(leases.c.token).where(leases.c.name == lease.name).with_for_update(read=True)
    if (await tx.execute(held)).scalar_one_or_none() != lease.token:
        raise LeaseLost(lease)


class Leases:
    """Acquires and keeps leases for this process. ``seconds``: how long one lasts without being renewed."""

    def __init__(self, database: Database, clock: Clock, *, owner: str | None = None, seconds: float = 30.0) -> None:
        self.owner = owner or identity(database.url)
        self._database = database
        self._clock = clock
        self._seconds = seconds

    async def acquire(self, name: str) -> Lease | None:
        """Take the lease if it is free, has run out, or was this owner's before. None: someone else has it."""
        async with self._database.transaction() as tx:
            now = self._clock.now()
            expires_at = now + timedelta(seconds=self._seconds)
            row = {"name": name, "owner": self.owner, "token": 1, "expires_at": expires_at}
            if await tx.insert_if_new(leases, row, key=("name",)):
                return Lease(name, self.owner, 1)
            taken = await tx.execute(
                sa.update(leases)
                .where(leases.c.name == name, sa.or_(leases.c.expires_at <= now, leases.c.owner == self.owner))
                .values(owner=self.owner, token=leases.c.token + 1, expires_at=expires_at)
                .returning(leases.c.token)
            )
            token: int | None = taken.scalar_one_or_none()
        return None if token is None else Lease(name, self.owner, token)

    async def renew(self, lease: Lease) -> None:
        """Let it last ``seconds`` from now. Raises LeaseLost."""
        expires_at = self._clock.now() + timedelta(seconds=self._seconds)
        await self._set_expiry(lease, expires_at)

    async def release(self, lease: Lease) -> None:
        """Let others have it at once. Does nothing when it was lost."""
        try:
            await self._set_expiry(lease, self._clock.now())
        except LeaseLost:
            log.info("lease_was_lost", lease=lease.name, fence=lease.token)

    async def hold(self, name: str, work: Callable[[Lease], Awaitable[None]]) -> None:
        """Wait for the lease, do the work while it is kept up, let it go. Raises LeaseLost, having cut the work off."""
        lease = await self._wait_for(name)
        log.info("lease_held", lease=name, fence=lease.token)
        try:
            async with asyncio.TaskGroup() as group:
                renewing = group.create_task(self._keep(lease))
                await work(lease)
                renewing.cancel()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        finally:
            await asyncio.shield(self.release(lease))

    async def _wait_for(self, name: str) -> Lease:
        while (lease := await self.acquire(name)) is None:
            await self._clock.sleep(self._seconds / 6)
        return lease

    async def _keep(self, lease: Lease) -> None:
        renewed_at = self._clock.now()
        while True:
            await self._clock.sleep(self._seconds / 3)
            try:
                await self.renew(lease)
                renewed_at = self._clock.now()
            except Exception as error:
                if not connection_lost(error):
                    raise
                if self._clock.now() - renewed_at >= timedelta(seconds=self._seconds):
                    raise LeaseLost(lease) from error

    async def _set_expiry(self, lease: Lease, expires_at: object) -> None:
        async with self._database.transaction() as tx:
            kept = await tx.execute(
                sa.update(leases)
                .where(leases.c.name == lease.name, leases.c.token == lease.token)
                .values(expires_at=expires_at)
            )
        if kept.rowcount != 1:
            raise LeaseLost(lease)


class NotHeld(LayoverError):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"This process does not hold the lease {name!r}; what it tried to write is another's to write."
        )


class Tenure:
    """One lease as the parts see it that may only act while it is held."""

    def __init__(self, leases: Leases, name: str) -> None:
        self.name = name
        self._leases = leases
        self._lease: Lease | None = None

    async def fence(self, tx: Transaction) -> int:
        """The fencing token, for what ``tx`` writes. Raises NotHeld or LeaseLost."""
        if self._lease is None:
            raise NotHeld(self.name)
        await fenced(tx, self._lease)
        return self._lease.token

    async def hold(self, work: Callable[[], Awaitable[None]]) -> None:
        """Wait for the lease and do the work while it is held. Raises LeaseLost, having cut the work off."""

        async def held(lease: Lease) -> None:
            self._lease = lease
            try:
                await work()
            finally:
                self._lease = None

        await self._leases.hold(self.name, held)


class Leased:
    """A service that runs in one process at a time: in whichever holds its lease."""

    def __init__(self, name: str, run: Callable[[], Awaitable[None]], tenure: Tenure) -> None:
        self.name = name
        self._run = run
        self._tenure = tenure

    async def run(self) -> None:
        await self._tenure.hold(self._run)
