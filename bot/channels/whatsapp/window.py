"""The 24-hour window: when each traveller last wrote on WhatsApp.

Anything may be said for 24 hours after that, afterwards approved templates only
(https://www.twilio.com/docs/whatsapp/key-concepts#the-24-hour-window).
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from bot.channels.model import ChatId
from bot.tables import whatsapp_windows
from runtime.database import Database, Transaction

WINDOW = timedelta(hours=24)
_MARGIN = timedelta(minutes=1)  # a message may wait at Twilio until the window has closed


class WhatsAppWindows:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def note_inbound(self, tx: Transaction, chat: ChatId, at: datetime) -> None:
        """The traveller wrote. Never moves back, whatever comes late."""
        insert = sqlite.insert if tx.is_sqlite else postgresql.insert
        statement = insert(whatsapp_windows).values(chat=str(chat), last_inbound_at=at)
        await tx.execute(
            statement.on_conflict_do_update(
                index_elements=["chat"],
                set_={"last_inbound_at": statement.excluded.last_inbound_at},
                where=whatsapp_windows.c.last_inbound_at < statement.excluded.last_inbound_at,
            )
        )

    async def is_open(self, chat: ChatId, now: datetime) -> bool:
        """Whether free words may be sent. Closed for who never wrote."""
        statement = sa.select(whatsapp_windows.c.last_inbound_at).where(whatsapp_windows.c.chat == str(chat))
        async with self._database.snapshot() as connection:
            last: datetime | None = (await connection.execute(statement)).scalar_one_or_none()
        return last is not None and now - last < WINDOW - _MARGIN
