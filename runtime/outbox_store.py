"""The outbox as rows. All its SQL is here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from runtime.columns import Instant
from runtime.database import Transaction
from runtime.dead_letters import DeadLetter, NoDeadLetter, Origin
from runtime.tables import outbox, outbox_messages, outbox_pauses, outbox_statuses, outbox_waiting


class DeliveryStatus(StrEnum):
    """What a provider tells of a message afterwards, in the order in which it may change."""

    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


_RANK = {status: rank for rank, status in enumerate(DeliveryStatus)}


@dataclass(frozen=True, slots=True)
class Letter:
    """Something to be sent. ``sent_ids``: the provider's ids of what is shown in its slot already, to be edited."""

    id: int
    lane: str
    slot: str | None
    payload: dict[str, Any]
    attempts: int
    sent_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WaitingLetter:
    """The first unsent letter of a lane, not to be sent before ``due_at``."""

    id: int
    lane: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class ClaimedLetter:
    """A letter as it was when taken; ``revision`` tells whether it has been superseded meanwhile."""

    letter: Letter
    revision: int


@dataclass(frozen=True, slots=True)
class SentMessage:
    """Where a provider's message belongs, and the last that the provider told of it (None: nothing yet)."""

    letter_id: int
    lane: str
    slot: str | None
    provider_id: str
    status: DeliveryStatus | None
    detail: str


class OutboxStore:
    async def post(
        self, tx: Transaction, *, channel: str, lane: str, slot: str | None, payload: dict[str, Any], now: datetime
    ) -> int:
        if slot is not None:
            newest = sa.select(sa.func.max(outbox.c.id)).where(outbox.c.lane == lane, outbox.c.slot == slot)
            superseded = await tx.execute(
                sa.update(outbox)
                .where(outbox.c.id == newest.where(outbox_waiting).scalar_subquery(), outbox_waiting)
                .values(payload=payload, revision=outbox.c.revision + 1, attempts=0)
                .returning(outbox.c.id)
            )
            waiting: int | None = superseded.scalar_one_or_none()
            if waiting is not None:
                return waiting
        posted = await tx.execute(
            sa.insert(outbox)
            .values(
                channel=channel,
                lane=lane,
                slot=slot,
                payload=payload,
                revision=1,
                posted_at=now,
                due_at=now,
                attempts=0,
            )
            .returning(outbox.c.id)
        )
        letter_id: int = posted.scalar_one()
        return letter_id

    async def heads(self, connection: AsyncConnection, channel: str, *, limit: int) -> list[WaitingLetter]:
        """The first unsent letter of each lane, those due longest first. One that is being sent is due afterwards."""
        heads = (
            sa.select(sa.func.min(outbox.c.id).label("id"))
            .where(outbox.c.channel == channel, outbox_waiting)
            .group_by(outbox.c.lane)
            .subquery()
        )
        due_at = sa.case((outbox.c.claimed_until > outbox.c.due_at, outbox.c.claimed_until), else_=outbox.c.due_at)
        rows = await connection.execute(
            sa.select(outbox.c.id, outbox.c.lane, due_at.label("due_at"))
            .join(heads, heads.c.id == outbox.c.id)
            .order_by(due_at, outbox.c.id)
            .limit(limit)
        )
        return [WaitingLetter(row.id, row.lane, row.due_at) for row in rows]

    async def take(
        self, connection: AsyncConnection, channel: str, lane: str, *, now: datetime
    ) -> ClaimedLetter | None:
        """The lane's first unsent letter as it stands, if it may be sent now."""
        row = (
            await connection.execute(
                sa.select(outbox)
                .where(outbox.c.channel == channel, outbox.c.lane == lane, outbox_waiting)
                .order_by(outbox.c.id)
                .limit(1)
            )
        ).one_or_none()
        if row is None or row.due_at > now or (row.claimed_until is not None and row.claimed_until > now):
            return None
        sent_ids: tuple[str, ...] = ()
        if row.slot is not None:
            shown = await connection.execute(
                sa.select(outbox.c.message_ids)
                .where(outbox.c.lane == lane, outbox.c.slot == row.slot, outbox.c.message_ids.is_not(None))
                .order_by(outbox.c.id.desc())
                .limit(1)
            )
            sent_ids = tuple(shown.scalar_one_or_none() or ())
        letter = Letter(row.id, row.lane, row.slot, row.payload, row.attempts, sent_ids)
        return ClaimedLetter(letter, row.revision)

    async def claim(self, tx: Transaction, taken: ClaimedLetter, *, now: datetime, until: datetime) -> bool:
        """Keep other processes from sending it until then. False when one of them was quicker."""
        claimed = await tx.execute(
            sa.update(outbox)
            .where(
                outbox.c.id == taken.letter.id,
                outbox.c.revision == taken.revision,
                sa.or_(outbox.c.claimed_until.is_(None), outbox.c.claimed_until <= now),
                outbox_waiting,
            )
            .values(claimed_until=until)
        )
        return claimed.rowcount == 1

    async def mark_sent(
        self, tx: Transaction, taken: ClaimedLetter, message_ids: Sequence[str], *, now: datetime
    ) -> None:
        """Note what was sent. Superseded meanwhile: the letter stays unsent, to become an edit of what was sent."""
        letter = taken.letter
        is_current = outbox.c.revision == taken.revision
        await tx.execute(
            sa.update(outbox)
            .where(outbox.c.id == letter.id)
            .values(
                message_ids=list(message_ids),
                sent_at=sa.case((is_current, sa.literal(now, Instant())), else_=sa.null()),
                claimed_until=None,
                error=None,
            )
        )
        for provider_id in message_ids:
            await tx.insert_if_new(
                outbox_messages,
                {"letter_id": letter.id, "provider_id": provider_id},
                key=("letter_id", "provider_id"),
            )
        await self._bury_failed(tx, message_ids, now=now)  # the provider may have told before we knew its ids

    async def _bury_failed(self, tx: Transaction, provider_ids: Sequence[str], *, now: datetime) -> None:
        """A letter was sent, and then one of its messages did not arrive: it is dead, to be seen and replayed."""
        failed = (
            sa.select(outbox_messages.c.letter_id, outbox_statuses.c.detail)
            .join(outbox_statuses, outbox_statuses.c.provider_id == outbox_messages.c.provider_id)
            .where(
                outbox_messages.c.provider_id.in_(provider_ids),
                outbox_statuses.c.status == DeliveryStatus.FAILED.value,
            )
        )
        for row in (await tx.execute(failed)).all():
            await tx.execute(
                sa.update(outbox)
                .where(outbox.c.id == row.letter_id, outbox.c.sent_at.is_not(None), outbox.c.dead_at.is_(None))
                .values(dead_at=now, error=f"sent, but not delivered: {row.detail}"[:500])
            )

    async def mark_failed(
        self, tx: Transaction, taken: ClaimedLetter, *, error: str, due_at: datetime, dead_at: datetime | None
    ) -> None:
        """Note a failed attempt. What superseded the letter meanwhile has all its attempts."""
        is_current = outbox.c.revision == taken.revision
        await tx.execute(
            sa.update(outbox)
            .where(outbox.c.id == taken.letter.id, outbox_waiting)
            .values(
                attempts=sa.case((is_current, outbox.c.attempts + 1), else_=outbox.c.attempts),
                dead_at=sa.case((is_current, sa.literal(dead_at, Instant())), else_=sa.null()),
                due_at=due_at,
                claimed_until=None,
                error=error,
            )
        )

    async def postpone(self, tx: Transaction, taken: ClaimedLetter, *, due_at: datetime) -> None:
        """Not now, and no fault of the letter's."""
        await tx.execute(
            sa.update(outbox)
            .where(outbox.c.id == taken.letter.id, outbox_waiting)
            .values(due_at=due_at, claimed_until=None)
        )

    async def pause(self, tx: Transaction, channel: str, *, until: datetime) -> None:
        """Send nothing on the channel until then; a longer pause stays."""
        if not await tx.insert_if_new(outbox_pauses, {"channel": channel, "until": until}, key=("channel",)):
            await tx.execute(
                sa.update(outbox_pauses)
                .where(outbox_pauses.c.channel == channel, outbox_pauses.c.until < until)
                .values(until=until)
            )

    async def paused_until(self, connection: AsyncConnection, channel: str) -> datetime | None:
        until = await connection.execute(sa.select(outbox_pauses.c.until).where(outbox_pauses.c.channel == channel))
        return until.scalar_one_or_none()

    async def note_status(
        self, tx: Transaction, provider_id: str, status: DeliveryStatus, detail: str, *, now: datetime
    ) -> None:
        """Keep the furthest status: callbacks overtake each other. A failure makes the letter a dead one."""
        is_news = await self._keep_status(tx, provider_id, status, detail, now=now)
        if is_news and status is DeliveryStatus.FAILED:
            await self._bury_failed(tx, [provider_id], now=now)

    async def _keep_status(
        self, tx: Transaction, provider_id: str, status: DeliveryStatus, detail: str, *, now: datetime
    ) -> bool:
        row = {"status": status.value, "detail": detail, "noted_at": now}
        if await tx.insert_if_new(outbox_statuses, {"provider_id": provider_id, **row}, key=("provider_id",)):
            return True
        earlier = [other.value for other in DeliveryStatus if _RANK[other] < _RANK[status]]
        changed = await tx.execute(
            sa.update(outbox_statuses)
            .where(outbox_statuses.c.provider_id == provider_id, outbox_statuses.c.status.in_(earlier))
            .values(**row)
        )
        return changed.rowcount == 1

    async def sent_message(self, connection: AsyncConnection, provider_id: str) -> SentMessage | None:
        rows = await connection.execute(
            sa.select(outbox.c.id, outbox.c.lane, outbox.c.slot, outbox_statuses.c.status, outbox_statuses.c.detail)
            .join(outbox_messages, outbox_messages.c.letter_id == outbox.c.id)
            .outerjoin(outbox_statuses, outbox_statuses.c.provider_id == outbox_messages.c.provider_id)
            .where(outbox_messages.c.provider_id == provider_id)
            .order_by(outbox.c.id.desc())
            .limit(1)
        )
        row = rows.one_or_none()
        if row is None:
            return None
        status = None if row.status is None else DeliveryStatus(row.status)
        return SentMessage(row.id, row.lane, row.slot, provider_id, status, row.detail or "")

    async def dead_letters(self, connection: AsyncConnection, *, limit: int) -> list[DeadLetter]:
        rows = await connection.execute(
            sa.select(outbox).where(outbox.c.dead_at.is_not(None)).order_by(outbox.c.dead_at.desc()).limit(limit)
        )
        return [_dead_letter(row) for row in rows]

    async def dead_letter(self, connection: AsyncConnection, letter_id: str) -> DeadLetter:
        row = (await connection.execute(sa.select(outbox).where(*_is_dead(letter_id)))).one_or_none()
        if row is None:
            raise NoDeadLetter(Origin.OUTBOX, letter_id)
        return _dead_letter(row)

    async def replay(self, tx: Transaction, letter_id: str, *, now: datetime) -> tuple[str, str] | None:
        """Channel and lane of what will be sent again; None: a newer letter is in its slot, so it is dropped."""
        row = (await tx.execute(sa.select(outbox).where(*_is_dead(letter_id)).with_for_update())).one_or_none()
        if row is None:
            raise NoDeadLetter(Origin.OUTBOX, letter_id)
        if await self._is_superseded(tx, row):
            await tx.execute(sa.delete(outbox).where(outbox.c.id == row.id))
            return None
        anew = {"message_ids": None} if row.sent_at is not None else {}  # what did not arrive cannot be edited
        values = {"dead_at": None, "sent_at": None, "attempts": 0, "due_at": now, **anew}
        await tx.execute(sa.update(outbox).where(outbox.c.id == row.id).values(**values))
        return row.channel, row.lane

    async def _is_superseded(self, tx: Transaction, row: sa.Row[Any]) -> bool:
        if row.slot is None:
            return False
        newer = sa.select(outbox.c.id).where(outbox.c.lane == row.lane, outbox.c.slot == row.slot, outbox.c.id > row.id)
        return (await tx.execute(newer.limit(1))).first() is not None

    async def delete_sent(self, tx: Transaction, *, before: datetime, limit: int) -> int:
        old = (
            sa.select(outbox.c.id)
            .where(outbox.c.sent_at < before, outbox.c.dead_at.is_(None))
            .order_by(outbox.c.sent_at)
            .limit(limit)
        )
        result = await tx.execute(sa.delete(outbox).where(outbox.c.id.in_(old)))
        await tx.execute(sa.delete(outbox_statuses).where(outbox_statuses.c.noted_at < before))
        return result.rowcount

    async def delete_dead(self, tx: Transaction, *, before: datetime, limit: int) -> int:
        old = sa.select(outbox.c.id).where(outbox.c.dead_at < before).order_by(outbox.c.dead_at).limit(limit)
        return (await tx.execute(sa.delete(outbox).where(outbox.c.id.in_(old)))).rowcount


def _is_dead(letter_id: str) -> Sequence[sa.ColumnElement[bool]]:
    row_id = int(letter_id) if letter_id.isdecimal() and len(letter_id) < 19 else -1
    return outbox.c.id == row_id, outbox.c.dead_at.is_not(None)


def _dead_letter(row: sa.Row[Any]) -> DeadLetter:
    return DeadLetter(
        origin=Origin.OUTBOX,
        id=str(row.id),
        name=row.channel,
        lane=row.lane,
        payload=row.payload,
        attempts=row.attempts,
        error=row.error or "",
        died_at=row.dead_at,
    )
