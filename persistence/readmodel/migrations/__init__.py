"""The history of the read model's tables, told by Alembic."""
