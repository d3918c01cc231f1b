"""Stored files: ticket PDFs and QR codes, sent in chat and served by signed links. A stored file never changes."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.tables import documents
from runtime.database import Database, Transaction
from runtime.errors import LayoverError

MAX_FILENAME = 150


class DocumentNotFound(LayoverError):
    def __init__(self, document_id: str) -> None:
        super().__init__(f"There is no stored document {document_id}.")
        self.document_id = document_id


@dataclass(frozen=True, slots=True)
class Document:
    """``id`` is given by who stores it (``ticket:<booking>:<traveller>``), so that storing twice is storing once."""

    id: str
    chat: str  # str(ChatId): whom it was made for
    filename: str  # as the traveller sees it, any script
    content_type: str  # "application/pdf"
    body: bytes
    created_at: datetime
    booking: str | None = None


def safe_filename(name: str) -> str:
    """The name without what could leave its folder or its header: separators, quotes, control characters."""
    kept = "".join(c if c.isprintable() and c not in '/\\"<>|:*?' else "_" for c in name).strip(" .")
    return kept[:MAX_FILENAME] or "document"


class Documents:
    """The store. Small files only (a ticket is some 30 kB): they live in the database with everything else."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, tx: Transaction, document: Document) -> bool:
        """Store; False when that id is stored already, and then the first body stays."""
        insert = sqlite.insert if tx.is_sqlite else postgresql.insert
        statement = insert(documents).values(
            id=document.id,
            chat=document.chat,
            booking=document.booking,
            filename=document.filename,
            content_type=document.content_type,
            body=document.body,
            created_at=document.created_at,
        )
        result = await tx.execute(statement.on_conflict_do_nothing(index_elements=["id"]))
        return result.rowcount == 1

    async def forget_images(self, tx: Transaction, before: datetime, limit: int) -> int:
        """Files of before then that belong to no booking: QR codes of payments. How many went."""
        old = (
            sa.select(documents.c.id)
            .where(documents.c.booking.is_(None), documents.c.created_at < before)
            .order_by(documents.c.created_at)
            .limit(limit)
        )
        return (await tx.execute(sa.delete(documents).where(documents.c.id.in_(old)))).rowcount

    async def get(self, document_id: str) -> Document:
        """Raises ``DocumentNotFound``."""
        async with self._database.snapshot() as connection:
            row = (await connection.execute(sa.select(documents).where(documents.c.id == document_id))).one_or_none()
        if row is None:
            raise DocumentNotFound(document_id)
        return _document(row)

    async def tickets_of(self, connection: AsyncConnection, booking: str) -> list[tuple[str, str]]:
        """Ids and file names of a booking's documents, without their bodies, in the order of the travellers."""
        statement = sa.select(documents.c.id, documents.c.filename).where(documents.c.booking == booking)
        return [(row.id, row.filename) for row in await connection.execute(statement.order_by(documents.c.id))]

    async def of_booking(self, booking: str) -> list[Document]:
        """A booking's documents, oldest first."""
        statement = (
            sa.select(documents).where(documents.c.booking == booking).order_by(documents.c.created_at, documents.c.id)
        )
        async with self._database.snapshot() as connection:
            return [_document(row) for row in (await connection.execute(statement)).all()]


def _document(row: sa.Row[tuple[object, ...]]) -> Document:
    fields = row._mapping
    return Document(
        id=fields["id"],
        chat=fields["chat"],
        filename=fields["filename"],
        content_type=fields["content_type"],
        body=fields["body"],
        created_at=fields["created_at"],
        booking=fields["booking"],
    )
