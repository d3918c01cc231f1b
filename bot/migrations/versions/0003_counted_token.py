"""which token a chain's amounts are counted in"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | Sequence[str] | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    with op.batch_alter_table("chain_cursor", schema=None) as batch_op:
        batch_op.add_column(sa.Column("token", sa.String(length=42), server_default="", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("chain_cursor", schema=None) as batch_op:
        batch_op.drop_column("token")
