"""The Alembic migrations of the read model's tables."""
