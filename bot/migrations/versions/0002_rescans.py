"""rescans of the chain"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

import runtime.columns

revision: str = "0002"
down_revision: str | Sequence[str] | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "chain_rescans",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("requested_at", runtime.columns.Instant(timezone=True), nullable=False),
        sa.Column("reached", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", runtime.columns.Instant(timezone=True), nullable=True),
        sa.Column("report", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    op.drop_table("chain_rescans")
