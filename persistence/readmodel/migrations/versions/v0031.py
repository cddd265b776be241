"""Column appointment.lane: a seat of a group visit, or an overbooked visit.

What the claims say is carried over: overbooked visits, seats from the second on, and
the first seats of their sessions. That of a session with one patient claims what any
visit does; a rebuild says it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from persistence.sql.migration_steps import add_column

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_APPOINTMENT = sa.table(
    "appointment",
    *(sa.column(name) for name in ("booking_id", "provider_id", "visit_type")),
    *(sa.column(name) for name in ("start_minute", "status", "lane")),
)
_CLAIM = sa.table("slot_claim", sa.column("booking_id"), sa.column("lane"))


def upgrade() -> None:
    add_column(
        "appointment",
        sa.Column("lane", sa.Integer(), nullable=False, server_default="0"),
    )
    bind, row = op.get_bind(), _APPOINTMENT.c
    claims = sa.select(_CLAIM.c.booking_id, _CLAIM.c.lane).distinct()
    for booking_id, lane in bind.execute(claims.where(_CLAIM.c.lane != 0)).all():
        # Claims of seats are one above their lanes: see claimed_lane.
        mine = sa.update(_APPOINTMENT).where(row.booking_id == booking_id)
        bind.execute(mine.values(lane=lane if lane > 0 else lane - 1))
    sessions = sa.select(row.provider_id, row.visit_type, row.start_minute)
    for provider, kind, start in bind.execute(sessions.where(row.lane < 0)).all():
        first = sa.update(_APPOINTMENT).where(
            row.provider_id == provider,
            row.visit_type == kind,
            row.start_minute == start,
            row.lane == 0,
            row.status != "cancelled",
        )
        bind.execute(first.values(lane=-1))


def downgrade() -> None:
    raise NotImplementedError("the read model is rebuilt, not taken back")
