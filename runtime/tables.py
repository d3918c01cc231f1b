"""The tables of the ground floor: facts that came in, letters that go out, leases, pulses of processes."""

import sqlalchemy as sa

from runtime.columns import Instant, RowNumber

metadata = sa.MetaData()

inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("id", RowNumber, primary_key=True),
    sa.Column("topic", sa.String(40), nullable=False),
    sa.Column("source", sa.String(80), nullable=False),
    sa.Column("external_id", sa.String(200), nullable=False),
    sa.Column("lane", sa.String(200), nullable=False),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("error", sa.String(500)),
    sa.Column("handled_at", Instant),
    sa.Column("dead_at", Instant),
    sa.UniqueConstraint("source", "external_id"),
)
inbox_waiting = inbox.c.handled_at.is_(None) & inbox.c.dead_at.is_(None)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", RowNumber, primary_key=True),
    sa.Column("channel", sa.String(40), nullable=False),
    sa.Column("lane", sa.String(200), nullable=False),
    sa.Column("slot", sa.String(200)),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False, default=1),
    sa.Column("posted_at", Instant, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("error", sa.String(500)),
    sa.Column("claimed_until", Instant),
    sa.Column("message_ids", sa.JSON(none_as_null=True)),
    sa.Column("sent_at", Instant),
    sa.Column("dead_at", Instant),
    sa.Index("ix_outbox_slot", "lane", "slot", "id"),
)
outbox_waiting = outbox.c.sent_at.is_(None) & outbox.c.dead_at.is_(None)

outbox_messages = sa.Table(
    "outbox_messages",
    metadata,
    sa.Column("letter_id", RowNumber, sa.ForeignKey("outbox.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("provider_id", sa.String(120), primary_key=True),
    sa.Index("ix_outbox_messages_provider_id", "provider_id"),
)

outbox_statuses = sa.Table(
    "outbox_statuses",
    metadata,
    sa.Column("provider_id", sa.String(120), primary_key=True),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("detail", sa.String(500), nullable=False),
    sa.Column("noted_at", Instant, nullable=False, index=True),
)

outbox_pauses = sa.Table(
    "outbox_pauses",
    metadata,
    sa.Column("channel", sa.String(40), primary_key=True),
    sa.Column("until", Instant, nullable=False),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String(80), primary_key=True),
    sa.Column("owner", sa.String(120), nullable=False),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
)

executors = sa.Table(
    "executors",
    metadata,
    sa.Column("executor_id", sa.String(120), primary_key=True),
    sa.Column("seen_at", Instant, nullable=False, index=True),
)


def _index(name: str, condition: sa.ColumnElement[bool], *columns: sa.Column[object]) -> None:
    """An index of the rows that meet the condition: the long tail of settled rows costs it nothing."""
    sa.Index(name, *columns, sqlite_where=condition, postgresql_where=condition)


_index("ix_inbox_waiting", inbox_waiting, inbox.c.topic, inbox.c.lane, inbox.c.id)
_index("ix_inbox_dead", inbox.c.dead_at.is_not(None), inbox.c.dead_at)
_index("ix_inbox_handled", inbox.c.handled_at.is_not(None), inbox.c.handled_at)
_index("ix_outbox_waiting", outbox_waiting, outbox.c.channel, outbox.c.lane, outbox.c.id)
_index("ix_outbox_dead", outbox.c.dead_at.is_not(None), outbox.c.dead_at)
_index("ix_outbox_sent", outbox.c.sent_at.is_not(None), outbox.c.sent_at)
