"""Sessions and searches in the database: all of their SQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conversation.session import Session
from bot.flights.codec import dump, dump_all, load, load_all
from bot.flights.model import Offer, SearchRequest
from bot.tables import searches, sessions
from runtime.database import Transaction


async def load_session(connection: AsyncConnection, chat: str) -> Session | None:
    stored = await connection.scalar(sa.select(sessions.c.session).where(sessions.c.chat == chat))
    return None if stored is None else load(Session, stored)


async def save_session(tx: Transaction, chat: str, session: Session, now: datetime) -> None:
    insert: Any = (sqlite if tx.is_sqlite else postgresql).insert(sessions)
    values = {"session": dump(session), "updated_at": now}
    await tx.execute(
        insert.values(chat=chat, **values).on_conflict_do_update(index_elements=[sessions.c.chat], set_=values)
    )


async def add_search(tx: Transaction, search_id: str, chat: str, request: SearchRequest, now: datetime) -> None:
    await tx.execute(searches.insert().values(id=search_id, chat=chat, request=dump(request), created_at=now))


async def open_searches(connection: AsyncConnection, limit: int) -> Sequence[tuple[str, str]]:
    """Searches that nobody has answered: (id, chat), oldest first."""
    rows = await connection.execute(
        sa.select(searches.c.id, searches.c.chat)
        .where(searches.c.finished_at.is_(None))
        .order_by(searches.c.created_at)
        .limit(limit)
    )
    return [(row.id, row.chat) for row in rows]


async def request_of(connection: AsyncConnection, search_id: str) -> SearchRequest:
    """What was asked. Raises UnreadableDocument."""
    stored = await connection.execute(sa.select(searches.c.request).where(searches.c.id == search_id))
    return load(SearchRequest, stored.scalar_one())


async def finish_search(tx: Transaction, search_id: str, offers: Sequence[Offer], now: datetime) -> bool:
    """Keep the answer. False when there is one already: then that one stays."""
    result = await tx.execute(
        searches.update()
        .where(searches.c.id == search_id, searches.c.finished_at.is_(None))
        .values(offers=dump_all(offers), finished_at=now)
    )
    return result.rowcount == 1


async def offers_of(connection: AsyncConnection, search_id: str) -> tuple[Offer, ...]:
    """The offers found, cheapest first; none while the search has not finished."""
    stored = await connection.scalar(sa.select(searches.c.offers).where(searches.c.id == search_id))
    return () if stored is None else load_all(Offer, stored)


async def forget_searches(tx: Transaction, before: datetime, limit: int) -> int:
    """Answers of before then are of no use to anybody; how many went."""
    old = sa.select(searches.c.id).where(searches.c.finished_at < before).order_by(searches.c.finished_at).limit(limit)
    return (await tx.execute(sa.delete(searches).where(searches.c.id.in_(old)))).rowcount


async def forget_sessions(tx: Transaction, before: datetime, limit: int) -> int:
    """Conversations that nothing has happened in since then; how many went."""
    old = sa.select(sessions.c.chat).where(sessions.c.updated_at < before).order_by(sessions.c.updated_at).limit(limit)
    return (await tx.execute(sa.delete(sessions).where(sessions.c.chat.in_(old)))).rowcount
