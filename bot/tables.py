"""The bot wing's tables. Only the wing's store modules speak to them."""

import sqlalchemy as sa

from runtime.columns import Instant

metadata = sa.MetaData()

documents = sa.Table(
    "documents",
    metadata,
    sa.Column("id", sa.String(80), primary_key=True),
    sa.Column("chat", sa.String(80), nullable=False),
    sa.Column("booking", sa.String(80), nullable=True),
    sa.Column("filename", sa.String(200), nullable=False),
    sa.Column("content_type", sa.String(100), nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Index("documents_of_a_booking", "booking"),
)

# When a traveller last wrote to us on WhatsApp: for 24 hours from then, anything may be said; later, templates only.
whatsapp_windows = sa.Table(
    "whatsapp_windows",
    metadata,
    sa.Column("chat", sa.String(80), primary_key=True),
    sa.Column("last_inbound_at", Instant, nullable=False),
)
