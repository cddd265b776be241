"""The schema of the records: data without another copy, which must not be lost.

Accounts, notices, documents and jobs are in ``records.db`` beside the read model, or in
a schema of their own on MySQL and MariaDB. models.py names every feature's models,
migrations/ is the Alembic tree. ``slotcast projection rebuild`` never touches it.
Sessions are opened by ``persistence.sql.records``.
"""
