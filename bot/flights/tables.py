"""The sample airline's own books. Made by the timetable alone; a live source keeps its orders itself."""

import sqlalchemy as sa

from runtime.columns import Instant, RowNumber

metadata = sa.MetaData()

# No names of travellers here: the booking has them, and a sample airline flies nobody.
timetable_orders = sa.Table(
    "timetable_orders",
    metadata,
    sa.Column("number", RowNumber, primary_key=True, autoincrement=True),
    sa.Column("booking_id", sa.String(64), nullable=False, unique=True),
    sa.Column("offer_id", sa.String(64), nullable=False),
    sa.Column("passengers", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("held_until", Instant),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
)
