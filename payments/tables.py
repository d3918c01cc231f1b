"""The payments wing's tables."""

import sqlalchemy as sa

from runtime.columns import Instant, RowNumber, Units

metadata = sa.MetaData()

payments = sa.Table(
    "payments",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("booking_id", sa.String(64), nullable=False, index=True),
    sa.Column("chat", sa.String(128), nullable=False, index=True),
    sa.Column("method", sa.String(16), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("quote", sa.JSON, nullable=False),
    sa.Column("due", Units, nullable=False),
    sa.Column("address", sa.String(64), unique=True),
    sa.Column("received", Units, nullable=False),
    sa.Column("confirmed", Units, nullable=False),
    sa.Column("confirmations", sa.Integer, nullable=False),
    sa.Column("tx_hashes", sa.JSON, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("opened_at", Instant),
    sa.Column("open_attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("due_at", Instant, index=True),  # when the timer has to look at it next; null: never again
    sa.Column("version", sa.Integer, nullable=False),
)

# Every change of every payment, with why. Rows are only ever added.
payment_changes = sa.Table(
    "payment_changes",
    metadata,
    sa.Column("id", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("payment_id", sa.String(64), nullable=False, index=True),
    sa.Column("before", sa.String(16)),
    sa.Column("after", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("evidence", sa.JSON, nullable=False),
    sa.Column("at", Instant, nullable=False),
)

# The next free index below each merchant account. One row an account; the row's lock makes an index unique.
address_counters = sa.Table(
    "address_counters",
    metadata,
    sa.Column("account", sa.String(128), primary_key=True),  # the account's extended public key
    sa.Column("next_index", sa.BigInteger, nullable=False),
)

deposit_addresses = sa.Table(
    "deposit_addresses",
    metadata,
    sa.Column("account", sa.String(128), primary_key=True),
    sa.Column("index", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("address", sa.String(64), nullable=False, unique=True),
    sa.Column("payment_id", sa.String(64), nullable=False, index=True),
    sa.Column("given_at", Instant, nullable=False),
    sa.Column("baseline", sa.JSON),  # balance and nonce at a named block, before anybody was asked to pay
    sa.Column("skipped", sa.Text),  # why it was not used after all
)

# How far each reader of the chain's events has come.
reader_cursors = sa.Table(
    "reader_cursors",
    metadata,
    sa.Column("reader", sa.String(64), primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
)

# Addresses whose deposits could not be weighed, with why; they are weighed again until they can be.
unweighed_addresses = sa.Table(
    "unweighed_addresses",
    metadata,
    sa.Column("address", sa.String(64), primary_key=True),
    sa.Column("error", sa.String(500), nullable=False),
)

# Who did what, when. Rows are only ever added; ids only, no personal data.
audit_log = sa.Table(
    "audit_log",
    metadata,
    sa.Column("id", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("actor", sa.String(64), nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("subject", sa.String(128), nullable=False, index=True),
    sa.Column("details", sa.JSON, nullable=False),
)
