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
    sa.Index("documents_of_a_booking", "booking", "created_at"),
)

# When a traveller last wrote to us on WhatsApp: for 24 hours from then, anything may be said; later, templates only.
whatsapp_windows = sa.Table(
    "whatsapp_windows",
    metadata,
    sa.Column("chat", sa.String(80), primary_key=True),
    sa.Column("last_inbound_at", Instant, nullable=False),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("chat", sa.String(80), primary_key=True),
    sa.Column("session", sa.JSON, nullable=False),
    sa.Column("updated_at", Instant, nullable=False, index=True),
)

# A search is asked for in the transaction that answers the traveller, and run from here.
searches = sa.Table(
    "searches",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("chat", sa.String(80), nullable=False, index=True),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("offers", sa.JSON),  # as found, cheapest first
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("finished_at", Instant, index=True),
)

bookings = sa.Table(
    "bookings",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("reference", sa.String(12), nullable=False, unique=True),
    sa.Column("chat", sa.String(80), nullable=False, index=True),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("offer", sa.JSON, nullable=False),  # frozen when the payment was started
    sa.Column("travellers", sa.JSON, nullable=False),
    sa.Column("contact", sa.JSON, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("payment_id", sa.String(64)),  # that paid it
    sa.Column("order", sa.JSON),  # what the airline confirmed
    sa.Column("ticketed_at", Instant),
    sa.Index("bookings_by_state", "state", "created_at"),
)
