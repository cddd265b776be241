"""Table job."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import create_index, create_table, key, words

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "job",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("kind", key(64), nullable=False),
        sa.Column("key", key(160), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("claimed_by", key(64)),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("done_at", sa.BigInteger()),
        sa.Column("dead_at", sa.BigInteger()),
        sa.Column("error", words(500)),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
        sa.UniqueConstraint("kind", "key", name="uq_job_kind_key"),
    )
    create_index("ix_job_kind_due_at_id", "job", ["kind", "due_at", "id"])
    create_index("ix_job_done_at", "job", ["done_at"])


def downgrade() -> None:
    op.drop_table("job")
